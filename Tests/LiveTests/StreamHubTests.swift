import NIOCore
import RTMP
import Testing

@testable import Live

@Suite struct StreamHubTests {
    typealias Message = BenchViewer.Message

    @Test("A new viewer starts with headers on the newest keyframe and then gets everything")
    func aNewViewerStartsWithHeadersOnTheNewestKeyframeAndThenGetsEverything() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        bench.picture(40)
        bench.picture(80, isKeyframe: true)
        bench.sound(85)
        bench.picture(120)
        let viewer = bench.viewer()
        #expect(viewer.isAttached)
        #expect(
            try viewer.received() == [
                Message(type: 9, timestamp: 80, isKeyframe: false, isHeader: true, streamID: 1),
                Message(type: 8, timestamp: 80, isKeyframe: false, isHeader: true, streamID: 1),
                Message(type: 9, timestamp: 80, isKeyframe: true, isHeader: false, streamID: 1),
                Message(type: 8, timestamp: 85, isKeyframe: false, isHeader: false, streamID: 1),
                Message(type: 9, timestamp: 120, isKeyframe: false, isHeader: false, streamID: 1),
            ])
        bench.picture(160)
        #expect(try viewer.received().map(\.timestamp) == [160])
    }

    @Test("A viewer waits for a keyframe when there is none")
    func withoutAKeyframeAViewerWaitsForOne() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0)
        let viewer = bench.viewer()
        bench.picture(40)
        #expect(try viewer.received().isEmpty)
        bench.picture(80, isKeyframe: true)
        #expect(try viewer.received().map(\.timestamp) == [80, 80, 80])
    }

    @Test("A stream of audio alone starts anywhere")
    func anAudioOnlyStreamStartsAnywhere() throws {
        let bench = HubBench()
        try bench.publish()
        bench.send(.audio, 0, HubBench.audioHeader)
        bench.sound(0)
        bench.sound(23)
        let viewer = bench.viewer()
        #expect(try viewer.received().map(\.isHeader) == [true, false])
        bench.sound(46)
        #expect(try viewer.received().map(\.timestamp) == [46])
    }

    @Test("A viewer on another message stream gets that stream's id")
    func anotherMessageStreamGetsItsOwnID() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        #expect(try bench.viewer(messageStreamID: 3).received().allSatisfy { $0.streamID == 3 })
    }

    @Test("A slow viewer is moved to a newer keyframe and never gets frames without their reference")
    func aSlowViewerIsMovedToANewerKeyframeAndNeverGetsPicturesWithoutTheirReference() throws {
        var settings = HubSettings()
        settings.ring = WriteRing.Limits(bytes: 4_500, time: .init(milliseconds: 60_000))
        let bench = HubBench(settings)
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true, size: 900)
        let viewer = bench.viewer()
        _ = try viewer.received()
        viewer.channel.isWritable = false
        bench.picture(40, size: 900)
        bench.picture(80, size: 900)
        bench.picture(120, isKeyframe: true, size: 900)
        bench.picture(160, size: 900)
        bench.picture(200, size: 900)
        #expect(try viewer.received().isEmpty)
        viewer.channel.isWritable = true
        viewer.reader.writabilityChanged()
        let caughtUp = try viewer.received()
        #expect(caughtUp.map(\.isHeader) == [true, true, false, false, false])
        #expect(caughtUp[2] == Message(type: 9, timestamp: 120, isKeyframe: true, isHeader: false, streamID: 1))
        #expect(viewer.reader.statistics.skips == 1)
        // Another reader is not held up by it.
        let other = bench.viewer()
        #expect(try other.received().last?.timestamp == 200)
    }

    @Test("A pause stops delivery, and resuming starts on a keyframe")
    func pauseStopsDeliveryAndResumingStartsOnAKeyframe() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        let viewer = bench.viewer()
        _ = try viewer.received()
        viewer.reader.setPaused(true)
        bench.picture(40)
        bench.picture(80, isKeyframe: true)
        bench.picture(120)
        #expect(try viewer.received().isEmpty)
        viewer.reader.setPaused(false)
        #expect(try viewer.received().map(\.timestamp) == [80, 80, 80, 120])
    }

    @Test("A second publisher is refused while the first sends")
    func aSecondPublisherIsRefusedWhileTheFirstSends() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        #expect(throws: StreamHub.Rejection.busy) { try bench.publish() }
        #expect(bench.dismissals.list.isEmpty)
    }

    @Test("A silent publisher is taken over, and viewers stay")
    func aSilentPublisherIsTakenOverAndViewersStay() throws {
        var settings = HubSettings()
        settings.takeoverAfter = .zero
        let bench = HubBench(settings)
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        bench.picture(1_000, isKeyframe: true)
        let viewer = bench.viewer()
        _ = try viewer.received()
        try bench.publish()
        #expect(bench.dismissals.list == [.takenOver])
        bench.headers(at: 0, profile: 0x4D)
        bench.picture(0, isKeyframe: true)
        let after = try viewer.received()
        #expect(after.map(\.isHeader) == [true, true, false])
        #expect(after.allSatisfy { $0.timestamp >= 1_000 })
        #expect(viewer.ending == nil)
        #expect(packager.list.contains(.discontinuity))
    }

    @Test("A dropped publisher may return within the window")
    func aDroppedPublisherMayReturnWithinTheWindow() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        bench.picture(500, isKeyframe: true)
        let viewer = bench.viewer()
        _ = try viewer.received()
        bench.hub.end(bench.publisher.id, isOrderly: false)
        bench.loop.advanceTime(by: .seconds(29))
        #expect(viewer.ending == nil)
        try bench.publish()
        bench.loop.advanceTime(by: .seconds(60))
        bench.headers()
        bench.picture(0, isKeyframe: true)
        #expect(viewer.ending == nil)
        #expect(try viewer.received().count == 3)
        #expect(packager.list.filter { $0 == .lost }.count == 1)
        #expect(bench.endings.value == 0)
    }

    @Test("A publisher that does not return ends the stream for everybody")
    func aPublisherThatDoesNotReturnEndsTheStreamForEverybody() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        let viewer = bench.viewer()
        bench.hub.end(bench.publisher.id, isOrderly: false)
        bench.loop.advanceTime(by: .seconds(30))
        #expect(viewer.ending == .streamEnded)
        #expect(packager.list.last == .ended)
        #expect(bench.endings.value == 1)
        #expect(throws: StreamHub.Rejection.ended) { try bench.publish() }
        #expect(!bench.viewer().isAttached)
    }

    @Test(
        "An orderly unpublish ends the stream at once unless its settings say otherwise",
        arguments: [(true, true), (false, false)])
    func anOrderlyUnpublishEndsAtOnceUnlessTheStreamSaysOtherwise(endsOnUnpublish: Bool, isOver: Bool) throws {
        var settings = HubSettings()
        settings.endsOnUnpublish = endsOnUnpublish
        let bench = HubBench(settings)
        try bench.publish()
        bench.headers()
        bench.hub.end(bench.publisher.id, isOrderly: true)
        bench.loop.run()
        #expect(bench.hub.isEnded == isOver)
    }

    @Test("A publisher that was replaced can no longer send or end")
    func aPublisherThatWasReplacedCanNoLongerSendOrEnd() throws {
        var settings = HubSettings()
        settings.takeoverAfter = .zero
        let bench = HubBench(settings)
        try bench.publish()
        let first = bench.publisher
        try bench.publish()
        bench.hub.receive(
            StreamSample(.audio, timestamp: 0, body: HubBench.audioHeader), from: first.id)
        #expect(bench.hub.tracks.isEmpty)
        bench.hub.end(first.id, isOrderly: true)
        #expect(bench.hub.isOnAir)
    }

    @Test("Packagers learn of tracks before the first access unit, and of jumps")
    func packagersLearnOfTracksBeforeTheFirstUnitAndOfJumps() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        bench.picture(10_000, isKeyframe: true)
        #expect(
            packager.list == [
                .tracks(video: true, audio: false), .tracks(video: true, audio: true),
                .unit(milliseconds: 0, isVideo: true), .discontinuity, .unit(milliseconds: 10_000, isVideo: true),
            ])
    }

    @Test("Audio that is always ten seconds away from its video is no jump")
    func tracksFarApart() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        for frame in 0..<50 {
            bench.picture(Int64(frame) * 40, isKeyframe: frame.isMultiple(of: 25))
            bench.sound(10_000 + Int64(frame) * 40)
        }
        #expect(!packager.list.contains(.discontinuity))
    }

    @Test("Metadata and headers with timestamp 0 in mid-stream are no jump, and reach viewers at the stream's time")
    func headersOfTimeZero() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers(at: 70_000)
        bench.picture(72_000, isKeyframe: true)
        let viewer = bench.viewer()
        _ = try viewer.received()
        bench.metadata(at: 0)
        bench.headers(at: 0)
        bench.picture(72_040)
        #expect(!packager.list.contains(.discontinuity))
        // The metadata's own 0 is what players expect of it.
        #expect(try viewer.received().map(\.timestamp) == [0, 72_000, 72_000, 72_040])
    }

    @Test("The opening metadata carries timestamp 0, whatever the stream's time")
    func openingMetadata() throws {
        let bench = HubBench()
        try bench.publish()
        bench.metadata(at: 72_000)
        bench.headers(at: 72_000)
        bench.picture(72_021, isKeyframe: true)
        let opening = try bench.viewer().received()
        #expect(opening.map(\.type) == [18, 9, 8, 9])
        #expect(opening.map(\.timestamp) == [0, 72_021, 72_021, 72_021])
    }

    @Test("Whoever joins gets colour information, channel orders and the headers of every track")
    func joinHeaders() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        // Enhanced RTMP: VideoPacketType.Metadata of hvc1, MultichannelConfig of Opus, and a header of video track 1.
        bench.send(.video, 0, ByteBuffer(bytes: [0x94] + Array("hvc1".utf8) + [2, 0, 0]))
        bench.send(.audio, 0, ByteBuffer(bytes: [0x94] + Array("Opus".utf8) + [1, 2]))
        bench.send(.video, 0, ByteBuffer(bytes: [0x96, 0x00] + Array("avc1".utf8) + [1, 9, 9]))
        bench.picture(0, isKeyframe: true)
        let kinds = try bench.viewer().received().map(\.type)
        #expect(kinds == [9, 9, 9, 8, 8, 9])
    }

    @Test("A header that comes after a keyframe is not what that keyframe's viewers start with")
    func headersOfTheirTime() throws {
        var settings = HubSettings()
        settings.latency = .milliseconds(100)
        let bench = HubBench(settings)
        try bench.publish()
        bench.send(.video, 0, HubBench.videoHeader(profile: 0x42))
        bench.hub.receive(bench.frame(0, isKeyframe: true), from: bench.publisher.id)
        let other = StreamSample(.video, timestamp: 40, body: HubBench.videoHeader(profile: 0x4D))
        bench.hub.receive(other, from: bench.publisher.id)
        let viewer = bench.viewer()
        bench.hub.readComplete()
        let bodies = try viewer.bodies()
        #expect(bodies.map { $0.getInteger(at: 6, as: UInt8.self) }.first == 0x42)
    }

    @Test("Video frames before a new publisher's first keyframe reach nobody")
    func framesWithoutReference() throws {
        var settings = HubSettings()
        settings.takeoverAfter = .zero
        let bench = HubBench(settings)
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        let viewer = bench.viewer()
        _ = try viewer.received()
        try bench.publish()
        bench.headers()
        bench.picture(500)
        bench.picture(540)
        bench.picture(580, isKeyframe: true)
        #expect(try viewer.received().map(\.isHeader) == [true, true, false])
    }

    @Test("Viewers on another message stream share one copy, which is counted until they have it")
    func sharedCopies() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        let viewers = (0..<50).map { _ in bench.viewer(messageStreamID: 2, holdsWrites: true) }
        bench.picture(0, isKeyframe: true, size: 60_000)
        bench.loop.advanceTime(by: .milliseconds(100))
        // One shared write and one copy, each of its own size: not fifty.
        #expect(bench.hub.memory.used > 120_000)
        #expect(bench.hub.memory.used < 125_000)
        // The copies of the first write are forgotten with the next one, and only their viewers still hold them.
        bench.picture(40, isKeyframe: true, size: 100)
        bench.loop.advanceTime(by: .milliseconds(100))
        #expect(bench.hub.memory.used > 120_000)
        for viewer in viewers {
            viewer.letWritesGo()
            #expect(try viewer.received().map(\.streamID).allSatisfy { $0 == 2 })
        }
        #expect(bench.hub.memory.used < 65_000)
    }

    @Test("A push whose timestamps begin at zero starts there")
    func timestampsFromZero() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers(at: 20_000_000)
        bench.picture(20_000_000, isKeyframe: true)
        let push = bench.viewer(timestampsFromZero: true)
        bench.picture(20_000_040)
        #expect(try push.received().map(\.timestamp) == [0, 0, 0, 40])
    }

    @Test("Nothing is chunked for a stream that has no RTMP subscriber, and only the newest GOP is kept")
    func lazyChunking() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        for frame in 0..<500 { bench.picture(Int64(frame) * 40, isKeyframe: frame.isMultiple(of: 25), size: 1_000) }
        #expect(bench.hub.memory.used < 80_000)
        let viewer = bench.viewer()
        #expect(try viewer.received().count == 2 + 25)
        #expect(bench.hub.fanoutCount == 1)
        // When the last subscriber has left, the next keyframe ends it.
        bench.hub.detach(viewer.reader)
        #expect(bench.hub.fanoutCount == 0)
        for frame in 500..<1_000 { bench.picture(Int64(frame) * 40, isKeyframe: frame.isMultiple(of: 25), size: 1_000) }
        #expect(bench.hub.memory.used < 80_000)
    }

    @Test("Messages that share one storage do not each count the whole of it")
    func sharedStorage() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        var storage = ByteBuffer()
        let frames = (0..<200).compactMap { bench.frame(Int64($0) * 40, isKeyframe: $0 == 0, size: 10_000).body }
        for frame in frames { storage.writeImmutableBuffer(frame) }
        for (number, frame) in frames.enumerated() {
            let slice = storage.readSlice(length: frame.readableBytes)
            bench.send(.video, Int64(number) * 40, try #require(slice))
        }
        // Two megabytes of one GOP, far below the ring's limit: a viewer starts at its keyframe.
        #expect(try bench.viewer().received().count == 2 + 200)
    }

    @Test("An encoder that vanishes before it sent anything is not waited for")
    func vanishedEarly() throws {
        let bench = HubBench()
        try bench.publish()
        bench.hub.end(bench.publisher.id, isOrderly: false)
        #expect(bench.hub.isEnded)
        #expect(bench.endings.value == 1)
    }

    @Test("A publisher knows that it was sent away before its connection is told")
    func sentAway() throws {
        var settings = HubSettings()
        settings.takeoverAfter = .zero
        let bench = HubBench(settings)
        try bench.publish()
        let first = bench.publisher
        #expect(first.ending == nil)
        try bench.publish()
        #expect(first.ending == .takenOver)
    }

    @Test("Metadata that is small on the wire and huge written out is not reported")
    func hugeMetadata() throws {
        let text = String(repeating: "x", count: 4_000)
        let small = AMFValue.object(["title": .string(text)])
        let huge = AMFValue.object(["titles": .strictArray(Array(repeating: .string(text), count: 10_000))])
        for (metadata, isReported) in [(small, true), (huge, false)] {
            var machine = HubMachine(settings: HubSettings())
            let publisher = HubBench().publisher
            let body = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.object(["width": 128])]).body
            let message = StreamSample(.data, timestamp: 0, body: body, metadata: metadata)
            var actions: [HubMachine.Action] = []
            let moment = HubMachine.Moment(now: .now(), wallClock: 0)
            machine.handle(.publish(publisher), at: moment, into: &actions)
            machine.handle(.sample(message, from: publisher.id), at: moment, into: &actions)
            #expect((machine.metadata != nil) == isReported)
            // Viewers and pushes get the encoder's own bytes.
            #expect(machine.metadataBody == body)
        }
    }

    @Test("A viewer that takes nothing is closed in its time, also while the stream waits for its publisher")
    func slowWithoutMedia() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        let (slow, other) = (bench.viewer(), bench.viewer())
        slow.channel.isWritable = false
        bench.picture(40)
        bench.hub.end(bench.publisher.id, isOrderly: false)
        bench.loop.advanceTime(by: .seconds(20))
        #expect(slow.ending == nil)
        bench.loop.advanceTime(by: .seconds(2))
        #expect(slow.ending == .tooSlow)
        // The publisher has thirty seconds to return, and whoever keeps up waits for it.
        #expect(other.ending == nil)
        bench.loop.advanceTime(by: .seconds(8))
        #expect(other.ending == .streamEnded)
    }

    @Test("While memory is short, only the newest GOP is kept for viewers who come")
    func shortRing() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        let viewer = bench.viewer()
        func gops(_ numbers: Range<Int64>) {
            for frame in numbers.lowerBound * 10..<numbers.upperBound * 10 {
                bench.picture(frame * 40, isKeyframe: frame.isMultiple(of: 10), size: 10_000)
            }
        }
        gops(0..<5)
        #expect(bench.hub.memory.used > 5 * 100_000)
        let others = bench.hub.memory.ceiling / 100 * 81
        bench.hub.memory.change(by: others)
        gops(5..<7)
        #expect(bench.hub.memory.used - others < 3 * 100_000)
        // Whoever watches has had it all.
        #expect(try viewer.received().filter { !$0.isHeader }.count == 70)
        bench.hub.memory.change(by: -others)
    }

    @Test("What a stream holds is counted, and given back at its end")
    func memoryIsCountedAndGivenBack() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true, size: 5_000)
        #expect(bench.hub.memory.used > 5_000)
        bench.hub.close()
        #expect(bench.hub.memory.used == 0)
    }
}
