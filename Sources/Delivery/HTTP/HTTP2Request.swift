import HTTPTypes
import NIOCore
import NIOHPACK
import NIOHTTP1

/// A request of HTTP/2 (RFC 9113 §8.3.1) in the terms of those who answer it.
struct HTTP2Request {
    enum Kind {
        case player(RequestHead)
        /// For Hummingbird.
        case other(HTTPRequest)
    }

    let kind: Kind
    /// `content-length`, when there is one; a number past Int's range is larger than any limit.
    let announced: Int?
    /// `expect: 100-continue`.
    let expectsContinue: Bool
    /// What its header takes, as RFC 9113 §6.5.2 counts it.
    let size: Int
    /// What the client says of its importance, from 0 to 7, where 0 is the most (RFC 9218 §4.1).
    let urgency: Int

    static let usualUrgency = 3

    /// - Parameter hasPlayback: those of players are told apart.
    /// - Returns: nil when it is none that is served here, whatever its path.
    init?(_ headers: HPACKHeaders, hasPlayback: Bool, isSecure: Bool) {
        guard let method = headers.first(name: ":method"), let path = headers.first(name: ":path") else { return nil }
        let authority = headers.first(name: ":authority")
        announced = headers.first(name: "content-length").map { Int($0) ?? .max }
        size = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
        urgency = headers.first(name: "priority").flatMap(Self.urgency) ?? Self.usualUrgency
        expectsContinue = headers.first(name: "expect")?.lowercased() == "100-continue"
        if hasPlayback, RequestHead.Method(rawValue: method) != nil, PlaybackService.takes(path) {
            var fields = HTTPHeaders()
            if let authority { fields.add(name: "host", value: authority) }
            for (name, value, _) in headers where !name.hasPrefix(":") && (name != "host" || authority == nil) {
                fields.add(name: name, value: value)
            }
            let head = HTTPRequestHead(
                version: .http1_1, method: HTTPMethod(rawValue: method), uri: path, headers: fields)
            guard let head = RequestHead(head) else { return nil }
            kind = .player(head)
            return
        }
        guard let method = HTTPRequest.Method(rawValue: method) else { return nil }
        var fields = HTTPFields()
        for (name, value, _) in headers where !name.hasPrefix(":") {
            guard let name = HTTPField.Name(name) else { return nil }
            fields.append(HTTPField(name: name, value: value))
        }
        kind = .other(
            HTTPRequest(
                method: method, scheme: isSecure ? "https" : "http", authority: authority,
                path: path, headerFields: fields))
    }
}

extension HTTP2Request {
    /// The urgency in a `priority` field, which is a dictionary of RFC 8941: `u=1, i`.
    private static func urgency(_ field: String) -> Int? {
        for member in field.split(separator: ",") {
            let parts = member.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmed == "u", let value = Int(parts[1].trimmed), 0...7 ~= value else {
                continue
            }
            return value
        }
        return nil
    }
}

extension PlaybackReply {
    /// Fields whose values are few, so that a connection's table of them stays small, however large the peer lets it become.
    private static let lasting: Set<String> = [
        "content-type", "cache-control", "vary", "accept-ranges", "content-encoding", "access-control-allow-origin",
        "access-control-expose-headers",
    ]

    /// Takes the head apart into the fields of HTTP/2.
    /// - Parameter head: a status line and fields.
    static func fields(of head: ByteBuffer, status: HTTPResponseStatus, date: String) -> HPACKHeaders {
        var fields = HPACKHeaders([(":status", "\(status.code)")])
        fields.reserveCapacity(16)
        for line in head.readableBytesView.split(separator: UInt8(ascii: "\n")).dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = String(decoding: line[line.index(colon, offsetBy: 2)...].dropLast(), as: UTF8.self)
            fields.add(name: name, value: value, indexing: lasting.contains(name) ? .indexable : .nonIndexable)
        }
        fields.add(name: "date", value: date, indexing: .nonIndexable)
        return fields
    }
}

extension HPACKHeaders {
    /// The head of one of Hummingbird's responses, without what only a connection of HTTP/1 knows (RFC 9113 §8.2.2).
    init(_ response: HTTPResponse) {
        self.init([(":status", "\(response.status.code)")])
        let ofConnection: Set<String> = [
            "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        ]
        for field in response.headerFields where !ofConnection.contains(field.name.canonicalName) {
            add(name: field.name.canonicalName, value: field.value, indexing: .nonIndexable)
        }
    }
}
