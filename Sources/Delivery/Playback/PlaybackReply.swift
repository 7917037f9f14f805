import Basics
import HLS
import Live
import NIOCore
import NIOHPACK
import NIOHTTP1

/// A response that is the same for many: which one, and what stands in it.
private struct SharedResponse: Sendable {
    enum Content: Sendable {
        case playlist(PlaylistBody)
        case file(PlaylistFile)
    }

    let content: Content
    let key: SharedResponses.Key
    let responses: SharedResponses
}

/// An answer of the playback routes.
struct PlaybackReply: Sendable {
    let status: HTTPResponseStatus
    private var ownHead: ByteBuffer
    /// A playlist or the newest part as most players get it: neither its head nor what stands behind that is made for this reply.
    private var shared: SharedResponse?
    /// nil: the status has none, and no `Content-Length` of one either (RFC 9110 §8.6).
    var body: ByteBuffer?
    /// Where a redirect leads.
    private(set) var location: String?
    /// In seconds: when another try may do better.
    private(set) var retryAfter: Int?
    /// A body that is not there yet, and is written as it comes.
    var stream: (any StreamedBody)?
    /// Whose stream the body is of; nil for what is nobody's.
    var accountID: AccountID?
    /// Counts the body as delivered; nil for what is no media, such as refusals.
    var meter: DeliveryMeter?
    /// Whoever made the body's storage counts it for as long as anybody holds it, as with segments.
    var isCounted = false
    /// Long, and watched later than what is short: on a connection of many responses others go first.
    var isBulk = false

    /// A playlist, compressed where asked for, or 304.
    static func playlist(
        _ body: PlaylistBody, to request: PlaybackRequest, cache: CachePolicy, crossOrigin: CrossOrigin
    ) -> PlaybackReply {
        let (bytes, tag, isCompressed) = encoded(body, for: request.head)
        if isUnchanged(tag, for: request.head) { return notModified(tag, cache, varies: true) }
        let key = SharedResponses.Key(isCompressed: isCompressed, cache: cache)
        if request.head.method == .get, crossOrigin.allowsAll {
            return PlaybackReply(
                bytes, SharedResponse(content: .playlist(body), key: key, responses: body.responses))
        }
        var reply = PlaybackReply(.ok, bytes)
        reply.add(body, key)
        return reply
    }

    /// A text that is no playlist, compressed where asked for, or 304.
    static func document(
        _ body: PlaylistBody, _ type: String, to head: RequestHead, cache: CachePolicy
    ) -> PlaybackReply {
        let (bytes, tag, isCompressed) = encoded(body, for: head)
        if isUnchanged(tag, for: head) { return notModified(tag, cache, varies: true) }
        var reply = PlaybackReply(.ok, bytes)
        reply.add("Content-Type", type)
        reply.add("Cache-Control", cache.headerValue)
        reply.add("ETag", tag)
        reply.add("Vary", "Accept-Encoding")
        if isCompressed { reply.add("Content-Encoding", "gzip") }
        return reply
    }

    private static func encoded(
        _ body: PlaylistBody, for head: RequestHead
    ) -> (bytes: ByteBuffer, tag: String, isCompressed: Bool) {
        guard head.has(.acceptEncoding), ContentCoding.prefersGzip(head.all(.acceptEncoding)),
            let gzipped = body.gzipped
        else { return (body.plain, body.entityTag, false) }
        return (gzipped, EntityTag.gzip(body.entityTag), true)
    }

    private mutating func add(_ playlist: PlaylistBody, _ key: SharedResponses.Key) {
        add("Content-Type", playlist.contentType)
        add("Cache-Control", key.cache.headerValue)
        add("ETag", key.isCompressed ? EntityTag.gzip(playlist.entityTag) : playlist.entityTag)
        add("Vary", "Accept-Encoding")
        if key.isCompressed { add("Content-Encoding", "gzip") }
    }

    /// A playlist made for one viewer, which is worth neither keeping nor compressing.
    static func ownPlaylist(_ bytes: ByteBuffer, _ form: PlaylistForm = .fragmentedMP4) -> PlaybackReply {
        var reply = PlaybackReply(.ok, bytes)
        reply.add("Content-Type", form.contentType)
        reply.add("Cache-Control", CachePolicy.never.headerValue)
        return reply
    }

    /// A segment, part or initialization file, whole or a range of it; the bytes are the shared ones.
    /// - Parameter responses: nil: it is not asked for by many at once.
    static func file(
        _ file: PlaylistFile, to request: PlaybackRequest, cache: CachePolicy, responses: SharedResponses? = nil,
        crossOrigin: CrossOrigin
    ) -> PlaybackReply {
        let tag = file.entityTag
        if isUnchanged(tag, for: request.head) { return notModified(tag, cache, varies: false) }
        if let responses, request.head.method == .get, crossOrigin.allowsAll, !request.head.has(.range) {
            let key = SharedResponses.Key(cache: cache)
            return PlaybackReply(file.bytes, SharedResponse(content: .file(file), key: key, responses: responses))
        }
        let bytes = file.bytes
        let length = bytes.readableBytes
        var range = ByteRange.whole
        // If-Range asks for the part only of what it has the rest of; a date never proves that (RFC 9110 §13.1.5).
        if let wanted = request.head[.range], request.head[.ifRange].map({ $0 == tag }) ?? true {
            range = ByteRange.parse(wanted, length: length)
        }
        var reply: PlaybackReply
        switch range {
        case .whole:
            reply = PlaybackReply(.ok, bytes)
        case .part(let range):
            let part = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
            reply = PlaybackReply(.partialContent, part)
            reply.add("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)")
        case .unsatisfiable:
            reply = PlaybackReply(.rangeNotSatisfiable, ByteBuffer())
            reply.add("Content-Range", "bytes */\(length)")
        }
        if case .unsatisfiable = range {
            reply.add("Cache-Control", CachePolicy.never.headerValue)
        } else {
            reply.add("Content-Type", file.contentType)
            reply.add("Cache-Control", cache.headerValue)
            reply.isCounted = file.isCounted
            reply.isBulk = request.path.resource.isSegment
        }
        reply.addRangeFields(of: file)
        return reply
    }

    private mutating func addRangeFields(of file: PlaylistFile) {
        add("ETag", file.entityTag)
        add("Accept-Ranges", "bytes")
    }

    /// A stream's picture, or why there is none.
    /// - Parameter seconds: until there may be another.
    static func thumbnail(
        _ outcome: Thumbnails.Outcome, to head: RequestHead, seconds: Int, isPublic: Bool
    ) -> PlaybackReply {
        switch outcome {
        case .picture(let picture):
            let cache = CachePolicy.picture(seconds: seconds, isPublic: isPublic)
            if isUnchanged(picture.entityTag, for: head) { return notModified(picture.entityTag, cache, varies: false) }
            var reply = PlaybackReply(.ok, picture.bytes)
            reply.add("Content-Type", "image/jpeg")
            reply.add("Cache-Control", cache.headerValue)
            reply.add("ETag", picture.entityTag)
            reply.isCounted = true
            return reply
        case .nothing:
            return text(.notFound, "The stream shows no picture.\n", cache: .missing, retryAfter: seconds)
        case .failed:
            return text(
                .serviceUnavailable, "No picture can be made of the stream now.\n", cache: .missing,
                retryAfter: seconds)
        case .noProgram:
            let sentence =
                "This server makes no pictures: ffmpeg is not installed, or not where thumbnail.ffmpeg says.\n"
            return text(.notImplemented, sentence, cache: .missing)
        case .off:
            return text(.notFound, "This server makes no pictures.\n", cache: .missing)
        }
    }

    /// A short sentence.
    static func text(
        _ status: HTTPResponseStatus, _ sentence: String, cache: CachePolicy, retryAfter: Int? = nil
    ) -> PlaybackReply {
        var reply = PlaybackReply(status, ByteBuffer(string: sentence))
        reply.add("Content-Type", "text/plain; charset=utf-8")
        reply.add("Cache-Control", cache.headerValue)
        if let retryAfter { reply.add("Retry-After", String(retryAfter)) }
        reply.retryAfter = retryAfter
        return reply
    }

    /// To a media playlist of a session, or a stream's page. The address is relative, so that it holds behind any proxy.
    static func redirect(to location: String) -> PlaybackReply {
        var reply = PlaybackReply(.found, ByteBuffer())
        reply.add("Location", location)
        reply.add("Cache-Control", CachePolicy.never.headerValue)
        reply.location = location
        return reply
    }

    /// The answer to a preflight request; its headers are `CrossOrigin`'s.
    static var preflight: PlaybackReply {
        PlaybackReply(.noContent, nil)
    }

    init(_ status: HTTPResponseStatus, _ body: ByteBuffer?) {
        self.status = status
        self.body = body
        ownHead = ByteBuffer()
        ownHead.reserveCapacity(Self.usualLength)
        if status == .ok {
            ownHead.writeStaticString("HTTP/1.1 200 OK\r\n")
        } else {
            ownHead.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        }
    }

    private init(_ body: ByteBuffer, _ response: SharedResponse) {
        status = .ok
        self.body = body
        ownHead = ByteBuffer()
        shared = response
        if case .file(let file) = response.content { isCounted = file.isCounted }
    }

    /// The status line and the fields, each with its line end, as they go out; those of the connection come behind them.
    var head: ByteBuffer {
        guard let shared else { return ownHead }
        var reply = PlaybackReply(.ok, body)
        switch shared.content {
        case .playlist(let playlist): reply.add(playlist, shared.key)
        case .file(let file):
            reply.add("Content-Type", file.contentType)
            reply.add("Cache-Control", shared.key.cache.headerValue)
            reply.addRangeFields(of: file)
        }
        CrossOrigin.all.apply(to: &reply, origin: nil)
        reply.finish(isHead: false)
        return reply.ownHead
    }

    /// The whole response on an HTTP/1.1 connection that goes on, the same bytes for all who get it within a second; nil for what
    /// is made for one request.
    func whole(_ date: HTTPDates.Now) -> ByteBuffer? {
        shared.map { shared in
            shared.responses.response(shared.key, second: date.second) {
                var bytes = head
                bytes.writeStaticString("Date: ")
                bytes.writeString(date.text)
                bytes.writeStaticString("\r\n\r\n")
                if let body { bytes.writeImmutableBuffer(body) }
                return bytes
            }
        }
    }

    /// The head on a connection of HTTP/2; of what is shared it is made once a second for all.
    func fields(_ date: HTTPDates.Now) -> HPACKHeaders {
        guard let shared else { return Self.fields(of: ownHead, status: status, date: date.text) }
        return shared.responses.fields(shared.key, second: date.second) {
            Self.fields(of: head, status: status, date: date.text)
        }
    }

    /// Adds a field. Its value holds no line end.
    mutating func add(_ name: StaticString, _ value: String) {
        assert(shared == nil, "what is shared is not changed")
        ownHead.writeStaticString(name)
        ownHead.writeStaticString(": ")
        ownHead.writeString(value)
        ownHead.writeStaticString("\r\n")
    }

    /// Completes the fields: nothing but those of the connection may follow.
    /// - Parameter crossOrigin: whose scripts may read it.
    mutating func complete(for head: RequestHead, _ crossOrigin: CrossOrigin) {
        guard shared == nil else { return }
        crossOrigin.apply(to: &self, origin: head[.origin])
        finish(isHead: head.method == .head)
    }

    mutating func finish(isHead: Bool) {
        if isHead {
            stream?.cancel()
            stream = nil
        }
        guard let body else { return }
        add("Content-Length", String(body.readableBytes))
        if isHead { self.body = nil }
    }

    /// The same reply, counted as one of the stream's.
    func of(_ output: StreamOutput) -> PlaybackReply {
        var reply = self
        reply.accountID = output.accountID
        if status == .ok || status == .partialContent { reply.meter = output.meter }
        return reply
    }

    /// Takes a head and a short body.
    private static let usualLength = 1_000

    private static func isUnchanged(_ tag: String, for head: RequestHead) -> Bool {
        head.has(.ifNoneMatch)
            && head.all(.ifNoneMatch).contains { EntityTag.isNamed(tag, byIfNoneMatch: $0) }
    }

    private static func notModified(_ tag: String, _ cache: CachePolicy, varies: Bool) -> PlaybackReply {
        var reply = PlaybackReply(.notModified, nil)
        reply.add("Cache-Control", cache.headerValue)
        reply.add("ETag", tag)
        if varies { reply.add("Vary", "Accept-Encoding") }
        return reply
    }
}
