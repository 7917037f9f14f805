import Foundation
import Media
import NIOCore
import NIOEmbedded
import RTMP
import Testing

@testable import Live

/// What one message costs, with and without viewers. A measurement, not a check: it runs when `PLAYHOUSE_BENCH` is set, in
/// a release build.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PLAYHOUSE_BENCH"] != nil), .serialized)
struct HubThroughputTests {
    @Test("Cost of a message", arguments: [0, 1, 100, 1_000])
    func cost(viewers: Int) throws {
        let bench = HubBench()
        try bench.publish()
        bench.hub.attach(NullPackager())
        bench.headers()
        let watchers = (0..<viewers).map { _ in bench.viewer() }
        let keyframe = frame(isKeyframe: true, size: 20_000)
        let inter = frame(isKeyframe: false, size: 2_500)
        let audio = TagBuilder.codedFrames(
            AccessUnit(
                codec: .audio(.aac), decodeTime: .zero, isKeyframe: true, payload: ByteBuffer(repeating: 3, count: 180))
        )
        let frames = viewers > 0 ? 200_000 / (viewers + 20) : 200_000
        var spent = Duration.zero
        let clock = ContinuousClock()
        for number in 0..<frames {
            let time = Int64(number) * 40
            spent += clock.measure {
                bench.send(.video, time, number.isMultiple(of: 50) ? keyframe : inter)
                bench.send(.audio, time, audio)
                bench.send(.audio, time + 20, audio)
            }
            if number.isMultiple(of: 4) {
                bench.loop.advanceTime(by: .milliseconds(160))
                for watcher in watchers { while try watcher.channel.readOutbound(as: ByteBuffer.self) != nil {} }
            }
        }
        let each = spent / (frames * 3)
        print("hub cost, \(viewers) viewers: \(each) a message, \(each / max(1, viewers)) a message and viewer")
    }

    private func frame(isKeyframe: Bool, size: Int) -> ByteBuffer {
        TagBuilder.codedFrames(
            AccessUnit(
                codec: .video(.avc), decodeTime: .zero, isKeyframe: isKeyframe,
                payload: ByteBuffer(repeating: 5, count: size)))
    }
}

private final class NullPackager: StreamPackager {
    func tracksChanged(_ tracks: TrackSet) {}
    func receive(_ sample: StreamSample, wallClock: Int64) {}
    func discontinuity() {}
    func publisherLost() {}
    func streamEnded() {}
}
