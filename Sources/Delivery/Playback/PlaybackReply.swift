import Basics
import HLS
import Live
import NIOCore
import NIOHTTP1

/// An answer of the playback routes.
struct PlaybackReply: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    /// nil: the status has none, and no `Content-Length` of one either (RFC 9110 §8.6).
    var body: ByteBuffer?
    /// Whose stream the body is of; nil for what is nobody's.
    var accountID: AccountID?
    /// Counts the body as delivered; nil for what is no media, such as refusals.
    var meter: DeliveryMeter?
    /// Whoever made the body's storage counts it for as long as anybody holds it, as with segments.
    var isCounted = false

    /// A playlist, compressed where asked for, or 304.
    static func playlist(_ body: PlaylistBody, to request: PlaybackRequest, cache: CachePolicy) -> PlaybackReply {
        var bytes = body.plain
        var tag = body.entityTag
        var isCompressed = false
        if ContentCoding.prefersGzip(request.headers["accept-encoding"]), let gzipped = body.gzipped {
            bytes = gzipped
            tag = EntityTag.gzip(tag)
            isCompressed = true
        }
        if isUnchanged(tag, for: request) { return notModified(tag, cache, varies: true) }
        var reply = PlaybackReply(
            .ok,
            [
                ("Content-Type", "application/vnd.apple.mpegurl"), ("Cache-Control", cache.headerValue), ("ETag", tag),
                ("Vary", "Accept-Encoding"),
            ], bytes)
        if isCompressed { reply.headers.add(name: "Content-Encoding", value: "gzip") }
        return reply
    }

    /// A playlist made for one viewer, which is worth neither keeping nor compressing.
    static func ownPlaylist(_ bytes: ByteBuffer) -> PlaybackReply {
        PlaybackReply(
            .ok,
            [("Content-Type", "application/vnd.apple.mpegurl"), ("Cache-Control", CachePolicy.never.headerValue)], bytes
        )
    }

    /// A segment or initialization file, whole or in part; the bytes are the shared ones.
    static func file(_ file: PlaylistFile, to request: PlaybackRequest, cache: CachePolicy) -> PlaybackReply {
        let tag = file.entityTag
        if isUnchanged(tag, for: request) { return notModified(tag, cache, varies: false) }
        let bytes = file.bytes
        let length = bytes.readableBytes
        var whole = PlaybackReply(
            .ok,
            [
                ("Content-Type", file.contentType), ("Cache-Control", cache.headerValue), ("ETag", tag),
                ("Accept-Ranges", "bytes"),
            ], bytes)
        if case .segment = file { whole.isCounted = true }
        guard let range = request.headers.first(name: "range") else { return whole }
        // If-Range asks for the part only of what it has the rest of; a date never proves that (RFC 9110 §13.1.5).
        guard request.headers.first(name: "if-range").map({ $0 == tag }) ?? true else { return whole }
        switch ByteRange.parse(range, length: length) {
        case .whole:
            return whole
        case .part(let range):
            guard let part = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) else {
                return whole
            }
            var reply = whole
            reply.status = .partialContent
            reply.body = part
            reply.headers.add(
                name: "Content-Range", value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)")
            return reply
        case .unsatisfiable:
            return PlaybackReply(
                .rangeNotSatisfiable,
                [
                    ("Cache-Control", CachePolicy.never.headerValue), ("ETag", tag), ("Accept-Ranges", "bytes"),
                    ("Content-Range", "bytes */\(length)"),
                ], ByteBuffer())
        }
    }

    /// A short sentence.
    static func text(
        _ status: HTTPResponseStatus, _ sentence: String, cache: CachePolicy, retryAfter: Int? = nil
    ) -> PlaybackReply {
        var reply = PlaybackReply(
            status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", cache.headerValue)],
            ByteBuffer(string: sentence))
        if let retryAfter { reply.headers.add(name: "Retry-After", value: String(retryAfter)) }
        return reply
    }

    /// To a media playlist of a session. The address is relative, so that it holds behind any proxy.
    static func redirect(to location: String) -> PlaybackReply {
        PlaybackReply(
            .found, [("Location", location), ("Cache-Control", CachePolicy.never.headerValue)], ByteBuffer())
    }

    /// The answer to a preflight request; its headers are `CrossOrigin`'s.
    static var preflight: PlaybackReply {
        PlaybackReply(.noContent, [], nil)
    }

    init(_ status: HTTPResponseStatus, _ fields: [(String, String)], _ body: ByteBuffer?) {
        self.status = status
        headers = HTTPHeaders(fields)
        self.body = body
    }

    private static func isUnchanged(_ tag: String, for request: PlaybackRequest) -> Bool {
        request.headers["if-none-match"].contains { EntityTag.isNamed(tag, byIfNoneMatch: $0) }
    }

    private static func notModified(_ tag: String, _ cache: CachePolicy, varies: Bool) -> PlaybackReply {
        var reply = PlaybackReply(.notModified, [("Cache-Control", cache.headerValue), ("ETag", tag)], nil)
        if varies { reply.headers.add(name: "Vary", value: "Accept-Encoding") }
        return reply
    }
}
