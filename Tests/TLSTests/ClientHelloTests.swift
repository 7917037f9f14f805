import NIOCore
import Testing

@testable import TLS

@Suite struct ClientHelloTests {
    /// A message as clients send it.
    static func message(name: String?, padding: Int = 0) -> ByteBuffer {
        func vector<Length: FixedWidthInteger>(_ length: Length.Type, _ body: ByteBuffer) -> ByteBuffer {
            var bytes = ByteBuffer(integer: Length(body.readableBytes))
            bytes.writeImmutableBuffer(body)
            return bytes
        }
        var extensions = ByteBuffer(integer: UInt16(21))
        extensions.writeImmutableBuffer(vector(UInt16.self, ByteBuffer(repeating: 0, count: padding)))
        if let name {
            var entry = ByteBuffer(integer: UInt8(0))
            entry.writeImmutableBuffer(vector(UInt16.self, ByteBuffer(string: name)))
            extensions.writeInteger(UInt16(0))
            extensions.writeImmutableBuffer(vector(UInt16.self, vector(UInt16.self, entry)))
        }
        var body = ByteBuffer(integer: UInt16(0x0303))
        body.writeRepeatingByte(7, count: 32)
        body.writeImmutableBuffer(vector(UInt8.self, ByteBuffer(repeating: 9, count: 32)))
        body.writeImmutableBuffer(vector(UInt16.self, ByteBuffer(integer: UInt16(0x1301))))
        body.writeImmutableBuffer(vector(UInt8.self, ByteBuffer(integer: UInt8(0))))
        body.writeImmutableBuffer(vector(UInt16.self, extensions))
        var message = ByteBuffer(integer: UInt32(body.readableBytes) | 1 << 24)
        message.writeImmutableBuffer(body)
        return message
    }

    /// The message in records of at most so many bytes.
    static func records(_ message: ByteBuffer, of length: Int = 16 << 10) -> ByteBuffer {
        var message = message
        var records = ByteBuffer()
        while message.readableBytes > 0 {
            guard var part = message.readSlice(length: min(length, message.readableBytes)) else { break }
            records.writeBytes([22, 3, 1])
            records.writeInteger(UInt16(part.readableBytes))
            records.writeBuffer(&part)
        }
        return records
    }

    @Test("The host is read from a message in one record or in several, in small letters, without the dot at its end")
    func names() {
        let cases: [(String?, String?)] = [
            ("live.example", "live.example"), ("LIVE.Example.", "live.example"), (nil, nil), ("", nil), ("a b", nil),
        ]
        for (sent, read) in cases {
            let message = Self.message(name: sent, padding: 300)
            for length in [16 << 10, 100, 40] {
                guard case .hello(let hello) = ClientHello.read(Self.records(message, of: length)) else {
                    Issue.record("\(sent ?? "none") in records of \(length)")
                    continue
                }
                #expect(hello.serverName == read)
            }
        }
    }

    @Test("While bytes are missing it is said how many must be there, and never fewer than are")
    func incomplete() {
        let whole = Self.records(Self.message(name: "live.example", padding: 500), of: 200)
        for length in 0..<whole.readableBytes {
            guard let part = whole.getSlice(at: 0, length: length),
                case .incomplete(let needed) = ClientHello.read(part)
            else {
                Issue.record("\(length) bytes are taken for all")
                continue
            }
            #expect(needed > length && needed <= whole.readableBytes)
        }
    }

    @Test("What is no handshake is told apart, and what is cut or claimed too large is none")
    func foreign() {
        func read(_ bytes: [UInt8]) -> ClientHello.Reading { ClientHello.read(ByteBuffer(bytes: bytes)) }
        #expect(read(Array("GET / HTTP/1.1\r\n".utf8)) == .foreign(.http))
        #expect(read([3]) == .foreign(.rtmp))
        #expect(read([0x80, 0x2E, 1]) == .foreign(.unknown))
        #expect(read([22, 9, 1, 0, 10]) == .foreign(.unknown))
        #expect(read([22, 3, 1, 0xFF, 0xFF]) == .foreign(.unknown))
        #expect(read([22, 3, 1, 0, 0]) == .foreign(.unknown))
        // A handshake of another kind, and one that says that it is longer than any.
        #expect(read([22, 3, 1, 0, 4, 2, 0, 0, 0]) == .foreign(.unknown))
        #expect(read([22, 3, 1, 0, 4, 1, 0xFF, 0, 0]) == .foreign(.unknown))
        #expect(ClientHello.read(Self.records(Self.message(name: "a.example"), of: 5)) == .foreign(.unknown))
    }

    @Test("Bytes changed anywhere trap nowhere")
    func changed() {
        let whole = Self.records(Self.message(name: "live.example"))
        for index in 0..<whole.readableBytes {
            for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
                var bytes = whole
                bytes.setInteger(value, at: index)
                _ = ClientHello.read(bytes)
            }
        }
    }
}

@Suite struct CertificateNamesTests {
    @Test("A certificate is taken for its own names, then for its stars, which stand for one label, else the first")
    func choice() {
        let names = CertificateNames([
            ["default.example"], ["*.live.example", "live.example"], ["Special.Live.Example", "default.example"],
        ])
        #expect(names.index(for: nil) == 0)
        #expect(names.index(for: "default.example") == 0)
        #expect(names.index(for: "live.example") == 1)
        #expect(names.index(for: "a.live.example") == 1)
        #expect(names.index(for: "special.live.example") == 2)
        #expect(names.index(for: "a.b.live.example") == 0)
        #expect(names.index(for: "other.example") == 0)
        #expect(names.index(for: "localhost") == 0)
    }
}
