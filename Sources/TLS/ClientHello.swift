import NIOCore

/// A TLS client's first message (RFC 8446 §4.1.2), as far as the choice of a certificate needs it. Whether it is a good one is
/// for the TLS library to say.
package struct ClientHello: Sendable, Equatable {
    package enum Reading: Sendable, Equatable {
        /// Nothing is known before so many bytes are there.
        case incomplete(needed: Int)
        case hello(ClientHello)
        /// The client does not begin with a handshake.
        case foreign(Foreign)
    }

    /// What a client speaks that does not speak TLS.
    package enum Foreign: Sendable, Equatable {
        case http
        case rtmp
        case unknown
    }

    /// The host that the client wants to reach (RFC 6066 §3), in small letters and without a dot at its end; nil when it does not
    /// say.
    package let serverName: String?

    /// The longest message that BoringSSL takes.
    private static let maximumLength = 16 << 10
    /// Whoever cuts a message into more records has nothing good in mind.
    private static let maximumRecords = 16
    private static let headerLength = 5

    /// Reads the message at the buffer's start once it is there in whole.
    package static func read(_ buffer: ByteBuffer) -> Reading {
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else {
            return .incomplete(needed: 1)
        }
        guard first == 22 else { return .foreign(Foreign(first)) }
        var message = ByteBuffer()
        var records = buffer
        for _ in 0..<maximumRecords {
            let read = buffer.readableBytes - records.readableBytes
            guard let header = records.readInteger(as: UInt32.self), let low = records.readInteger(as: UInt8.self)
            else { return .incomplete(needed: read + headerLength) }
            // Content type, version 3.x, length.
            let length = Int(header & 0xFF) << 8 | Int(low)
            guard header >> 16 == 0x1603, (1...maximumLength).contains(length) else { return .foreign(.unknown) }
            guard var part = records.readSlice(length: length) else {
                return .incomplete(needed: read + headerLength + length)
            }
            message.writeBuffer(&part)
            guard let start = message.getInteger(at: message.readerIndex, as: UInt32.self) else { continue }
            let wanted = Int(start & 0xFF_FFFF)
            guard start >> 24 == 1, wanted <= maximumLength else { return .foreign(.unknown) }
            if var body = message.getSlice(at: message.readerIndex + 4, length: wanted) {
                return .hello(ClientHello(serverName: serverName(in: &body)))
            }
        }
        return .foreign(.unknown)
    }

    private static func serverName(in body: inout ByteBuffer) -> String? {
        // Version and random; session id, cipher suites, compression methods.
        guard body.readSlice(length: 2 + 32) != nil, body.readVector(UInt8.self) != nil,
            body.readVector(UInt16.self) != nil, body.readVector(UInt8.self) != nil,
            var extensions = body.readVector(UInt16.self)
        else { return nil }
        while let type = extensions.readInteger(as: UInt16.self), var content = extensions.readVector(UInt16.self) {
            guard type == 0 else { continue }
            guard var names = content.readVector(UInt16.self) else { return nil }
            while let kind = names.readInteger(as: UInt8.self), let name = names.readVector(UInt16.self) {
                if kind == 0 { return host(name) }
            }
        }
        return nil
    }

    /// nil for what is no host name.
    private static func host(_ bytes: ByteBuffer) -> String? {
        guard (1...255).contains(bytes.readableBytes),
            bytes.readableBytesView.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return CertificateNames.normalized(String(buffer: bytes))
    }
}

extension ClientHello.Foreign {
    /// - Parameter first: the first byte that came: a method's letter, or RTMP's version.
    fileprivate init(_ first: UInt8) {
        switch first {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): self = .http
        case 3: self = .rtmp
        default: self = .unknown
        }
    }
}

extension ByteBuffer {
    /// A length and as many bytes (RFC 8446 §3.4).
    fileprivate mutating func readVector<Length: FixedWidthInteger>(_ length: Length.Type) -> ByteBuffer? {
        guard let count = readInteger(as: length) else { return nil }
        return readSlice(length: Int(count))
    }
}
