import Basics
import NIOHTTP1

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

    static func isAsked(by head: HTTPRequestHead) -> Bool {
        RequestTarget(head.uri).path == path
    }

    /// The viewer's own request.
    /// - Returns: nil when it is for nothing of ours.
    static func request(
        _ head: HTTPRequestHead, over connection: PlaybackConnection, trustedProxies: [IPNetwork]
    ) throws(Failure) -> PlaybackRequest? {
        guard let peer = connection.client, trustedProxies.contains(where: { $0.contains(peer) }) else {
            throw .stranger
        }
        let targets = head.headers["x-original-uri"]
        guard targets.count == 1, let target = targets.first else { throw .uri }
        var viewers = head
        viewers.uri = target
        // Only what is got is charged for.
        viewers.method = ["GET", nil].contains(head.headers.first(name: "x-original-method")) ? .GET : .HEAD
        try nameClient(in: &viewers.headers)
        return PlaybackRequest(viewers, over: connection, trustedProxies: trustedProxies)
    }

    /// Makes `X-Real-IP` the only entry of `X-Forwarded-For` where that is not given. A proxy that sets one of the two and passes
    /// on what its clients write into the other must not let them choose their address: both must say the same.
    private static func nameClient(in headers: inout HTTPHeaders) throws(Failure) {
        let entries = headers["x-forwarded-for"].joined(separator: ",").split(separator: ",").map(\.trimmed)
        let addresses = headers["x-real-ip"]
        guard addresses.count <= 1 else { throw .client }
        guard let address = addresses.first else {
            guard !entries.isEmpty else { throw .client }
            return
        }
        guard let client = IPAddress(address) else { throw .client }
        if let last = entries.last {
            guard IPAddress(last) == client else { throw .client }
        } else {
            headers.replaceOrAdd(name: "x-forwarded-for", value: address)
        }
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
            reply = .text(.forbidden, "Forbidden.\n", cache: .never)
            // The viewer belongs into another session's path.
            if let location = own.headers.first(name: "location") {
                reply.headers.add(name: "X-Usher-Location", value: location)
            }
        case .serviceUnavailable:
            reply = own
        default:
            reply = PlaybackReply(.noContent, [], nil)
        }
        let isKept = isKept && reply.status != .serviceUnavailable
        // nginx before 1.23 takes the first of the two.
        reply.headers.remove(name: "cache-control")
        reply.headers.add(name: "X-Accel-Expires", value: isKept ? "1" : "0")
        reply.headers.add(name: "Cache-Control", value: isKept ? "max-age=1" : CachePolicy.never.headerValue)
        return reply
    }
}
