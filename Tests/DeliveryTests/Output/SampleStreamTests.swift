import Foundation
import HLS
import Live
import MPEGTS
import Media
import NIOCore
import NIOEmbedded
import RTMP
import TestSupport
import Testing

@testable import Delivery

/// A stream that came by another protocol than RTMP, from a publisher's samples to players of both kinds.
@Suite("A stream that is published as samples") struct SampleStreamTests {
    @Test(
        "RTMP and HLS players get the very frames that a transport stream brought",
        arguments: ["bframes.ts", "hevc-mp3.ts", "slow-opus.ts"])
    func framesOfATransportStream(file: String) async throws {
        let sent = try source(file)
        let stage = await TestStage()
        let publication = try await stage.publish()
        let channel = NIOAsyncTestingChannel(loop: stage.loop)
        let subscriber = RTMPSubscriber(role: .viewer, channel: channel, messageStreamID: 1)
        #expect(await publication.hub.attach(subscriber))
        for sample in sent {
            publication.send(sample)
            publication.readComplete()
        }
        try await stage.settle()
        // Nobody starts on audio, so what lies before the first keyframe reaches nobody.
        let units = Array(sent.compactMap(\.unit).drop { !($0.codec.isVideo && $0.isKeyframe) })
        #expect(units.count > 20)

        let received = try await rtmpUnits(of: channel)
        #expect(Frame.list(received) == Frame.list(units))

        try await stage.end(publication)
        let segments = try #require(stage.outputs.output(at: TestStage.address)?.current?.snapshot.listed)
        #expect(!segments.isEmpty)
        guard TransportStreamRendition.canCarry(segments[0].tracks) else { return }
        var bytes = ByteBuffer()
        var rendition = TransportStreamRendition()
        for segment in segments {
            let made = rendition.bytes(of: segment)
            bytes.writeImmutableBuffer(try #require(made))
        }
        let packaged = demultiplexed(bytes).compactMap(\.unit)
        // The multiplex has a clock of its own.
        let start = try #require(packaged.first { $0.codec.isVideo }).decodeTime - units[0].decodeTime
        for isVideo in [true, false] {
            let expected = units.filter { $0.codec.isVideo == isVideo }
            let found = packaged.filter { $0.codec.isVideo == isVideo }
            #expect(Frame.list(found, from: start) == Frame.list(expected))
        }
    }

    /// What must be the same on both ways; times in RTMP's milliseconds.
    private struct Frame: Equatable, CustomStringConvertible {
        var unit: AccessUnit

        static func list(_ units: [AccessUnit], from start: MediaTime = .zero) -> [Frame] {
            units.map { unit in
                var unit = unit
                unit.decodeTime = unit.decodeTime - start
                return Frame(unit: unit)
            }
        }

        /// Frames that share a packet of the transport stream have their times worked out, and rounded once more.
        static func == (one: Frame, other: Frame) -> Bool {
            abs((one.unit.decodeTime - other.unit.decodeTime).milliseconds) <= 1
                && one.unit.track == other.unit.track && one.unit.codec == other.unit.codec
                && one.unit.compositionOffset.milliseconds == other.unit.compositionOffset.milliseconds
                && one.unit.isKeyframe == other.unit.isKeyframe && one.unit.payload == other.unit.payload
        }

        var description: String {
            "\(unit.track) \(unit.codec) \(unit.decodeTime.milliseconds)+\(unit.presentationTime.milliseconds)"
                + "\(unit.isKeyframe ? " key" : "") \(unit.payload.readableBytes) bytes"
        }
    }

    private func source(_ file: String) throws -> [StreamSample] {
        let path = Places.repository + "/Tests/MPEGTSTests/Fixtures/" + file
        return demultiplexed(ByteBuffer(bytes: try Data(contentsOf: URL(filePath: path))))
    }

    /// As a listener for transport streams would publish it.
    private func demultiplexed(_ bytes: ByteBuffer) -> [StreamSample] {
        var demuxer = TransportStreamDemuxer()
        var events: [TransportStreamDemuxer.Event] = []
        demuxer.receive(bytes, into: &events)
        demuxer.finish(into: &events)
        // A listener waits until all tracks are known, so that nobody starts on some of them.
        let configurations = events.compactMap { event -> StreamSample? in
            guard case .configuration(let configuration) = event else { return nil }
            return StreamSample(configuration, of: configuration.codec.isVideo ? .video : .audio, time: .zero)
        }
        return configurations
            + events.compactMap { event in
                if case .unit(let unit) = event { StreamSample(unit) } else { nil }
            }
    }

    private func rtmpUnits(of channel: NIOAsyncTestingChannel) async throws -> [AccessUnit] {
        var decoder = ChunkDecoder()
        var announcement = ByteBuffer()
        var encoder = ChunkEncoder()
        encoder.setChunkSize(RTMP.outgoingChunkSize, into: &announcement)
        try decoder.receive(announcement, now: .now())
        _ = try decoder.next()
        var units: [AccessUnit] = []
        while let bytes = try await channel.readOutbound(as: ByteBuffer.self) {
            try decoder.receive(bytes, now: .now())
            while let message = try decoder.next() {
                let time = MediaTime(milliseconds: Int64(message.timestamp))
                let unit =
                    message.type == .video
                    ? try VideoTag.parse(message.body).accessUnit(decodeTime: time)
                    : try AudioTag.parse(message.body).accessUnit(decodeTime: time)
                if let unit { units.append(unit) }
            }
        }
        return units
    }
}

extension StreamSample {
    fileprivate var unit: AccessUnit? {
        if case .accessUnit(let unit) = content { unit } else { nil }
    }
}
