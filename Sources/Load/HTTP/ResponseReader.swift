import NIOCore

/// What a client needs of a response's head.
struct ResponseHead: Sendable, Hashable {
    var status = 0
    /// The connection can carry another request.
    var isKeptAlive = true
    /// Where a redirect leads.
    var location: String?
}

/// Reads HTTP/1.1 responses out of bytes, one after the other (RFC 9112). Bodies are slices of what was read.
struct ResponseReader: Sendable {
    enum Piece: Sendable, Hashable {
        case head(ResponseHead)
        case body(ByteBuffer)
        case end
    }

    enum Problem: Error, Hashable, CustomStringConvertible {
        case noResponse, headTooLong, noLength

        var description: String {
            switch self {
            case .noResponse: "what came is no HTTP response"
            case .headTooLong: "the head of a response is too long"
            case .noLength: "the length of a body is not understood"
            }
        }
    }

    private enum State {
        case head
        case body(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers
        case untilClose
        case end
    }

    private var state = State.head
    private var isKeptAlive = true

    static let maximumHead = 16_384

    /// The next piece; nil when more bytes are needed. What is left in the bytes then is to be given again, with what comes behind it.
    mutating func next(_ bytes: inout ByteBuffer) throws(Problem) -> Piece? {
        while true {
            switch state {
            case .head:
                guard let end = Self.end(of: bytes) else {
                    guard bytes.readableBytes <= Self.maximumHead else { throw .headTooLong }
                    return nil
                }
                guard let head = bytes.readSlice(length: end) else { return nil }
                if let piece = try read(head) { return piece }
            case .body(let left):
                guard left > 0 else {
                    state = .end
                    continue
                }
                guard let slice = bytes.readSlice(length: min(left, bytes.readableBytes)), slice.readableBytes > 0
                else { return nil }
                state = .body(left - slice.readableBytes)
                return .body(slice)
            case .chunkSize:
                guard let line = try Self.line(&bytes) else { return nil }
                guard let size = Self.hexadecimal(line) else { throw .noLength }
                state = size == 0 ? .trailers : .chunk(size)
            case .chunk(let left):
                guard let slice = bytes.readSlice(length: min(left, bytes.readableBytes)), slice.readableBytes > 0
                else { return nil }
                state = left == slice.readableBytes ? .chunkEnd : .chunk(left - slice.readableBytes)
                return .body(slice)
            case .chunkEnd:
                guard let line = try Self.line(&bytes) else { return nil }
                guard line.readableBytes == 0 else { throw .noLength }
                state = .chunkSize
            case .trailers:
                guard let line = try Self.line(&bytes) else { return nil }
                if line.readableBytes == 0 { state = .end }
            case .untilClose:
                guard let slice = bytes.readSlice(length: bytes.readableBytes), slice.readableBytes > 0 else {
                    return nil
                }
                return .body(slice)
            case .end:
                state = .head
                return .end
            }
        }
    }

    /// The connection has ended.
    /// - Returns: whether that was the end of a body.
    mutating func closed() -> Bool {
        guard case .untilClose = state else { return false }
        state = .head
        return true
    }

    /// Bytes up to and with the empty line.
    private static func end(of bytes: ByteBuffer) -> Int? {
        bytes.withUnsafeReadableBytes { bytes in
            var index = 3
            while index < bytes.count {
                // Three of four bytes of a head need one look.
                switch bytes[index] {
                case 0x0A:
                    if bytes[index - 1] == 0x0D, bytes[index - 2] == 0x0A, bytes[index - 3] == 0x0D { return index + 1 }
                    index += 2
                case 0x0D: index += 1
                default: index += 4
                }
            }
            return nil
        }
    }

    private static func line(_ bytes: inout ByteBuffer) throws(Problem) -> ByteBuffer? {
        guard let end = bytes.readableBytesView.firstIndex(of: 0x0A) else {
            guard bytes.readableBytes <= maximumHead else { throw .headTooLong }
            return nil
        }
        let length = end - bytes.readerIndex
        guard let line = bytes.readSlice(length: length) else { return nil }
        bytes.moveReaderIndex(forwardBy: 1)
        guard line.readableBytesView.last == 0x0D else { return line }
        return line.getSlice(at: line.readerIndex, length: length - 1)
    }

    /// A chunk's size; what stands behind a semicolon is passed over.
    private static func hexadecimal(_ line: ByteBuffer) -> Int? {
        let digits = line.readableBytesView.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard (1...12).contains(digits.count) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: 16).flatMap { $0 < 0 ? nil : $0 }
    }

    /// - Returns: nil for an interim response, which is passed over.
    private mutating func read(_ head: ByteBuffer) throws(Problem) -> Piece? {
        struct Found {
            var status = 0
            var length: Int?
            var isChunked = false
            var isClosing = false
            var isVersion10 = false
            var location: String?
        }
        let found = head.withUnsafeReadableBytes { bytes -> Found? in
            guard bytes.count >= 13, bytes.starts(with: "HTTP/1.".utf8), bytes[8] == UInt8(ascii: " ") else {
                return nil
            }
            var found = Found()
            found.isVersion10 = bytes[7] == UInt8(ascii: "0")
            for digit in bytes[9..<12] {
                guard (48...57).contains(digit) else { return nil }
                found.status = found.status * 10 + Int(digit - 48)
            }
            var start = 12
            while start < bytes.count {
                guard let end = bytes[start...].firstIndex(of: 0x0A) else { break }
                let line = UnsafeRawBufferPointer(rebasing: bytes[start..<max(start, end - 1)])
                start = end + 1
                if let value = Self.value("content-length", in: line) {
                    guard let length = Int(value), length >= 0, found.length ?? length == length else { return nil }
                    found.length = length
                } else if let value = Self.value("transfer-encoding", in: line) {
                    found.isChunked = value.lowercased() == "chunked"
                } else if let value = Self.value("connection", in: line) {
                    found.isClosing = value.lowercased() == "close"
                } else if (300..<400).contains(found.status), let value = Self.value("location", in: line) {
                    found.location = value
                }
            }
            return found
        }
        guard let found, (100...599).contains(found.status) else { throw .noResponse }
        guard found.status >= 200 else { return nil }
        isKeptAlive = !found.isClosing && !found.isVersion10
        if found.status == 204 || found.status == 304 {
            state = .body(0)
        } else if found.isChunked {
            state = .chunkSize
        } else if let length = found.length {
            state = .body(length)
        } else {
            state = .untilClose
            isKeptAlive = false
        }
        return .head(ResponseHead(status: found.status, isKeptAlive: isKeptAlive, location: found.location))
    }

    /// A field's value, if the line is of this field. Most lines are told by their first letter and the colon's place.
    private static func value(_ name: StaticString, in line: UnsafeRawBufferPointer) -> String? {
        let count = name.utf8CodeUnitCount
        guard line.count > count, line[count] == UInt8(ascii: ":") else { return nil }
        let isNamed = name.withUTF8Buffer { text in
            text.indices.allSatisfy { line[$0] | 0x20 == text[$0] }
        }
        guard isNamed else { return nil }
        let value = line[(count + 1)...]
        guard let first = value.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }),
            let last = value.lastIndex(where: { $0 != 0x20 && $0 != 0x09 })
        else { return "" }
        return String(decoding: value[first...last], as: UTF8.self)
    }
}
