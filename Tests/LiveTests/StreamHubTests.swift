import NIOCore
import Testing

@testable import Live

@Suite struct StreamHubTests {
    typealias Message = BenchViewer.Message

    @Test func aNewViewerStartsWithHeadersOnTheNewestKeyframeAndThenGetsEverything() throws {
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

    @Test func withoutAKeyframeAViewerWaitsForOne() throws {
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

    @Test func anAudioOnlyStreamStartsAnywhere() throws {
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

    @Test func anotherMessageStreamGetsItsOwnID() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        #expect(try bench.viewer(messageStreamID: 3).received().allSatisfy { $0.streamID == 3 })
    }

    @Test func aSlowViewerIsMovedToANewerKeyframeAndNeverGetsPicturesWithoutTheirReference() throws {
        var settings = HubSettings()
        settings.ring = WriteRing.Limits(bytes: 3_000, time: .init(milliseconds: 60_000))
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

    @Test func pauseStopsDeliveryAndResumingStartsOnAKeyframe() throws {
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

    @Test func aSecondPublisherIsRefusedWhileTheFirstSends() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        #expect(throws: StreamHub.Rejection.busy) { try bench.publish() }
        #expect(bench.dismissals.list.isEmpty)
    }

    @Test func aSilentPublisherIsTakenOverAndViewersStay() throws {
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
        #expect(after.allSatisfy { $0.timestamp >= 1_020 })
        #expect(viewer.ending == nil)
        #expect(packager.list.contains(.discontinuity))
    }

    @Test func aDroppedPublisherMayReturnWithinTheWindow() throws {
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

    @Test func aPublisherThatDoesNotReturnEndsTheStreamForEverybody() throws {
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

    @Test(arguments: [(true, true), (false, false)])
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

    @Test func aPublisherThatWasReplacedCanNoLongerSendOrEnd() throws {
        var settings = HubSettings()
        settings.takeoverAfter = .zero
        let bench = HubBench(settings)
        try bench.publish()
        let first = bench.publisher
        try bench.publish()
        bench.hub.receive(
            ReceivedMessage(kind: .audio, timestamp: 0, body: HubBench.audioHeader, metadata: nil), from: first.id)
        #expect(bench.hub.tracks.isEmpty)
        bench.hub.end(first.id, isOrderly: true)
        #expect(bench.hub.isOnAir)
    }

    @Test func packagersLearnOfTracksBeforeTheFirstUnitAndOfJumps() throws {
        let bench = HubBench()
        let packager = NotingPackager()
        bench.hub.attach(packager)
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true)
        bench.sound(10_000)
        #expect(
            packager.list == [
                .tracks(video: true, audio: false), .tracks(video: true, audio: true),
                .unit(milliseconds: 0, isVideo: true), .discontinuity, .unit(milliseconds: 10_000, isVideo: false),
            ])
    }

    @Test func memoryIsCountedAndGivenBack() throws {
        let bench = HubBench()
        try bench.publish()
        bench.headers()
        bench.picture(0, isKeyframe: true, size: 5_000)
        #expect(bench.hub.memory.used > 5_000)
        bench.hub.finish()
        #expect(bench.hub.memory.used == 0)
    }
}
