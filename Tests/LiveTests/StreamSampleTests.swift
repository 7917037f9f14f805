import Media
import NIOCore
import RTMP
import Testing

@testable import Live

@Suite("A sample that came by another protocol than RTMP") struct StreamSampleTests {
    struct Case: CustomTestStringConvertible {
        var testDescription: String
        var sample: StreamSample
        /// The body's bytes before the payload.
        var head: String

        static func unit(
            _ name: String, _ codec: Codec, track: UInt8 = 0, isKeyframe: Bool = true, offset: Int64 = 0, _ head: String
        ) -> Case {
            let unit = AccessUnit(
                track: TrackID(codec.isVideo ? .video : .audio, number: track), codec: codec,
                decodeTime: MediaTime(milliseconds: 40), compositionOffset: MediaTime(milliseconds: offset),
                isKeyframe: isKeyframe, payload: ByteBuffer(bytes: [0xAA, 0xBB]))
            return Case(testDescription: name, sample: StreamSample(unit), head: head)
        }
    }

    static let units: [Case] = [
        .unit("H.264", .video(.avc), offset: 2, "17 01 000002"),
        .unit("H.264, no keyframe", .video(.avc), isKeyframe: false, offset: -1, "27 01 FFFFFF"),
        .unit("another track of H.264", .video(.avc), track: 2, offset: 2, "96 01 61766331 02 000002"),
        .unit("another track of H.264 without B-frames", .video(.avc), track: 2, "96 03 61766331 02"),
        .unit("H.265", .video(.hevc), offset: 2, "91 68766331 000002"),
        .unit(
            "another track of H.265", .video(.hevc), track: 1, isKeyframe: false, offset: 2, "A6 01 68766331 01 000002"),
        .unit("AV1", .video(.av1), "93 61763031"), .unit("AAC", .audio(.aac), "AF 01"),
        .unit("another track of AAC", .audio(.aac), track: 1, "95 01 6D703461 01"),
        .unit("MP3", .audio(.mp3), "2F"), .unit("another track of MP3", .audio(.mp3), track: 3, "95 01 2E6D7033 03"),
        .unit("Opus", .audio(.opus), "91 4F707573"),
        .unit("another track of Opus", .audio(.opus), track: 255, "95 01 4F707573 FF"),
    ]

    @Test("An access unit has the body that an RTMP encoder sends, and reads back as itself", arguments: units)
    func accessUnits(expected: Case) throws {
        var sample = expected.sample
        #expect(sample.body == nil)
        sample.makeBody()
        let body = try #require(sample.body)
        #expect(body == hex(expected.head + "AABB"))
        let again = StreamSample(sample.track.kind, timestamp: 40, body: body)
        #expect(again.track == sample.track)
        guard case .accessUnit(let unit) = again.content, case .accessUnit(let original) = sample.content else {
            Issue.record("no access unit")
            return
        }
        #expect(unit == original)
    }

    @Test(
        "A configuration has the header that an RTMP encoder sends",
        arguments: [(0, "17 00 000000", "AF 00"), (3, "96 00 61766331 03", "95 00 6D703461 03")]
            as [(UInt8, String, String)])
    func configurations(track: UInt8, video: String, audio: String) throws {
        let record = hex("01 42C00A FFE1 0009 6742C00ADA08199000 01 0004 68CE3C80")
        var sample = StreamSample(
            .avc(try AVCConfiguration(record: record)), of: TrackID(.video, number: track), time: .zero)
        sample.makeBody()
        var expected = hex(video)
        expected.writeImmutableBuffer(record)
        #expect(sample.body == expected)
        sample = StreamSample(
            .aac(try AACConfiguration(record: hex("1210"))), of: TrackID(.audio, number: track), time: .zero)
        sample.makeBody()
        #expect(sample.body == hex(audio + "1210"))
    }

    @Test("Metadata becomes onMetaData at timestamp 0, which opens the stream for whoever joins")
    func metadata() throws {
        let bench = HubBench()
        try bench.publish()
        bench.send(StreamSample(metadata: ["width": 128], time: MediaTime(milliseconds: 5_000)))
        bench.headers(at: 5_000)
        bench.picture(5_000, isKeyframe: true)
        let viewer = bench.viewer()
        #expect(viewer.isAttached)
        let expected = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.object(["width": 128])]).body
        #expect(try viewer.bodies().first == expected)
        #expect(try bench.viewer().received().first?.timestamp == 0)
    }

    @Test("The time a frame is shown at is rounded to milliseconds once")
    func rounding() throws {
        // 90 kHz: decoded at 33.4 ms, shown 33.4 ms later, at 66.8.
        let unit = AccessUnit(
            codec: .video(.avc), decodeTime: MediaTime(nanoseconds: 33_400_000),
            compositionOffset: MediaTime(nanoseconds: 33_400_000), isKeyframe: true, payload: ByteBuffer(bytes: [1]))
        var sample = StreamSample(unit)
        sample.makeBody()
        #expect(sample.rtmpTimestamp(at: sample.time) == 33)
        #expect(
            try VideoTag.parse(#require(sample.body)).content
                == .codedFrames(ByteBuffer(bytes: [1]), compositionOffset: 34))
    }

    @Test("No body is made while nobody takes RTMP, and the first who does gets everything from the keyframe on")
    func madeWhenNeeded() throws {
        let bench = HubBench()
        try bench.publish()
        let record = hex("01 42C00A FFE1 0009 6742C00ADA08199000 01 0004 68CE3C80")
        bench.send(StreamSample(.avc(try AVCConfiguration(record: record)), of: .video, time: .zero))
        bench.send(StreamSample(.aac(try AACConfiguration(record: hex("1210"))), of: .audio, time: .zero))
        let before = bench.hub.memory.used
        for number in 0..<10 {
            let payload = ByteBuffer(repeating: 7, count: 4_096)
            bench.send(
                StreamSample(
                    AccessUnit(
                        codec: .video(.avc), decodeTime: MediaTime(milliseconds: Int64(number) * 40),
                        isKeyframe: number == 0, payload: payload)))
            bench.send(
                StreamSample(
                    AccessUnit(
                        codec: .audio(.aac), decodeTime: MediaTime(milliseconds: Int64(number) * 40 + 5),
                        isKeyframe: true, payload: payload)))
        }
        #expect(bench.hub.memory.used - before < 20 * (4_096 + 512))
        let received = try bench.viewer().received()
        let frames = (0..<10).flatMap { (number: UInt32) -> [UInt32] in [number * 40, number * 40 + 5] }
        #expect(received.map(\.type) == (0..<11).flatMap { _ -> [UInt8] in [9, 8] })
        #expect(received.map(\.timestamp) == [0, 0] + frames)
    }
}

func hex(_ text: String) -> ByteBuffer {
    let digits = text.compactMap(\.hexDigitValue)
    return ByteBuffer(bytes: stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
}
