import Basics
import NIOCore

/// `GET /usher/check`: a cache in front of this server has a copy, and asks whether its viewer may have it (nginx's
/// `auth_request`). Headers name the viewer's request, which is then judged as if it had come here.
enum EdgeQuestion {
    static let path = "/usher/check"

    /// Why nobody is let in on a question's word.
    enum Failure: String, Error {
        case stranger = "it is not in http.trusted_proxies"
        case uri = "X-Original-URI must say once what the viewer asks for"
        case client = "X-Forwarded-For or X-Real-IP must say who the viewer is, and both the same"
    }

    /// What an edge says of the viewer it asks for.
    struct Viewer {
        var target: String
        /// Only what is got is charged for.
        var isHead: Bool
        var forwardedFor: [String]
    }

    static func isAsked(by target: String) -> Bool {
        RequestTarget(target).path == path
    }

    /// The viewer's own request.
    /// - Returns: nil when it is for nothing of ours.
    static func request(
        _ head: RequestHead, over connection: PlaybackConnection, trustedProxies: [IPNetwork]
    ) throws(Failure) -> PlaybackRequest? {
        guard let peer = connection.client, trustedProxies.contains(where: { $0.contains(peer) }) else {
            throw .stranger
        }
        let targets = head.all(.originalURI)
        guard targets.count == 1, let target = targets.first else { throw .uri }
        let viewer = Viewer(
            target: target, isHead: !["GET", nil].contains(head[.originalMethod]),
            forwardedFor: try forwardedFor(in: head))
        return PlaybackRequest(head, for: viewer, over: connection, trustedProxies: trustedProxies)
    }

    /// The fields of `X-Forwarded-For`, or, where that is not given, `X-Real-IP` as its only entry. A proxy that sets one of the
    /// two and passes on what its clients write into the other must not let them choose their address: both must say the same.
    private static func forwardedFor(in head: RequestHead) throws(Failure) -> [String] {
        let fields = head.all(.forwardedFor)
        let entries = fields.joined(separator: ",").split(separator: ",").map(\.trimmed)
        let addresses = head.all(.realAddress)
        guard addresses.count <= 1 else { throw .client }
        guard let address = addresses.first else {
            guard !entries.isEmpty else { throw .client }
            return fields
        }
        guard let client = IPAddress(address) else { throw .client }
        guard let last = entries.last else { return [address] }
        guard IPAddress(last) == client else { throw .client }
        return fields
    }
}

extension PlaybackReply {
    /// The answer to a question of an edge, by the answer that the viewer himself would get.
    ///
    /// - Parameters:
    ///   - own: the viewer's answer.
    ///   - isKept: whether the edge may give this answer again for a second: to the same session and address, on an open stream
    ///     to everybody.
    static func edge(_ own: PlaybackReply, isKept: Bool) -> PlaybackReply {
        var reply: PlaybackReply
        switch own.status {
        case .forbidden, .found:
            reply = PlaybackReply(.forbidden, ByteBuffer(string: "Forbidden.\n"))
            reply.add("Content-Type", "text/plain; charset=utf-8")
            // The viewer belongs into another session's path.
            if let location = own.location { reply.add("X-Usher-Location", location) }
        case .serviceUnavailable:
            reply = PlaybackReply(.serviceUnavailable, own.body)
            reply.add("Content-Type", "text/plain; charset=utf-8")
            if let seconds = own.retryAfter { reply.add("Retry-After", String(seconds)) }
        default:
            reply = PlaybackReply(.noContent, nil)
        }
        let isKept = isKept && reply.status != .serviceUnavailable
        // nginx before 1.23 takes the first of the two.
        reply.add("X-Accel-Expires", isKept ? "1" : "0")
        reply.add("Cache-Control", isKept ? "max-age=1" : CachePolicy.never.headerValue)
        return reply
    }
}
