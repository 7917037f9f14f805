import Admission
import Basics
import HLS
import Live
import Logging
import NIOCore
import Storage
import Usher

/// What players fetch: playlists and segments under `/<app>/<inst>/<stream>/`, for those who are let in, and for everybody the page
/// at that address, which plays the stream.
///
/// Answers: 200, 206, 302 (to a session's own path), 304, 400 (a delivery directive that cannot be obeyed), 403 (refused, without
/// a reason), 404 (nothing there, or the stream is off the air), 416, 503 (no segment yet, or the store does not answer). Never 401, at which browsers would
/// ask for a password.
public final class PlaybackService: Sendable {
    let outputs: OutputTable
    let stage: Stage
    let admission: RequestAdmission
    let configuration: DeliveryConfiguration
    private let viewers: ViewerTable
    private let crossOrigin: CrossOrigin
    private let page: PlayerPage
    private let thumbnails: Thumbnails
    let log: LogLimiter

    /// - Parameter playerLibrary: hls.js, for browsers that cannot play HLS themselves; nil: those are told that they cannot.
    public init(
        outputs: OutputTable, stage: Stage, admission: any ViewerAdmission, configuration: DeliveryConfiguration,
        logger: Logger, playerLibrary: ByteBuffer? = nil
    ) {
        self.outputs = outputs
        self.stage = stage
        self.configuration = configuration
        log = LogLimiter(logger: logger)
        self.admission = RequestAdmission(
            viewers: admission, requiresTrustedProxy: configuration.requiresTrustedProxy, log: log)
        viewers = ViewerTable(
            idleTime: .seconds(Int64(configuration.viewerIdleTime)), maximum: configuration.maximumCountedViewers)
        crossOrigin = CrossOrigin(allowedOrigins: configuration.allowedOrigins)
        thumbnails = Thumbnails(configuration.thumbnails, log: log)
        page = PlayerPage(library: playerLibrary, embedders: configuration.allowedOrigins)
    }

    /// Viewers of an unprotected stream in the last while, an estimate: those behind one address, or one cache, count
    /// as one. Viewers with tickets are counted by `Admissions`.
    public func viewerCount(_ address: StreamAddress) -> Int {
        viewers.count(address, now: .now())
    }

    /// Everything three or more levels deep is for playback, when it is asked for with a method of players, and so are the
    /// page's library and the questions of edges.
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
        return isDeep || EdgeQuestion.isAsked(by: target) || PlayerPage.hasLibrary(at: target)
    }

    /// An answer, or how to get one that has to be waited for.
    enum Answer: Sendable {
        case now(PlaybackReply)
        case later(@Sendable () async -> PlaybackReply)
        /// What is asked for comes next; the request waits for it without a task.
        case held(Held)
    }

    /// A request that waits for what its stream brings next.
    final class Held: Sendable {
        private let service: PlaybackService
        private let request: PlaybackRequest
        private let output: StreamOutput
        private let need: HeldRequests.Need

        fileprivate init(
            _ request: PlaybackRequest, of output: StreamOutput, for need: HeldRequests.Need,
            by service: PlaybackService
        ) {
            self.service = service
            self.request = request
            self.output = output
            self.need = need
        }

        /// - Parameter resume: called once, on `loop`: then `answer` has something to say. Not called any more after `letGo`.
        /// - Returns: what `letGo` wants to know.
        func wait(on loop: any EventLoop, resume: @escaping @Sendable () -> Void) -> UInt64? {
            output.held.add(
                need, on: loop, for: service.holdTime(of: need, output),
                limit: service.configuration.maximumHeld, current: { output.current }, resume: resume)
        }

        func letGo(_ id: UInt64) {
            output.held.letGo(id)
        }

        /// The answer after the wait: what came, or that nothing came.
        func answer() -> Answer {
            service.answer(request, of: output, hasWaited: true)
        }
    }

    /// Answers a request whose target is taken. Nearly all are answered now: those of sessions that run, and those for open
    /// streams.
    func answer(_ head: RequestHead, over connection: inout PlaybackConnection) -> Answer {
        guard !EdgeQuestion.isAsked(by: head.target) else {
            return .later { [self, connection] in await check(head, over: connection) }
        }
        guard head.method != .options else {
            var reply = PlaybackReply.preflight
            crossOrigin.applyPreflight(to: &reply, origin: head[.origin])
            return .now(reply)
        }
        if PlayerPage.hasLibrary(at: head.target) {
            return .now(finished(page.library(for: head) ?? notFound, to: head))
        }
        guard let request = PlaybackRequest(head, over: connection, trustedProxies: configuration.trustedProxies)
        else { return .now(finished(notFound, to: head)) }
        if case .page(let isFolder) = request.path.resource {
            // Nothing is looked up for it: the page itself asks what there is, for its viewer.
            guard !request.path.addresses.isEmpty else { return .now(finished(notFound, to: head)) }
            let reply = isFolder ? page.reply(to: head) : PlaybackReply.redirect(to: request.folderURI)
            return .now(finished(reply, to: head))
        }
        if request.path.resource == .time { return .now(finished(time, to: head)) }
        if request.path.resource == .flv { return .later { [self] in finished(await flv(request), to: head) } }
        connection.lastPath = request.path
        if let problem = request.wish.problem { return .now(finished(misdirected(problem), to: head)) }
        guard let output = output(for: request) else {
            admission.keepSession(of: request)
            return .now(finished(offline, to: head, in: request.path.session))
        }
        return answer(request, of: output, hasWaited: false)
    }

    private func answer(_ request: PlaybackRequest, of output: StreamOutput, hasWaited: Bool) -> Answer {
        let (head, session) = (request.head, request.path.session)
        switch answerAtOnce(request, of: output, hasWaited: hasWaited) {
        case .reply(let reply): return .now(finished(reply, to: head, in: session))
        case .held(let need): return .held(Held(request, of: output, for: need, by: self))
        case .slow:
            return .later { [self] in finished(await answerAfterWaiting(request, of: output), to: head, in: session) }
        }
    }

    /// The reply with the fields that all replies to players have; without its body, if only the head is wanted.
    private func finished(_ reply: PlaybackReply, to head: RequestHead, in session: String? = nil) -> PlaybackReply {
        var reply = reply
        reply.complete(for: head, crossOrigin)
        if let session, let body = reply.body { admission.viewers.sent(body.readableBytes, session: session) }
        return reply
    }

    private func output(for request: PlaybackRequest) -> StreamOutput? {
        let addresses = request.path.addresses
        if let output = addresses.lazy.compactMap({ [outputs] in outputs.output(at: $0) }).first { return output }
        // A program may have renditions and no stream of its own name.
        guard [.masterPlaylist, .mediaPlaylist(.dash), .thumbnail].contains(request.path.resource) else { return nil }
        return addresses.lazy.compactMap { [outputs] in outputs.renditions(of: $0).first }.first
    }

    private func answer(_ request: PlaybackRequest, of output: StreamOutput) async -> PlaybackReply {
        if case .reply(let reply) = answerAtOnce(request, of: output, hasWaited: false) { return reply }
        return await answerAfterWaiting(request, of: output)
    }

    /// What can be said without the store.
    private enum AtOnce {
        case reply(PlaybackReply)
        case held(HeldRequests.Need)
        /// The store has to be asked, or something is to be made first.
        case slow
    }

    private func answerAtOnce(_ request: PlaybackRequest, of output: StreamOutput, hasWaited: Bool) -> AtOnce {
        if admission.isInSession(request, subject(of: request, output)) {
            switch request.path.resource {
            case .file(let name): return file(name, of: output, for: request, hasWaited: hasWaited)
            case .mediaPlaylist(let form):
                return media(form, of: output, for: request, isOpen: false, hasWaited: hasWaited)
            case .masterPlaylist, .thumbnail, .page, .time, .flv: break
            }
        }
        guard admission.knownProtection(of: output) == .open, request.path.resource != .thumbnail else { return .slow }
        return open(output, for: request, hasWaited: hasWaited)
    }

    /// The answer to a request for a stream that asks for nothing.
    private func open(_ output: StreamOutput, for request: PlaybackRequest, hasWaited: Bool) -> AtOnce {
        switch request.path.resource {
        case .file(let name): return file(name, of: output, for: request, hasWaited: hasWaited)
        case .mediaPlaylist(let form):
            note(request, of: output.address)
            return media(form, of: output, for: request, isOpen: true, hasWaited: hasWaited)
        // These have been answered before.
        case .time, .flv: return .reply(offline)
        case .masterPlaylist:
            note(request, of: output.address)
            guard let playlist = output.current else { return wait(.firstPlaylist, output, hasWaited) }
            guard let master = master(of: playlist, output, for: request) else { return .reply(noAudio) }
            let reply = PlaybackReply.playlist(
                master.body, to: request, cache: publicPolicy(playlist, request), crossOrigin: crossOrigin)
            return .reply(reply.of(output))
        case .thumbnail, .page: return .reply(notFound)
        }
    }

    /// - Parameter hasWaited: it waited in vain.
    private func wait(_ need: HeldRequests.Need, _ output: StreamOutput, _ hasWaited: Bool) -> AtOnce {
        hasWaited ? .reply(notReady(output)) : .held(need)
    }

    func holdTime(of need: HeldRequests.Need, _ output: StreamOutput) -> TimeAmount {
        guard let target = output.current?.snapshot.targetDuration else { return configuration.holdTime }
        // RFC 8216bis §6.2.5.2.
        return .seconds(Int64(target) * 3)
    }

    /// What is said, however long it takes to find out.
    private func reply(
        of output: StreamOutput, _ answer: (_ hasWaited: Bool) -> AtOnce
    ) async -> PlaybackReply {
        var hasWaited = false
        while true {
            switch answer(hasWaited) {
            case .reply(let reply): return reply
            case .held(let need):
                await output.wait(
                    for: need, within: holdTime(of: need, output), limit: configuration.maximumHeld)
                hasWaited = true
            case .slow:
                guard let snapshot = output.current?.snapshot, await output.transportStream.make(for: snapshot) else {
                    return PlaybackReply.text(
                        .notFound, "The stream cannot be had as MPEG-TS.\n", cache: .missing)
                }
            }
        }
    }

    /// The answer to any request, for which the store or a first playlist may be waited for.
    private func answerAfterWaiting(_ request: PlaybackRequest, of output: StreamOutput) async -> PlaybackReply {
        do {
            let isOpen = try await admission.protection(of: output) == .open
            if request.path.resource == .thumbnail {
                return try await thumbnail(of: output, for: request, isOpen: isOpen)
            }
            if isOpen { return await reply(of: output) { open(output, for: request, hasWaited: $0) } }
            switch request.path.resource {
            case .masterPlaylist: return try await master(of: output, for: request).of(output)
            case .mediaPlaylist(let form): return try await media(form, of: output, for: request)
            case .time, .flv: return offline
            case .file(let name):
                guard try await admission.isAllowed(request, output.address, account: output.accountID) else {
                    return refused
                }
                return await reply(of: output) { file(name, of: output, for: request, hasWaited: $0) }
            case .thumbnail, .page: return notFound
            }
        } catch {
            return failed(error, request, output.address)
        }
    }

    func failed(_ error: any Error, _ request: PlaybackRequest, _ address: StreamAddress) -> PlaybackReply {
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
        // It is everybody's.
        if case .page = request.path.resource { return PlaybackReply.edge(notFound, isKept: false) }
        // Of what does not end no cache can have a copy.
        guard request.path.resource != .flv else { return PlaybackReply.edge(refused, isKept: false) }
        guard let output = output(for: request) else {
            // Copies of segments outlive their stream; playlists are of nobody.
            guard case .file = request.path.resource, let address = request.path.addresses.first else {
                return PlaybackReply.edge(offline, isKept: false)
            }
            do {
                let isAllowed = try await admission.isAllowed(request, address, account: nil)
                return PlaybackReply.edge(isAllowed ? offline : refused, isKept: false)
            } catch {
                return PlaybackReply.edge(failed(error, request, address), isKept: false)
            }
        }
        if request.path.resource == .thumbnail {
            // No picture is made for a question.
            do {
                let isAllowed = try await mayHaveThumbnail(request, of: output)
                return PlaybackReply.edge(isAllowed ? notFound : refused, isKept: false)
            } catch {
                return PlaybackReply.edge(failed(error, request, output.address), isKept: false)
            }
        }
        let own = await answer(request, of: output)
        let isForbidden = own.status == .forbidden
        let isInSession = request.path.session.map { SessionID.isWellFormed($0) } ?? false
        let isKept: Bool =
            switch request.path.resource {
            // It is for one viewer, and no session runs yet.
            case .masterPlaylist, .thumbnail, .page: false
            case .mediaPlaylist:
                // Without a session a refusal is that of a key, and a request for headers opens none: neither says anything of
                // the next one.
                own.status != .found && own.status != .notFound && !request.isHead
                    && (!isForbidden || isInSession)
            // A session that is not known here may be known again with the next playlist.
            case .file, .time, .flv: !isForbidden
            }
        guard isKept, !isInSession else { return PlaybackReply.edge(own, isKept: isKept) }
        // Outside of sessions an answer is kept for everybody.
        let protection = try? await admission.protection(of: output)
        return PlaybackReply.edge(own, isKept: protection == .open)
    }

    /// A file for a viewer who may have it. The part that comes next is waited for.
    private func file(
        _ name: MediaFileName, of output: StreamOutput, for request: PlaybackRequest, hasWaited: Bool
    ) -> AtOnce {
        guard let file = outputs.file(name, at: output.address) else {
            if output.current?.snapshot.isHint(name) ?? false { return wait(.file(name), output, hasWaited) }
            return .reply(openSegment(name, of: output, for: request) ?? notFound)
        }
        let cache: CachePolicy = request.path.session == nil ? .publicFile : .sessionFile
        let playlist = output.current
        let isNewest = playlist?.snapshot.newestPart == name
        let reply = PlaybackReply.file(
            file, to: request, cache: cache, responses: isNewest ? playlist?.partResponses : nil,
            crossOrigin: crossOrigin)
        return .reply(reply.of(output))
    }

    // MARK: Thumbnails

    /// Who may have a segment may have the picture, and so may who has a good ticket, of which nothing is charged for it.
    private func mayHaveThumbnail(_ request: PlaybackRequest, of output: StreamOutput) async throws -> Bool {
        let address = output.address
        if try await admission.isAllowed(request, address, account: output.accountID) { return true }
        return try await admission.offer(request, address) != nil
    }

    private func thumbnail(
        of output: StreamOutput, for request: PlaybackRequest, isOpen: Bool
    ) async throws -> PlaybackReply {
        guard try await mayHaveThumbnail(request, of: output) else { return refused }
        let reply = PlaybackReply.thumbnail(
            await thumbnails.outcome(for: output), to: request.head, seconds: thumbnails.age,
            isPublic: isOpen && request.path.session == nil)
        return reply.of(output)
    }

    private var notFound: PlaybackReply {
        PlaybackReply.text(.notFound, "Not found.\n", cache: .missing)
    }

    var offline: PlaybackReply {
        PlaybackReply.text(.notFound, "The stream is offline.\n", cache: .missing, retryAfter: 5)
    }

    /// Why is in the log of attempts, not here.
    var refused: PlaybackReply {
        PlaybackReply.text(.forbidden, "Forbidden.\n", cache: .never)
    }

    // MARK: Playlists

    /// A media playlist for a viewer who may have it, once it holds what he asks for.
    private func media(
        _ form: PlaylistForm, of output: StreamOutput, for request: PlaybackRequest, isOpen: Bool,
        hasWaited: Bool
    ) -> AtOnce {
        guard let playlist = output.current else { return wait(.firstPlaylist, output, hasWaited) }
        switch playlist.snapshot.readiness(for: request.wish.directives) {
        case .tooFarAhead: return .reply(misdirected("what _HLS_msn and _HLS_part name is too far ahead"))
        case .waits where hasWaited && outputs.givesLastAnswers: break
        case .waits: return wait(.playlist(request.wish.directives), output, hasWaited)
        case .ready: break
        }
        if let track = form.track, !playlist.snapshot.has(track) { return .reply(noAudio) }
        if form == .transportStream, !output.transportStream.hasAll(of: playlist.snapshot) { return .slow }
        let cache = isOpen ? publicPolicy(playlist, request) : .sessionPlaylist
        let body = media(playlist, of: output, for: request)
        return .reply(PlaybackReply.playlist(body, to: request, cache: cache, crossOrigin: crossOrigin).of(output))
    }

    /// The request names something that it cannot get by waiting.
    private func misdirected(_ problem: String) -> PlaybackReply {
        PlaybackReply.text(.badRequest, "Bad request: \(problem).\n", cache: .never)
    }

    /// `playlist.m3u8`. With a ticket it is rendered for one viewer and names a media playlist in a session's path; it
    /// charges nothing, for many players fetch it and then do not play.
    private func master(of output: StreamOutput, for request: PlaybackRequest) async throws -> PlaybackReply {
        let address = subject(of: request, output)
        let protection = try await admission.protection(of: output)
        guard let session = try await admission.session(for: request, address) else { return refused }
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        guard let master = master(of: playlist, output, for: request) else { return noAudio }
        let bytes = master.pointing { admission.relativeURI(of: $0, session: session, for: request, protection) }
        return try await admission.settingCookie(PlaybackReply.ownPlaylist(bytes), for: request, address, protection)
    }

    /// `chunklist.m3u8`. On a protected stream it is given in a session's path only; asked for elsewhere, or in the
    /// path of a session that is no more, it redirects to the path of one that is, if the ticket in the query is good. The MPD of
    /// DASH is given outside of sessions as well.
    private func media(
        _ form: PlaylistForm, of output: StreamOutput, for request: PlaybackRequest
    ) async throws -> PlaybackReply {
        let address = subject(of: request, output)
        let protection = try await admission.protection(of: output)
        guard let session = request.path.session, SessionID.isWellFormed(session) else {
            guard let id = try await admission.offer(request, address) else { return refused }
            let reply =
                form == .dash && !request.isOfEdge
                ? try await manifest(of: output, for: request, address, offered: id, protection)
                : redirect(to: id, of: output, for: request, protection)
            return try await admission.settingCookie(reply, for: request, address, protection)
        }
        // Nobody waits here, nor is a use charged, before it is known that he may see what comes; and a request for
        // headers alone shows him nothing.
        let waits = output.current?.snapshot.readiness(for: request.wish.directives) != .ready
        if waits || request.isHead, !admission.isInSession(request, address) {
            guard try await admission.offer(request, address) != nil else { return refused }
        }
        // What may be said is known before the use is charged: a playlist that has to be waited for is charged when it is there.
        let reply = await reply(of: output) { media(form, of: output, for: request, isOpen: false, hasWaited: $0) }
        if !request.isHead, reply.status == .ok || reply.status == .notModified {
            guard let playing = try await admission.admit(request, address, session: session) else { return refused }
            guard playing == session else { return redirect(to: playing, of: output, for: request, protection) }
        }
        return reply
    }

    private func redirect(
        to session: String, of output: StreamOutput, for request: PlaybackRequest, _ protection: Protection
    ) -> PlaybackReply {
        PlaybackReply.redirect(to: mediaURI(session: session, of: output, for: request, protection))
    }

    /// The media playlist that is asked for, in a session.
    private func mediaURI(
        session: String, of output: StreamOutput, for request: PlaybackRequest, _ protection: Protection
    ) -> String {
        let name = form(of: request, output).fileName
        let playlist = request.path.rendition.map { "r_\($0)/\(name)" } ?? name
        return admission.relativeURI(of: playlist, session: session, for: request, protection)
    }

    /// `manifest.mpd` outside of sessions. What it names is in a session, which begins with it and which the same viewer joins with
    /// every reload: a redirect would do for players that resolve addresses against where it led, and ffmpeg does not.
    /// - Parameter offered: the session to play in.
    private func manifest(
        of output: StreamOutput, for request: PlaybackRequest, _ address: StreamAddress, offered: String,
        _ protection: Protection
    ) async throws -> PlaybackReply {
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        var session = offered
        if !request.isHead {
            guard let playing = try await admission.admit(request, address, session: offered) else {
                return refused
            }
            session = playing
        }
        let location = mediaURI(session: session, of: output, for: request, protection)
        let path = location.prefix { $0 != "?" }
        let folder = String(path[...(path.lastIndex(of: "/") ?? path.startIndex)])
        let bytes = MediaPresentation.pointing(
            media(playlist, of: output, for: request).plain, to: folder, readAgainAt: location)
        if !request.isHead { admission.viewers.sent(bytes.readableBytes, session: session) }
        return PlaybackReply.ownPlaylist(bytes, .dash).of(output)
    }

    /// The playlist, waiting for the first one if there is none yet.
    private func firstPlaylist(of output: StreamOutput) async -> PublishedPlaylist? {
        await output.wait(for: .firstPlaylist, within: configuration.holdTime, limit: configuration.maximumHeld)
        return output.current
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

    private func publicPolicy(_ playlist: PublishedPlaylist, _ request: PlaybackRequest) -> CachePolicy {
        guard request.path.session == nil else { return .sessionPlaylist }
        let target = playlist.snapshot.targetDuration
        return request.wish.directives.sequence == nil
            ? .publicPlaylist(targetDuration: target) : .publicNumberedPlaylist(targetDuration: target)
    }
}
