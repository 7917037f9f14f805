import Admission
import Basics
import HLS
import Live
import Logging
import Usher

/// What lets a player's request in: the session in its path, or what it carries, which is a ticket, a signed token or only the address
/// it comes from. Every question about a request goes through here to the viewers' admission, so that all ask it with the same facts.
struct RequestAdmission: Sendable {
    /// Decides, and knows the sessions.
    let viewers: any ViewerAdmission
    /// `usher.require_trusted_proxy`: whom a strange proxy speaks for has no address.
    let requiresTrustedProxy: Bool
    let log: LogLimiter

    // MARK: Without a step out of this thread

    /// The protection of a publication, as far as it is known without the store.
    func knownProtection(of output: StreamOutput) -> Protection? {
        viewers.knownProtection(app: output.address.app, stream: output.address.stream, account: output.accountID)
    }

    /// Whether the session in the request's path is this viewer's, runs, and may have the stream; whoever asks in it has not left.
    func isInSession(_ request: PlaybackRequest, _ address: StreamAddress) -> Bool {
        guard let session = request.path.session else { return false }
        return viewers.permits(viewer(request, address), session: session)
    }

    /// Whoever asks in his session for a stream that is off the air waits for it, and has not left.
    func keepSession(of request: PlaybackRequest) {
        _ = request.path.addresses.contains { isInSession(request, $0) }
    }

    func viewer(_ request: PlaybackRequest, _ address: StreamAddress) -> SessionViewer {
        SessionViewer(app: address.app, video: address.stream, key: request.ticket.key, address: request.client)
    }

    // MARK: By the store

    func protection(of output: StreamOutput) async throws -> Protection {
        try await protection(of: output.address, account: output.accountID)
    }

    /// - Parameter account: whose publication it is; nil: it is no more.
    func protection(of address: StreamAddress, account: AccountID?) async throws -> Protection {
        try await viewers.protection(app: address.app, stream: address.stream, account: account)
    }

    /// Whether the viewer may have a segment of the stream.
    /// - Parameter account: whose publication it is; nil: it is no more.
    func isAllowed(_ request: PlaybackRequest, _ address: StreamAddress, account: AccountID?) async throws -> Bool {
        // The usual case first: it takes no step out of this thread.
        if isInSession(request, address) { return true }
        return try await protection(of: address, account: account) == .open
    }

    /// The session that a master playlist leads into: the one in the request's path, or a new one, which nothing is charged for
    /// yet.
    /// - Returns: nil when the viewer is refused.
    func session(for request: PlaybackRequest, _ address: StreamAddress) async throws -> String? {
        if isInSession(request, address) { return request.path.session }
        return try await offer(request, address)
    }

    /// A session for what the request carries; nothing is charged for it.
    /// - Returns: nil when the viewer is refused.
    func offer(_ request: PlaybackRequest, _ address: StreamAddress) async throws -> String? {
        try await viewers.offer(protectedFacts(request, address)).grant
    }

    /// Charges what the request carries, unless its session runs already.
    /// - Returns: the session in which the viewer plays; nil when he is refused.
    func admit(_ request: PlaybackRequest, _ address: StreamAddress, session: String) async throws -> String? {
        try await viewers.admit(protectedFacts(request, address), session: session).grant
    }

    // MARK: Facts

    func facts(_ request: PlaybackRequest, _ address: StreamAddress) -> ViewerFacts {
        request.facts(for: address, trustsStrangers: !requiresTrustedProxy)
    }

    /// The viewer of a stream that asks for tickets.
    func protectedFacts(_ request: PlaybackRequest, _ address: StreamAddress) -> ViewerFacts {
        if request.isForwardedByStranger {
            log.log(
                .warning,
                "X-Forwarded-For from a proxy that is not in http.trusted_proxies, so all its viewers are taken for one",
                address: request.client?.description ?? "", lines: 1, ["stream": "\(address)"])
        }
        return facts(request, address)
    }

    // MARK: What a viewer is given

    /// A media playlist of a session, seen from the folder of what is asked for.
    /// - Parameter playlist: its path below the session's folder.
    func relativeURI(
        of playlist: String, session: String, for request: PlaybackRequest, _ protection: Protection
    ) -> String {
        let ticket = request.ticket
        let uri =
            switch protection {
            case .sevu: SessionPath.uri(session: session, playlist: playlist, key: ticket.key, pass: ticket.pass)
            case .hmac: SessionPath.uri(session: session, playlist: playlist, token: ticket.token)
            case .geoip, .open: SessionPath.uri(session: session, playlist: playlist)
            }
        return String(repeating: "../", count: request.path.foldersDown) + uri
    }

    /// The reply with the session's cookie, for players that keep cookies, when the viewer was let in with a token.
    func settingCookie(
        _ reply: PlaybackReply, for request: PlaybackRequest, _ address: StreamAddress, _ protection: Protection
    ) async throws -> PlaybackReply {
        guard protection == .hmac, let folder = request.streamFolder,
            let cookie = try await viewers.sessionCookie(for: facts(request, address))
        else { return reply }
        var reply = reply
        let end = HTTPDates.format(Int64(cookie.expires.timeIntervalSince1970))
        // One that was given inside TLS is never sent outside of it (RFC 6265 §4.1.2.5).
        let secure = request.isSecure ? "; Secure" : ""
        reply.add("Set-Cookie", "\(cookie.text); Path=\(folder); Expires=\(end); HttpOnly; SameSite=Lax\(secure)")
        return reply
    }
}
