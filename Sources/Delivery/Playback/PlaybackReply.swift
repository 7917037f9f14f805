import HLS
import HTTPTypes
import Hummingbird
import NIOCore

/// Builds the answers of the playback routes.
enum PlaybackReply {
    /// A playlist, compressed where asked for, or 304.
    static func playlist(_ body: PlaylistBody, to request: PlaybackRequest, cache: CachePolicy) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/vnd.apple.mpegurl"
        headers[.cacheControl] = cache.headerValue
        headers[.vary] = "Accept-Encoding"
        var bytes = body.plain
        var tag = body.entityTag
        if ContentCoding.prefersGzip(request.headers[values: .acceptEncoding]), let gzipped = body.gzipped {
            bytes = gzipped
            tag = EntityTag.gzip(tag)
            headers[.contentEncoding] = "gzip"
        }
        headers[.eTag] = tag
        if isUnchanged(tag, for: request) { return notModified(headers) }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
    }

    /// A segment or initialization file, whole or in part; the bytes are the shared ones.
    static func file(_ file: PlaylistFile, to request: PlaybackRequest, cache: CachePolicy) -> Response {
        let tag = file.entityTag
        var headers = HTTPFields()
        headers[.contentType] = file.contentType
        headers[.cacheControl] = cache.headerValue
        headers[.eTag] = tag
        headers[.acceptRanges] = "bytes"
        if isUnchanged(tag, for: request) { return notModified(headers) }
        let bytes = file.bytes
        let length = bytes.readableBytes
        // If-Range asks for the part only of what it has the rest of; a date never proves that (RFC 9110 §13.1.5).
        let isSame = request.headers[.ifRange].map { $0 == tag } ?? true
        switch isSame ? ByteRange.parse(request.headers[.range], length: length) : .whole {
        case .whole:
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
        case .part(let range):
            guard let part = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) else {
                return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
            }
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
            return Response(status: .partialContent, headers: headers, body: ResponseBody(byteBuffer: part))
        case .unsatisfiable:
            headers[.contentRange] = "bytes */\(length)"
            headers[.cacheControl] = CachePolicy.never.headerValue
            headers[.contentType] = nil
            return Response(status: .rangeNotSatisfiable, headers: headers)
        }
    }

    /// A short sentence.
    static func text(
        _ status: HTTPResponse.Status, _ sentence: String, cache: CachePolicy, retryAfter: Int? = nil
    ) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/plain; charset=utf-8"
        headers[.cacheControl] = cache.headerValue
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: sentence)))
    }

    /// To a media playlist of a session. The address is relative, so that it holds behind any proxy.
    static func redirect(to location: String) -> Response {
        var headers = HTTPFields()
        headers[.location] = location
        headers[.cacheControl] = CachePolicy.never.headerValue
        return Response(status: .found, headers: headers)
    }

    private static func isUnchanged(_ tag: String, for request: PlaybackRequest) -> Bool {
        let fields = request.headers[values: .ifNoneMatch]
        return fields.contains { EntityTag.isNamed(tag, byIfNoneMatch: $0) }
    }

    /// No body, and no `Content-Length` of one either (RFC 9110 §8.6).
    private static func notModified(_ headers: HTTPFields) -> Response {
        var response = Response(status: .notModified, headers: headers)
        response.headers[.contentType] = nil
        response.headers[.contentEncoding] = nil
        response.headers[.contentLength] = nil
        return response
    }
}
