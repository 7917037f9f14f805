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
    @Test func mutatedClients() throws {
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

    @Test func mutatedServers() throws {
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

    @Test func randomBytesAsAMFAndTags() {
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
