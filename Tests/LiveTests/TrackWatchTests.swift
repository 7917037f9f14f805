import Media
import NIOCore
import RTMP
import Testing

@testable import Live

@Suite("What a stream's tracks are") struct TrackWatchTests {
    private static let pq: AMFValue = .object([
        "colorConfig": .object(["colorPrimaries": 9, "transferCharacteristics": 16, "matrixCoefficients": 9])
    ])

    private func frame(_ codec: AudioCodec, _ hexadecimal: String, length: Int = 0) -> StreamSample {
        var payload = hex(hexadecimal)
        payload.writeRepeatingByte(0, count: max(0, length - payload.readableBytes))
        let unit = AccessUnit(codec: .audio(codec), decodeTime: .zero, isKeyframe: true, payload: payload)
        return StreamSample(.audio, timestamp: 0, body: TagBuilder.codedFrames(unit))
    }

    private func colorInfo(_ value: AMFValue, track: UInt8 = 0) -> StreamSample {
        var body = track == 0 ? hex("94 61766331") : hex("96 04 61766331 0\(track)")
        AMF0Encoder.encode("colorInfo", into: &body)
        AMF0Encoder.encode(value, into: &body)
        return StreamSample(.video, timestamp: 0, body: body)
    }

    private func picture(isKeyframe: Bool) -> StreamSample {
        StreamSample(
            AccessUnit(
                codec: .video(.avc), decodeTime: .zero, isKeyframe: isKeyframe, payload: ByteBuffer(bytes: [0x65])))
    }

    private var header: StreamSample {
        StreamSample(.video, timestamp: 0, body: HubBench.videoHeader())
    }

    @Test(
        "A codec without a header is known by its first frame, and again when that changes",
        arguments: [
            (AudioCodec.ac3, "0b7738900c4043e1", "0b7738901e4043e1", "0b7738901e40ebf8", 2, 6),
            (.eac3, "0b77017f3f87c00020f8", "0b7701ff3f87c00020f8", "0b7700cf3485c00020f8", 6, 2),
            (.mp3, "fffb9064", "fffba064", "fffb90c4", 2, 1),
        ])
    func firstFrames(
        codec: AudioCodec, first: String, other: String, changed: String, channels: Int, changedChannels: Int
    ) throws {
        func channelsOf(_ tracks: TrackSet?) -> Int? {
            switch tracks?.audio {
            case .ac3(let value): value.channels
            case .eac3(let value): value.channels
            case .mp3(let value): value.channels
            default: nil
            }
        }
        var watch = TrackWatch()
        #expect(channelsOf(watch.observe(frame(codec, first))) == channels)
        #expect(watch.observe(frame(codec, first)) == nil)
        // Another bit rate is no other track.
        #expect(watch.observe(frame(codec, other)) == nil)
        #expect(watch.observe(frame(codec, "0000")) == nil)
        #expect(channelsOf(watch.observe(frame(codec, changed))) == changedChannels)
        #expect(channelsOf(watch.tracks) == changedChannels)
    }

    @Test("FLAC is known by its header")
    func flac() throws {
        var watch = TrackWatch()
        let body = hex("90 664C6143 1200120000015000 05170bb802f000005dc0a2fc3617bc0e6c99e035cbe06fb4e52a")
        #expect(watch.observe(StreamSample(.audio, timestamp: 0, body: body))?.audio?.codecString == "fLaC")
    }

    @Test("Announced colors hold from the next keyframe on, and those of the header again when they are taken back")
    func announcedColors() throws {
        var watch = TrackWatch()
        #expect(watch.observe(header)?.video?.color == VideoColor())
        #expect(watch.observe(colorInfo(Self.pq)) == nil)
        #expect(watch.observe(picture(isKeyframe: false)) == nil)
        let announced = VideoColor(primaries: 9, transfer: 16, matrix: 9)
        #expect(watch.observe(picture(isKeyframe: true))?.video?.color == announced)
        // Said again, it changes nothing; nor does the header that is sent again.
        #expect(watch.observe(colorInfo(Self.pq)) == nil)
        #expect(watch.observe(header) == nil)
        #expect(watch.observe(picture(isKeyframe: true)) == nil)
        #expect(watch.observe(colorInfo(.undefined)) == nil)
        #expect(watch.tracks.video?.color == announced)
        #expect(watch.observe(picture(isKeyframe: true))?.video?.color == VideoColor())
    }

    @Test("Colors may be announced before the header")
    func announcedFirst() throws {
        var watch = TrackWatch()
        #expect(watch.observe(colorInfo(Self.pq)) == nil)
        #expect(watch.observe(header)?.video?.color == VideoColor())
        #expect(watch.observe(picture(isKeyframe: true))?.video?.color.range == .pq)
    }

    @Test("Colors of endless tracks are not kept")
    func endlessTracks() throws {
        var watch = TrackWatch()
        for track in UInt8(0)..<9 { #expect(watch.observe(colorInfo(Self.pq, track: track)) == nil) }
        #expect(watch.observe(header) != nil)
        #expect(watch.observe(picture(isKeyframe: true))?.video?.color.range == .pq)
    }

    @Test("Viewers who come later are told the colors in force, before the first keyframe")
    func colorsForLaterViewers() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        let announced = colorInfo(Self.pq)
        bench.send(announced)
        bench.picture(0, isKeyframe: true)
        bench.picture(40)
        bench.picture(1_000, isKeyframe: true)
        let bodies = try bench.viewer().bodies()
        #expect(bodies.prefix(3) == [HubBench.videoHeader(), try #require(announced.body), HubBench.audioHeader])
    }
}

@Suite("What an encoder tells viewers") struct TimedMetadataSampleTests {
    private func sample(_ name: String, _ values: [AMFValue]) -> StreamSample {
        StreamSample(RTMPDataMessage(streamID: 1, name: name, values: values), timestamp: 1_234)
    }

    @Test("Data messages have their meaning and keep their bytes")
    func content() throws {
        let text = sample("onTextData", [.object(["text": "Hi"])])
        guard case .timedMetadata(let told) = text.content else {
            Issue.record("\(text.content)")
            return
        }
        #expect(told == TimedMetadata(name: "onTextData", json: #"{"text":"Hi"}"#))
        #expect(text.body == RTMPDataMessage(streamID: 1, name: "onTextData", values: [.object(["text": "Hi"])]).body)
        #expect(text.track == .data)
        guard case .metadata = sample("onMetaData", [.object(["width": 1])]).content else {
            Issue.record("no metadata")
            return
        }
        let long = sample("onTextData", [.string(String(repeating: "x", count: 20_000))])
        guard case .other = long.content else {
            Issue.record("\(long.content)")
            return
        }
        #expect(long.byteCount > 20_000)
    }

    @Test("Its text counts as memory")
    func memory() {
        let short = sample("onTextData", [.object(["text": "Hi"])])
        let long = sample("onTextData", [.object(["text": .string(String(repeating: "x", count: 10_000))])])
        // Once in the body's bytes, once as text.
        #expect(long.heldBytes - short.heldBytes >= 2 * 9_990)
    }
}
