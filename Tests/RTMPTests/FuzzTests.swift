import Media
import NIOCore
import Testing

@testable import RTMP

/// Mutations of recorded sessions: whatever comes, there is an event or an error, never a trap.
struct FuzzTests {
    static let recordings = [
        "ffmpeg-publish", "ffmpeg-publish-mp3", "librtmp-publish", "gst-rtmp2-publish", "ffmpeg-play",
        "rtmpdump-play", "rtmpdump-subscribe", "gst-rtmp2-play",
    ]

    /// Feeds mutated bytes after the handshake; the interesting part of a session is its first KiB or two.
    @Test("Mutated bytes of clients never trap the server's session")
    func mutatedClients() throws {
        var random = TestRandom(0x5EED)
        var errors = 0
        var events = 0
        for name in FuzzTests.recordings {
            let recording = try fixture(name + ".bin")
            let handshake = try #require(recording.getSlice(at: 0, length: 3073))
            var prepared = ServerSession(now: start, seed: 1)
            try prepared.receive(handshake, now: start)
            _ = prepared.takeOutput()
            let length = min(recording.readableBytes - 3073, 1_536)
            let rest = try #require(recording.getBytes(at: 3073, length: length))
            for _ in 0..<800 {
                let mutated = FuzzTests.mutate(rest, &random)
                do {
                    events += try FuzzTests.run(prepared, mutated)
                } catch {
                    errors += 1
                }
            }
        }
        #expect(errors > 300)
        #expect(events > 3_000)
    }

    @Test("Mutated bytes of servers never trap the client's session")
    func mutatedServers() throws {
        var random = TestRandom(0xBEEF)
        var errors = 0
        for (name, purpose) in [
            ("nginx-to-publisher", ClientConfiguration.Purpose.publish), ("nginx-to-player", .play),
        ] {
            let recording = try #require(try fixture(name + ".bin").getBytes(at: 0, length: 3_400))
            let configuration = ClientConfiguration(purpose: purpose, app: "a", stream: "s", tcURL: "rtmp://h/a")
            var prepared = ClientSession(configuration: configuration, now: start, seed: 1)
            try prepared.receive(bytes(Array(recording[..<3073])), now: start)
            for _ in 0..<1_000 {
                var session = prepared
                do {
                    try session.receive(
                        bytes(FuzzTests.mutate(Array(recording[3073...]), &random)), now: start)
                    while try session.nextEvent() != nil {}
                } catch {
                    errors += 1
                }
            }
        }
        #expect(errors > 50)
    }

    @Test("Random bytes never trap the readers of AMF and tags")
    func randomBytesAsAMFAndTags() {
        var random = TestRandom(0xAB)
        var decoded = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &random)
            let body = bytes(
                (0..<count).map { _ in
                    // Small numbers are markers and lengths.
                    Bool.random(using: &random)
                        ? UInt8.random(in: 0...18, using: &random) : .random(in: 0...255, using: &random)
                })
            var decoder = AMF0Decoder(body)
            while !decoder.isAtEnd, (try? decoder.decode()) != nil { decoded += 1 }
            if let tag = try? VideoTag.parse(body) {
                _ = tag.accessUnit(decodeTime: .zero)
                _ = try? tag.codecConfiguration()
                decoded += 1
            }
            if let tag = try? AudioTag.parse(body) {
                _ = tag.accessUnit(decodeTime: .zero)
                _ = try? tag.codecConfiguration()
                decoded += 1
            }
            _ = try? RTMPURL(String(decoding: body.readableBytesView, as: UTF8.self))
        }
        #expect(decoded > 1_000)
    }

    @Test("Aggregate messages with any parts give events or an error, and never much output")
    func aggregates() throws {
        var random = TestRandom(0xA66)
        var events = 0
        var errors: [RTMPError.Code: Int] = [:]
        let publishing = try ServerSessionTests.publishing().session
        let idle = try RawClient.connected().session
        let types: [UInt8] = [8, 8, 9, 9, 18, 15, 20, 22, 4]
        for round in 0..<2_000 {
            var content = ByteBuffer()
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                // Foreign parts are rare, or nothing else would be seen.
                let type = types[Int.random(in: 0..<(round % 8 == 0 ? types.count : 6), using: &random)]
                let length = Int.random(in: 0...20, using: &random)
                content.writeMultipleIntegers(type, UInt8(0), UInt16(length))
                content.writeInteger(UInt64.random(in: .min ... .max, using: &random))
                content.moveWriterIndex(to: content.writerIndex - 1)
                content.writeBytes((0..<length).map { _ in UInt8.random(in: 0...18, using: &random) })
                content.writeInteger(UInt32(length + 11))
            }
            var bytes = ByteBuffer()
            ChunkEncoder().encode(RTMPMessage(type: .aggregate, streamID: 1, body: content), into: &bytes)
            var input = Array(bytes.readableBytesView)
            if round % 4 == 0 { input = FuzzTests.mutate(input, &random) }
            var session = round % 3 == 0 ? idle : publishing
            do throws(RTMPError) {
                try session.receive(ByteBuffer(bytes: input), now: start)
                while try session.nextEvent() != nil { events += 1 }
            } catch {
                errors[error.code, default: 0] += 1
            }
            #expect(session.takeOutput()?.readableBytes ?? 0 <= 4_096)
        }
        #expect(events > 10_000)
        #expect(errors[.protocolViolation] ?? 0 > 50)
    }

    @Test("Whatever AMF3 refers to, what is decoded stays within the limits")
    func references() {
        var random = TestRandom(0xAF3)
        var decoded = 0
        var refused = 0
        let limits = AMFLimits(maxValues: 60, maxTextBytes: 120)
        for _ in 0..<20_000 {
            // An array of strings, references to them, objects and references to their traits.
            var body = hex("11 09")
            let count = Int.random(in: 1...30, using: &random)
            body.writeBytes([UInt8(count << 1 | 1), 0x01])
            for _ in 0..<count {
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    let length = Int.random(in: 1...60, using: &random)
                    body.writeBytes([0x06, UInt8(length << 1 | 1)])
                    body.writeRepeatingByte(UInt8.random(in: 0x61...0x7A, using: &random), count: length)
                case 1, 2: body.writeBytes([0x06, UInt8.random(in: 0...8, using: &random) << 1])
                case 3: body.writeImmutableBuffer(hex("0A 1B 01 03 61 01 03 62 01 01"))
                case 4: body.writeImmutableBuffer(hex("0A 01 01 01 01"))
                default: body.writeBytes([UInt8.random(in: 0...12, using: &random)])
                }
            }
            var decoder = AMF0Decoder(body, limits: limits)
            do throws(RTMPError) {
                let value = try decoder.decode()
                #expect(value.expandedSize <= limits.maxTextBytes + 32 * limits.maxValues + body.readableBytes)
                var output = ByteBuffer()
                AMF0Encoder.encode(value, into: &output)
                #expect(output.readableBytes <= limits.maxTextBytes + 16 * limits.maxValues)
                decoded += 1
            } catch {
                if error.code == .amfLimitExceeded { refused += 1 }
            }
        }
        #expect(decoded > 1_000)
        #expect(refused > 100)
    }

    private static func run(_ prepared: ServerSession, _ input: [UInt8]) throws -> Int {
        var session = prepared
        var count = 0
        try session.receive(bytes(input), now: start)
        while let event = try session.nextEvent() {
            count += 1
            if case .media(let message) = event {
                if message.isVideo {
                    _ = try? VideoTag.parse(message.body)
                } else {
                    _ = try? AudioTag.parse(message.body)
                }
            }
            Loopback.acceptEverything(&session, event)
        }
        return count
    }

    private static func mutate(_ input: [UInt8], _ random: inout TestRandom) -> [UInt8] {
        var output = input
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            guard !output.isEmpty else { return output }
            // Most of a session's structure is at its beginning.
            let limit = Bool.random(using: &random) ? min(512, output.count) : output.count
            let index = Int.random(in: 0..<limit, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: output[index] = .random(in: 0...255, using: &random)
            case 1: output[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: output.removeSubrange(index..<min(output.count, index + Int.random(in: 1...8, using: &random)))
            case 3:
                let end = min(output.count, index + Int.random(in: 1...64, using: &random))
                output.insert(contentsOf: output[index..<end], at: index)
            default: output[index] = [0x00, 0xFF, 0x7F, 0x80, 0xC4][Int.random(in: 0..<5, using: &random)]
            }
        }
        return output
    }
}
