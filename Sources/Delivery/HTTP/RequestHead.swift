import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// The head of an HTTP/1 request as it came (RFC 9112 §2 to §5). It is read where it stands: but for the target nothing of it is
/// copied before it is asked for.
///
/// Only what follows the grammar to the letter is a head here. Whatever else clients send is left to the decoder of the library,
/// which is lenient where that is harmless, and refuses the rest.
package struct RequestHead: Sendable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case options = "OPTIONS"
    }

    /// The fields that anything is made of.
    package enum Field: Int, Sendable, CaseIterable {
        case host, connection, contentLength, transferEncoding, expect, upgrade
        case acceptEncoding, ifNoneMatch, ifRange, range, cookie, origin, referer
        case forwardedFor, realAddress, originalURI, originalMethod
    }

    package enum Reading: Sendable {
        /// More of it has to come.
        case incomplete
        case head(RequestHead)
        /// It is no head, or has a method or a form of target (RFC 9112 §3.2) that players do not use.
        case other
    }

    /// Where a value stands in the head.
    fileprivate struct Place: Sendable {
        var start: UInt16 = 0
        var count: UInt16 = 0
    }

    package let method: Method
    /// HTTP/1.1; otherwise it is HTTP/1.0.
    package let isVersion11: Bool
    /// As it came, never empty.
    package let target: String
    private let bytes: ByteBuffer
    /// Of each name the first field, by `Field.rawValue`: as many as `Field` has cases.
    private var places = InlineArray<17, Place>(repeating: Place())
    /// The names that stand in the head, and those that stand in it more than once: a bit for each `Field`.
    private var present: UInt32 = 0
    private var repeated: UInt32 = 0

    /// The decoder's own limits, so that nothing is read here that it would refuse.
    package static let maximumLength = 32 << 10
    private static let maximumFieldLength = 16 << 10
    private static let maximumFields = 128

    /// Reads the head at the buffer's start once it is there in whole.
    ///
    /// - Parameter searched: how much of the buffer has been looked through for the head's end before. A head that comes byte by
    ///   byte is not searched from its start each time.
    package static func read(_ buffer: ByteBuffer, searched: inout Int) -> Reading {
        guard let length = end(in: buffer, from: searched) else {
            searched = buffer.readableBytes
            return searched > maximumLength ? .other : .incomplete
        }
        searched = 0
        guard length <= maximumLength, let bytes = buffer.getSlice(at: buffer.readerIndex, length: length),
            let head = RequestHead(bytes), head.target.utf8.first == UInt8(ascii: "/")
        else { return .other }
        return .head(head)
    }

    /// The length of the head with the empty line at its end; nil when that has not come.
    private static func end(in buffer: ByteBuffer, from searched: Int) -> Int? {
        buffer.withUnsafeReadableBytes { bytes in
            var index = max(searched, 3)
            while index < bytes.count {
                guard bytes[index] == UInt8(ascii: "\n") else {
                    index += 1
                    continue
                }
                if bytes[index - 1] == UInt8(ascii: "\r"), bytes[index - 2] == UInt8(ascii: "\n"),
                    bytes[index - 3] == UInt8(ascii: "\r")
                {
                    return index + 1
                }
                index += 1
            }
            return nil
        }
    }

    /// A head that the decoder has read.
    /// - Returns: nil when it cannot be written so that it reads the same.
    init?(_ head: HTTPRequestHead) {
        var bytes = ByteBuffer()
        bytes.writeString("\(head.method.rawValue) \(head.uri) HTTP/1.\(head.version.minor)\r\n")
        for (name, value) in head.headers { bytes.writeString("\(name): \(value)\r\n") }
        bytes.writeString("\r\n")
        guard head.version.major == 1, bytes.readableBytes <= Int(UInt16.max) else { return nil }
        self.init(bytes)
    }

    /// How many bytes it takes, the empty line at its end included.
    package var length: Int { bytes.readableBytes }

    // MARK: Fields

    package func has(_ field: Field) -> Bool {
        present & field.bit != 0
    }

    /// The value of the first field of that name, without white space around it.
    package subscript(field: Field) -> String? {
        guard has(field) else { return nil }
        return text(places[field.rawValue])
    }

    /// The values of all fields of that name, in their order.
    package func all(_ field: Field) -> [String] {
        guard repeated & field.bit != 0 else { return self[field].map { [$0] } ?? [] }
        var values: [String] = []
        bytes.withUnsafeReadableBytes { bytes in
            var reader = Reader(bytes)
            reader.skipLine()
            while let line = reader.field() {
                if Field(line.name, in: bytes) == field { values.append(text(line.value)) }
            }
        }
        return values
    }

    private func text(_ place: Place) -> String {
        bytes.getString(at: bytes.readerIndex + Int(place.start), length: Int(place.count)) ?? ""
    }

    /// How many fields name the host: none, one, or more.
    var hostCount: Int {
        has(.host) ? (repeated & Field.host.bit == 0 ? 1 : 2) : 0
    }

    /// Something follows the head, or is waited for, before the request is complete; or it asks for another protocol.
    var isMoreThanHead: Bool {
        has(.contentLength) || has(.transferEncoding) || has(.expect) || has(.upgrade)
    }

    /// The client wants to go on after the response (RFC 9112 §9.3).
    var keepsAlive: Bool {
        guard has(.connection) else { return isVersion11 }
        let wanted = isVersion11 ? "close" : "keep-alive"
        let isNamed = all(.connection).contains { value in
            value.split(separator: ",").contains { $0.trimmed.lowercased() == wanted }
        }
        return isNamed != isVersion11
    }

    // MARK: Reading

    /// - Parameter bytes: a whole head, its empty line included.
    private init?(_ bytes: ByteBuffer) {
        let line = bytes.withUnsafeReadableBytes { bytes -> (Method, Place, Bool)? in
            var reader = Reader(bytes)
            return reader.requestLine()
        }
        guard let line,
            let target = bytes.getString(at: bytes.readerIndex + Int(line.1.start), length: Int(line.1.count))
        else { return nil }
        method = line.0
        self.target = target
        isVersion11 = line.2
        self.bytes = bytes
        guard bytes.withUnsafeReadableBytes({ readFields(of: $0) }) else { return nil }
    }

    private mutating func readFields(of bytes: UnsafeRawBufferPointer) -> Bool {
        var reader = Reader(bytes)
        reader.skipLine()
        var count = 0
        while let line = reader.field() {
            count += 1
            guard count <= Self.maximumFields, Int(line.name.count) + Int(line.value.count) <= Self.maximumFieldLength
            else { return false }
            guard let field = Field(line.name, in: bytes) else { continue }
            if present & field.bit != 0 {
                repeated |= field.bit
            } else {
                present |= field.bit
                places[field.rawValue] = line.value
            }
        }
        return reader.isAtEnd
    }

    /// Goes through a head's lines. Nothing is read past the bytes, whatever they are.
    private struct Reader {
        private let bytes: UnsafeRawBufferPointer
        private var index = 0

        init(_ bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        /// The byte that comes next; 0, which stands nowhere in a head, at the end.
        private var next: UInt8 {
            index < bytes.count ? bytes[index] : 0
        }

        private mutating func take(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard bytes.count - index >= count else { return false }
            let isThere = text.withUTF8Buffer {
                UnsafeRawBufferPointer(rebasing: bytes[index..<index + count]).elementsEqual($0)
            }
            if isThere { index += count }
            return isThere
        }

        /// Only the empty line is left.
        var isAtEnd: Bool {
            bytes.count - index == 2 && bytes[index] == UInt8(ascii: "\r") && bytes[index + 1] == UInt8(ascii: "\n")
        }

        /// RFC 9112 §3.
        mutating func requestLine() -> (Method, Place, Bool)? {
            let method: Method
            if take("GET ") {
                method = .get
            } else if take("HEAD ") {
                method = .head
            } else if take("OPTIONS ") {
                method = .options
            } else {
                return nil
            }
            let start = index
            while next > 0x20, next < 0x7F { index += 1 }
            guard index > start, let target = place(start, index), take(" HTTP/1.") else { return nil }
            let minor = next
            guard minor == UInt8(ascii: "0") || minor == UInt8(ascii: "1") else { return nil }
            index += 1
            guard take("\r\n") else { return nil }
            return (method, target, minor == UInt8(ascii: "1"))
        }

        mutating func skipLine() {
            while index < bytes.count {
                index += 1
                if bytes[index - 1] == UInt8(ascii: "\n") { return }
            }
        }

        /// The next field; nil at the empty line and at what is no field (RFC 9112 §5).
        mutating func field() -> (name: Place, value: Place)? {
            let line = index
            while Self.isTokenCharacter(next) { index += 1 }
            guard index > line, let name = place(line, index), next == UInt8(ascii: ":") else {
                index = line
                return nil
            }
            index += 1
            while next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { index += 1 }
            let start = index
            while next >= 0x20 && next != 0x7F || next == UInt8(ascii: "\t") { index += 1 }
            var end = index
            while end > start, bytes[end - 1] == UInt8(ascii: " ") || bytes[end - 1] == UInt8(ascii: "\t") { end -= 1 }
            guard let value = place(start, end), take("\r\n") else {
                index = line
                return nil
            }
            return (name, value)
        }

        private func place(_ start: Int, _ end: Int) -> Place? {
            guard let count = UInt16(exactly: end - start), let start = UInt16(exactly: start) else { return nil }
            return Place(start: start, count: count)
        }

        /// RFC 9110 §5.6.2.
        private static func isTokenCharacter(_ byte: UInt8) -> Bool {
            guard byte < 128 else { return false }
            return byte < 64 ? lowTokens >> UInt64(byte) & 1 == 1 : highTokens >> UInt64(byte - 64) & 1 == 1
        }

        /// Which characters stand in tokens, a bit for each: `!#$%&'*+-.` and digits of those below 64, letters and ``^_`|~`` of
        /// those from 64 on.
        private static var lowTokens: UInt64 { 0x03ff_6cfa_0000_0000 }
        private static var highTokens: UInt64 { 0x57ff_ffff_c7ff_fffe }
    }
}

extension RequestHead.Field {
    fileprivate var bit: UInt32 { 1 << UInt32(rawValue) }

    /// - Parameter place: where the name stands; letters of both cases are the same.
    fileprivate init?(_ place: RequestHead.Place, in bytes: UnsafeRawBufferPointer) {
        let name = UnsafeRawBufferPointer(
            rebasing: bytes[Int(place.start)..<Int(place.start) + Int(place.count)])
        func isNamed(_ text: StaticString) -> Bool {
            text.withUTF8Buffer { text in
                text.count == name.count && text.indices.allSatisfy { name[$0] | 0x20 == text[$0] }
            }
        }
        // No more than three names are as long as another. The hyphen has the bit already that makes letters small.
        switch name.count {
        case 4 where isNamed("host"): self = .host
        case 5 where isNamed("range"): self = .range
        case 6 where isNamed("cookie"): self = .cookie
        case 6 where isNamed("origin"): self = .origin
        case 6 where isNamed("expect"): self = .expect
        case 7 where isNamed("referer"): self = .referer
        case 7 where isNamed("upgrade"): self = .upgrade
        case 8 where isNamed("if-range"): self = .ifRange
        case 9 where isNamed("x-real-ip"): self = .realAddress
        case 10 where isNamed("connection"): self = .connection
        case 13 where isNamed("if-none-match"): self = .ifNoneMatch
        case 14 where isNamed("content-length"): self = .contentLength
        case 14 where isNamed("x-original-uri"): self = .originalURI
        case 15 where isNamed("accept-encoding"): self = .acceptEncoding
        case 15 where isNamed("x-forwarded-for"): self = .forwardedFor
        case 17 where isNamed("transfer-encoding"): self = .transferEncoding
        case 17 where isNamed("x-original-method"): self = .originalMethod
        default: return nil
        }
    }
}

extension HTTPRequest {
    /// The request in the terms of Hummingbird. A target that is a path and a query is taken as it is, which spares the usual
    /// request a parse of its URL.
    init(of head: HTTPRequestHead, isSecure: Bool) throws {
        guard head.uri.utf8.first == UInt8(ascii: "/") else {
            try self.init(head, secure: isSecure, splitCookie: false)
            return
        }
        self.init(
            method: try Method(head.method), scheme: isSecure ? "https" : "http",
            authority: head.headers.first(name: "host"),
            path: head.uri, headerFields: HTTPFields(head.headers, splitCookie: false))
    }
}
