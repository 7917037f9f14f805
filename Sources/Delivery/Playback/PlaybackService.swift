import Admission
import Basics
import HLS
import Live
import Logging
import NIOCore
import Storage
import Usher

/// What players fetch: playlists and segments under `/<app>/<inst>/<stream>/`, for those who are let in.
///
/// Answers: 200, 206, 302 (to a session's own path), 304, 403 (refused, without a reason), 404 (nothing there, or the
/// stream is off the air), 416, 503 (no segment yet, or the store does not answer). Never 401, at which browsers would
/// ask for a password.
public struct PlaybackService: Sendable {
    private let outputs: OutputTable
    private let admission: any ViewerAdmission
    private let configuration: DeliveryConfiguration
    private let viewers: ViewerTable
    private let crossOrigin: CrossOrigin
    private let log: LogLimiter

    public init(
        outputs: OutputTable, admission: any ViewerAdmission, configuration: DeliveryConfiguration, logger: Logger
    ) {
        self.outputs = outputs
        self.admission = admission
        self.configuration = configuration
        log = LogLimiter(logger: logger)
        viewers = ViewerTable(
            idleTime: .seconds(Int64(configuration.viewerIdleTime)), maximum: configuration.maximumCountedViewers)
        crossOrigin = CrossOrigin(allowedOrigins: configuration.allowedOrigins)
    }

    /// Viewers of an unprotected stream in the last while, an estimate: those behind one address, or one cache, count
    /// as one. Viewers with tickets are counted by `Admissions`.
    public func viewerCount(_ address: StreamAddress) -> Int {
        viewers.count(address, now: .now())
    }

    /// Everything three or more levels deep is for playback, when it is asked for with a method of players, and so are the
    /// questions of edges.
    static func takes(_ target: String) -> Bool {
        var path = RequestTarget(target).path
        let isDeep = path.withUTF8 { bytes in
            var isInPart = false
            var parts = 0
            for byte in bytes where parts < 3 {
                let isSlash = byte == UInt8(ascii: "/")
                if !isSlash, !isInPart { parts += 1 }
                isInPart = !isSlash
            }
            return parts == 3
        }
        return isDeep || EdgeQuestion.isAsked(by: target)
    }

    /// An answer, or how to get one that has to be waited for.
    enum Answer: Sendable {
        case now(PlaybackReply)
        case later(@Sendable () async -> PlaybackReply)
    }

    /// Answers a request whose target is taken. Nearly all are answered now: those of sessions that run, and those for open
    /// streams.
    func answer(_ head: RequestHead, over connection: PlaybackConnection) -> Answer {
        guard !EdgeQuestion.isAsked(by: head.target) else { return .later { await check(head, over: connection) } }
        guard head.method != .options else {
            var reply = PlaybackReply.preflight
            crossOrigin.applyPreflight(to: &reply, origin: head[.origin])
            return .now(reply)
        }
        guard let request = PlaybackRequest(head, over: connection, trustedProxies: configuration.trustedProxies)
        else {
            return .now(finished(PlaybackReply.text(.notFound, "Not found.\n", cache: .missing), to: head))
        }
        let session = request.path.session
        guard let output = output(for: request) else { return .now(finished(offline, to: head, in: session)) }
        if let reply = answerAtOnce(request, of: output) { return .now(finished(reply, to: head, in: session)) }
        return .later { finished(await answerAfterWaiting(request, of: output), to: head, in: session) }
    }

    /// The reply with the fields that all replies to players have; without its body, if only the head is wanted.
    private func finished(_ reply: PlaybackReply, to head: RequestHead, in session: String? = nil) -> PlaybackReply {
        var reply = reply
        crossOrigin.apply(to: &reply, origin: head[.origin])
        reply.finish(isHead: head.method == .head)
        if let session, let body = reply.body { admission.sent(body.readableBytes, session: session) }
        return reply
    }

    private func output(for request: PlaybackRequest) -> StreamOutput? {
        request.path.addresses.lazy.compactMap { outputs.output(at: $0) }.first
    }

    private func answer(_ request: PlaybackRequest, of output: StreamOutput) async -> PlaybackReply {
        if let reply = answerAtOnce(request, of: output) { return reply }
        return await answerAfterWaiting(request, of: output)
    }

    /// The answer that needs neither the store nor a playlist that is still to come; nil: this one does.
    private func answerAtOnce(_ request: PlaybackRequest, of output: StreamOutput) -> PlaybackReply? {
        let address = output.address
        if let session = request.path.session, admission.permits(viewer(request, address), session: session) {
            switch request.path.resource {
            case .file(let name):
                return file(name, of: output, for: request)
            case .mediaPlaylist:
                if let playlist = output.current {
                    let reply = PlaybackReply.playlist(playlist.media, to: request, cache: .sessionPlaylist)
                    return reply.of(output)
                }
            case .masterPlaylist:
                break
            }
        }
        let known = admission.knownProtection(app: address.app, stream: address.stream, account: output.accountID)
        guard known == .open else { return nil }
        if case .file(let name) = request.path.resource { return file(name, of: output, for: request) }
        return output.current.map { open($0, of: output, for: request) }
    }

    /// The answer to any request, for which the store or a first playlist may be waited for.
    private func answerAfterWaiting(_ request: PlaybackRequest, of output: StreamOutput) async -> PlaybackReply {
        do {
            return switch request.path.resource {
            case .masterPlaylist: try await master(of: output, for: request).of(output)
            case .mediaPlaylist: try await media(of: output, for: request).of(output)
            case .file(let name):
                try await isAllowed(request, output.address, account: output.accountID)
                    ? file(name, of: output, for: request) : refused
            }
        } catch {
            return failed(error, request, output.address)
        }
    }

    private func failed(_ error: any Error, _ request: PlaybackRequest, _ address: StreamAddress) -> PlaybackReply {
        if error as? StoreError == .overloaded {
            log.failed("viewers told to come again", error, ["stream": "\(address)"])
        } else {
            log.failed("viewers not answered", error, ["stream": "\(address)"])
        }
        return PlaybackReply.text(.serviceUnavailable, "Try again.\n", cache: .never, retryAfter: 2)
    }

    // MARK: Edges

    /// Answers an edge as the viewer would be answered, but without what he asked for: a media playlist charges or joins, a
    /// segment only has to be permitted. 204, 403, or 503 when nobody can tell now.
    private func check(_ head: RequestHead, over connection: PlaybackConnection) async -> PlaybackReply {
        var reply: PlaybackReply
        do throws(EdgeQuestion.Failure) {
            let request = try EdgeQuestion.request(head, over: connection, trustedProxies: configuration.trustedProxies)
            reply = if let request { await check(request) } else { PlaybackReply.edge(refused, isKept: false) }
        } catch {
            log.log(
                .warning, "question of an edge refused", error.rawValue,
                address: connection.client?.description ?? "", lines: 1)
            reply = PlaybackReply.edge(refused, isKept: false)
        }
        reply.finish(isHead: head.method == .head)
        return reply
    }

    private func check(_ request: PlaybackRequest) async -> PlaybackReply {
        guard let output = output(for: request) else {
            // Copies of segments outlive their stream; playlists are of nobody.
            guard case .file = request.path.resource, let address = request.path.addresses.first else {
                return PlaybackReply.edge(offline, isKept: false)
            }
            do {
                let isAllowed = try await isAllowed(request, address, account: nil)
                return PlaybackReply.edge(isAllowed ? offline : refused, isKept: false)
            } catch {
                return PlaybackReply.edge(failed(error, request, address), isKept: false)
            }
        }
        let own = await answer(request, of: output)
        let isForbidden = own.status == .forbidden
        let isInSession = request.path.session.map { SessionID.isWellFormed($0) } ?? false
        let isKept: Bool =
            switch request.path.resource {
            // It is for one viewer, and no session runs yet.
            case .masterPlaylist: false
            case .mediaPlaylist:
                // Without a session a refusal is that of a key, and a request for headers opens none: neither says anything of
                // the next one.
                own.status != .found && own.status != .notFound && !request.isHead
                    && (!isForbidden || isInSession)
            // A session that is not known here may be known again with the next playlist.
            case .file: !isForbidden
            }
        guard isKept, !isInSession else { return PlaybackReply.edge(own, isKept: isKept) }
        // Outside of sessions an answer is kept for everybody.
        let protection = try? await protection(of: output)
        return PlaybackReply.edge(own, isKept: protection == .open)
    }

    /// Whether the viewer may have a segment of the stream.
    /// - Parameter account: whose publication it is; nil: it is no more.
    private func isAllowed(_ request: PlaybackRequest, _ address: StreamAddress, account: AccountID?) async throws
        -> Bool
    {
        // The usual case first: it takes no step out of this thread.
        if let session = request.path.session, admission.permits(viewer(request, address), session: session) {
            return true
        }
        return try await admission.protection(app: address.app, stream: address.stream, account: account) == .open
    }

    private func protection(of output: StreamOutput) async throws -> Protection {
        let address = output.address
        return try await admission.protection(
            app: address.app, stream: address.stream, account: output.accountID)
    }

    /// A file for a viewer who may have it.
    private func file(_ name: String, of output: StreamOutput, for request: PlaybackRequest) -> PlaybackReply {
        guard let file = outputs.file(named: name, at: output.address) else {
            return PlaybackReply.text(.notFound, "Not found.\n", cache: .missing)
        }
        let cache: CachePolicy = request.path.session == nil ? .publicFile : .sessionFile
        return PlaybackReply.file(file, to: request, cache: cache).of(output)
    }

    private var offline: PlaybackReply {
        PlaybackReply.text(.notFound, "The stream is offline.\n", cache: .missing, retryAfter: 5)
    }

    /// Why is in the log of attempts, not here.
    private var refused: PlaybackReply {
        PlaybackReply.text(.forbidden, "Forbidden.\n", cache: .never)
    }

    // MARK: Playlists

    /// Either playlist of a stream that asks for nothing.
    private func open(
        _ playlist: PublishedPlaylist, of output: StreamOutput, for request: PlaybackRequest
    ) -> PlaybackReply {
        note(request, of: output.address)
        let body = request.path.resource == .masterPlaylist ? playlist.master : playlist.media
        let cache = publicPolicy(playlist, isSession: request.path.session != nil)
        return PlaybackReply.playlist(body, to: request, cache: cache).of(output)
    }

    /// `playlist.m3u8`. With a ticket it is rendered for one viewer and names a media playlist in a session's path; it
    /// charges nothing, for many players fetch it and then do not play.
    private func master(of output: StreamOutput, for request: PlaybackRequest) async throws -> PlaybackReply {
        let address = output.address
        let protection = try await protection(of: output)
        guard protection != .open else {
            return await firstPlaylist(of: output).map { open($0, of: output, for: request) } ?? notReady(output)
        }
        guard let uri = try await mediaPlaylistURI(for: request, address: address, protection) else { return refused }
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        return try await settingCookie(
            PlaybackReply.ownPlaylist(playlist.master(pointingAt: uri)), for: request, address, protection)
    }

    /// `chunklist.m3u8`. On a protected stream it is given in a session's path only; asked for elsewhere, or in the
    /// path of a session that is no more, it redirects to the path of one that is, if the ticket in the query is good.
    private func media(of output: StreamOutput, for request: PlaybackRequest) async throws -> PlaybackReply {
        let address = output.address
        let protection = try await protection(of: output)
        guard protection != .open else {
            return await firstPlaylist(of: output).map { open($0, of: output, for: request) } ?? notReady(output)
        }
        let facts = protectedFacts(request, address)
        guard let session = request.path.session, SessionID.isWellFormed(session) else {
            guard let id = try await admission.offer(facts).grant else { return refused }
            return try await settingCookie(
                redirect(to: id, for: request, protection), for: request, address, protection)
        }
        // Nobody waits here, nor is a use charged, before it is known that he may see what comes; and a request for
        // headers alone shows him nothing.
        if output.current == nil || request.isHead, !admission.permits(viewer(request, address), session: session) {
            guard try await admission.offer(facts).grant != nil else { return refused }
        }
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        if !request.isHead {
            guard let playing = try await admission.admit(facts, session: session).grant else { return refused }
            guard playing == session else { return redirect(to: playing, for: request, protection) }
        }
        return PlaybackReply.playlist(playlist.media, to: request, cache: .sessionPlaylist)
    }

    /// Where the viewer's own media playlist is, relative to the master playlist asked for; nil when he is refused.
    private func mediaPlaylistURI(
        for request: PlaybackRequest, address: StreamAddress, _ protection: Protection
    ) async throws -> String? {
        let facts = protectedFacts(request, address)
        if let session = request.path.session, admission.permits(viewer(request, address), session: session) {
            return relativeURI(session: session, for: request, protection)
        }
        guard let session = try await admission.offer(facts).grant else { return nil }
        return relativeURI(session: session, for: request, protection)
    }

    /// The media playlist of a session, seen from the stream's folder or from a session's.
    private func relativeURI(session: String, for request: PlaybackRequest, _ protection: Protection) -> String {
        let ticket = request.ticket
        let uri =
            switch protection {
            case .sevu: SessionPath.uri(session: session, key: ticket.key, pass: ticket.pass)
            case .hmac: SessionPath.uri(session: session, token: ticket.token)
            case .geoip, .open: SessionPath.uri(session: session)
            }
        return request.path.session == nil ? uri : "../\(uri)"
    }

    private func redirect(to session: String, for request: PlaybackRequest, _ protection: Protection) -> PlaybackReply {
        PlaybackReply.redirect(to: relativeURI(session: session, for: request, protection))
    }

    /// The reply with the session's cookie, for players that keep cookies, when the viewer was let in with a token.
    private func settingCookie(
        _ reply: PlaybackReply, for request: PlaybackRequest, _ address: StreamAddress, _ protection: Protection
    ) async throws -> PlaybackReply {
        guard protection == .hmac, let folder = request.streamFolder,
            let cookie = try await admission.sessionCookie(for: facts(request, address))
        else { return reply }
        var reply = reply
        let end = HTTPDates.format(Int64(cookie.expires.timeIntervalSince1970))
        reply.add("Set-Cookie", "\(cookie.text); Path=\(folder); Expires=\(end); HttpOnly; SameSite=Lax")
        return reply
    }

    private func viewer(_ request: PlaybackRequest, _ address: StreamAddress) -> SessionViewer {
        SessionViewer(app: address.app, video: address.stream, key: request.ticket.key, address: request.client)
    }

    private func facts(_ request: PlaybackRequest, _ address: StreamAddress) -> ViewerFacts {
        request.facts(for: address, trustsStrangers: !configuration.requiresTrustedProxy)
    }

    /// The viewer of a stream that asks for tickets.
    private func protectedFacts(_ request: PlaybackRequest, _ address: StreamAddress) -> ViewerFacts {
        if request.isForwardedByStranger {
            log.log(
                .warning,
                "X-Forwarded-For from a proxy that is not in http.trusted_proxies, so all its viewers are taken for one",
                address: request.client?.description ?? "", lines: 1, ["stream": "\(address)"])
        }
        return facts(request, address)
    }

    /// The playlist, waiting for the first one if there is none yet.
    private func firstPlaylist(of output: StreamOutput) async -> PublishedPlaylist? {
        await output.playlist(within: configuration.holdTime, limit: configuration.maximumHeld)
    }

    private func notReady(_ output: StreamOutput) -> PlaybackReply {
        guard !output.isEnded else { return offline }
        let wait = Int(configuration.segmenter.segmentDuration.seconds.rounded(.up))
        return PlaybackReply.text(
            .serviceUnavailable, "The stream is starting.\n", cache: .missing, retryAfter: wait)
    }

    private func note(_ request: PlaybackRequest, of address: StreamAddress) {
        guard let client = request.client else { return }
        viewers.note(client, of: address, now: .now())
    }

    private func publicPolicy(_ playlist: PublishedPlaylist, isSession: Bool) -> CachePolicy {
        isSession ? .sessionPlaylist : .publicPlaylist(targetDuration: playlist.snapshot.targetDuration)
    }
}
