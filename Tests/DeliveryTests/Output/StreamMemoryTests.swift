import HLS
import Live
import Media
import NIOCore
import NIOEmbedded
import RTMP
import Testing

@testable import Delivery

/// What a stream of 540 kbit/s holds in memory, as the budget counts it: by capacity.
@Suite("Memory of one stream") struct StreamMemoryTests {
    /// 25 frames a second with a keyframe every two seconds, and AAC.
    private static let frames = 1_500

    @Test(
        "A stream holds at most 1.3 times the media it is to retain, and 64 KiB", arguments: [false, true])
    func retained(hasViewer: Bool) async throws {
        let configuration = SegmenterConfiguration()
        let stage = await TestStage(configuration: DeliveryConfiguration(segmenter: configuration))
        let settings = HubSettings(reconnectWindow: .zero)
        let publication = try await stage.publish(settings: settings)
        let channel = NIOAsyncTestingChannel(loop: stage.loop)
        if hasViewer {
            let subscriber = RTMPSubscriber(role: .viewer, channel: channel, messageStreamID: 1)
            #expect(await publication.hub.attach(subscriber))
        }
        for tag in FLVHeaders.all { publication.send(tag) }
        var sent: [(time: Int64, bytes: Int)] = []
        var audioTime: Int64 = 0
        var most = 0
        var retained = 0
        for number in 0..<Self.frames {
            let time = Int64(number) * 40
            let size = number.isMultiple(of: 50) ? 24_000 : 2_061
            var samples = [sample(.video(.avc), at: time, isKeyframe: number.isMultiple(of: 50), size: size)]
            while audioTime <= time {
                samples.append(sample(.audio(.aac), at: audioTime, isKeyframe: true, size: 116))
                audioTime += 23
            }
            for sample in samples {
                publication.send(sample)
                sent.append((time, sample.body?.readableBytes ?? 0))
            }
            publication.readComplete()
            guard number % 7 == 0 else { continue }
            try await stage.settle()
            while try await channel.readOutbound(as: ByteBuffer.self) != nil {}
            // Playlists list six segments of two seconds, keep six more, and one is being written; the ring keeps the newest
            // GOP, and while there are viewers 15 seconds before it.
            let window = 2_000 * Int64(configuration.window + configuration.retainedSegments + 1)
            let ring: Int64 = hasViewer ? 17_000 : 2_000
            guard number > 1_000 else { continue }
            let bytes =
                sent.reduce(0) { $1.time > time - window ? $0 + $1.bytes : $0 }
                + sent.reduce(0) { $1.time > time - ring ? $0 + $1.bytes : $0 }
            if stage.memory.used > most {
                most = stage.memory.used
                retained = bytes
            }
        }
        #expect(most < retained * 13 / 10 + (64 << 10))
        #expect(most > retained)
        try await stage.end(publication)
    }

    /// In storage as the chunk decoder makes it.
    private func sample(_ codec: Codec, at milliseconds: Int64, isKeyframe: Bool, size: Int) -> StreamSample {
        var payload = ByteBuffer()
        if codec.isVideo { payload.writeMultipleIntegers(UInt32(size - 4), isKeyframe ? UInt8(0x65) : UInt8(0x41)) }
        payload.writeRepeatingByte(0x55, count: size - payload.readableBytes)
        let unit = AccessUnit(codec: codec, decodeTime: .zero, isKeyframe: isKeyframe, payload: payload)
        return StreamSample(
            codec.isVideo ? .video : .audio, timestamp: milliseconds, body: TagBuilder.codedFrames(unit))
    }
}

private enum FLVHeaders {
    /// 128×96 baseline, and AAC-LC in stereo at 44.1 kHz.
    static var all: [StreamSample] {
        let record = ByteBuffer(bytes: [
            1, 0x42, 0xC0, 0x0A, 0xFF, 0xE1, 0, 9, 0x67, 0x42, 0xC0, 0x0A, 0xDA, 0x08, 0x19, 0x90, 0x00, 1, 0, 4, 0x68,
            0xCE,
            0x3C, 0x80,
        ])
        return [
            StreamSample(.video, timestamp: 0, body: TagBuilder.sequenceHeader(.avc, record: record)),
            StreamSample(
                .audio, timestamp: 0, body: TagBuilder.sequenceHeader(.aac, record: ByteBuffer(bytes: [0x12, 0x10]))),
        ]
    }
}
