import Media
import NIOCore
import RTMP
import Testing

@testable import Live

@Suite struct WriteRingTests {
    private func batch(_ sequence: Int64, bytes: Int, at milliseconds: Int64, isStart: Bool = false) -> MergedWrite {
        var run = ChunkedMessages()
        run.append(
            StreamSample(
                kind: .video, timestamp: MediaTime(milliseconds: milliseconds),
                body: ByteBuffer(repeating: 7, count: bytes - 12), content: .other))
        let time = MediaTime(milliseconds: milliseconds)
        return MergedWrite(
            sequence: sequence, run: run, firstTime: time, lastTime: time, videoFrames: 1,
            joinPoint: isStart ? JoinPoint(metadata: nil, video: nil, audio: nil, at: time) : nil)
    }

    @Test func itCountsBytesAndKeepsPositions() {
        var ring = WriteRing(limits: .init(bytes: 1_000, time: MediaTime(milliseconds: 1_000)))
        ring.append(batch(0, bytes: 100, at: 0, isStart: true))
        ring.append(batch(1, bytes: 50, at: 40))
        #expect(ring.byteCount == 150)
        #expect(ring.nextSequence == 2)
        #expect(ring.oldestSequence == 0)
        #expect(ring.newestStartSequence == 0)
        #expect(ring[1]?.sequence == 1)
        #expect(ring[2] == nil)
        #expect(ring[-1] == nil)
    }

    @Test func theByteCapDropsTheOldestAndANewViewerThenWaitsForTheNextKeyframe() {
        var ring = WriteRing(limits: .init(bytes: 250, time: MediaTime(milliseconds: 60_000)))
        ring.append(batch(0, bytes: 100, at: 0, isStart: true))
        ring.append(batch(1, bytes: 100, at: 40))
        ring.append(batch(2, bytes: 100, at: 80))
        #expect(ring.oldestSequence == 1)
        #expect(ring.byteCount == 200)
        #expect(ring.newestStartSequence == nil)
        ring.append(batch(3, bytes: 100, at: 120, isStart: true))
        #expect(ring.newestStartSequence == 3)
    }

    @Test func timeDropsOnlyWhatIsOlderThanTheNewestGOP() {
        var ring = WriteRing(limits: .init(bytes: 1 << 20, time: MediaTime(milliseconds: 1_000)))
        ring.append(batch(0, bytes: 20, at: 0, isStart: true))
        ring.append(batch(1, bytes: 20, at: 2_000))
        // One long GOP: nothing can go.
        #expect(ring.oldestSequence == 0)
        ring.append(batch(2, bytes: 20, at: 2_500, isStart: true))
        #expect(ring.oldestSequence == 1)
        ring.append(batch(3, bytes: 20, at: 9_000))
        #expect(ring.oldestSequence == 2)
        #expect(ring.newestStartSequence == 2)
    }

    @Test func oneBatchLargerThanTheCapIsHeldAlone() {
        var ring = WriteRing(limits: .init(bytes: 50, time: MediaTime(milliseconds: 1_000)))
        ring.append(batch(0, bytes: 40, at: 0, isStart: true))
        ring.append(batch(1, bytes: 90, at: 40, isStart: true))
        #expect(ring.oldestSequence == 1)
        #expect(ring.byteCount == 90)
    }
}

@Suite struct ChunkedRunTests {
    private let audio = StreamSample(
        kind: .audio, timestamp: MediaTime(milliseconds: 20), body: ByteBuffer(bytes: [0xAF, 1, 9]), content: .other)
    private let video = StreamSample(
        kind: .video, timestamp: MediaTime(milliseconds: 40), body: ByteBuffer(bytes: [0x27, 1, 0, 0, 0]),
        content: .other)

    private var run: ChunkedMessages {
        var run = ChunkedMessages()
        run.append(audio)
        run.append(video)
        return run
    }

    @Test func messagesAreFullHeadersForStreamOne() {
        #expect(
            Array(run.bytes(messageStreamID: 1, filter: .init()).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 1, 0, 0, 0, 0xAF, 1, 9,
                6, 0, 0, 40, 0, 0, 5, 9, 1, 0, 0, 0, 0x27, 1, 0, 0, 0,
            ])
    }

    @Test func anotherStreamIDGetsAPatchedCopy() {
        #expect(
            Array(run.bytes(messageStreamID: 0x0102, filter: .init()).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 2, 1, 0, 0, 0xAF, 1, 9,
                6, 0, 0, 40, 0, 0, 5, 9, 2, 1, 0, 0, 0x27, 1, 0, 0, 0,
            ])
    }

    @Test func aFilterLeavesKindsOut() {
        var filter = ChunkedMessages.Filter()
        filter.video = false
        #expect(
            Array(run.bytes(messageStreamID: 1, filter: filter).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 1, 0, 0, 0, 0xAF, 1, 9,
            ])
    }
}

@Suite struct FlushPolicyTests {
    @Test(
        arguments: [
            (0, nil), (15, nil), (16, 10), (63, 10), (64, 25), (255, 25), (256, 50), (1_023, 50), (1_024, 100),
            (50_000, 100),
        ] as [(Int, Int64?)])
    func gatheringGrowsWithTheReaders(readers: Int, milliseconds: Int64?) {
        #expect(
            FlushPolicy.interval(readers: readers, latency: .milliseconds(100))
                == milliseconds.map { .milliseconds($0) })
    }

    @Test func theBudgetIsTheMost() {
        #expect(FlushPolicy.interval(readers: 50_000, latency: .milliseconds(20)) == .milliseconds(20))
        #expect(FlushPolicy.interval(readers: 50_000, latency: .zero) == nil)
    }
}

@Suite struct RateMeterTests {
    @Test func ratesAreOverTheWholeSecondsPast() {
        var meter = RateMeter()
        #expect(meter.rates(now: MediaTime(milliseconds: 0)) == (0, 0))
        for frame in 0..<50 {
            meter.add(bytes: 1_000, isFrame: true, now: MediaTime(milliseconds: Int64(frame) * 40))
        }
        // Two whole seconds of 25 pictures of 1,000 bytes.
        let rates = meter.rates(now: MediaTime(milliseconds: 2_000))
        #expect(rates.bitsPerSecond == 200_000)
        #expect(rates.framesPerSecond == 25)
    }

    @Test func silenceBringsThemToZero() {
        var meter = RateMeter()
        meter.add(bytes: 1_000, isFrame: true, now: MediaTime(milliseconds: 0))
        #expect(meter.rates(now: MediaTime(milliseconds: 9_000)) == (0, 0))
    }
}

@Suite struct StreamAddressTests {
    @Test(arguments: [
        ("demo-live", "play", "demo-origin", "live"), ("demo-channel", "play", "demo-chorigin", "live"),
        ("demo-origin", "live", "demo-origin", "live"), ("demo-vod", "other", "demo-vod", "other"),
    ])
    func playbackAliasesNameTheOrigin(app: String, instance: String, origin: String, live: String) {
        let address = StreamAddress(app: app, instance: instance, stream: "s")
        #expect(address.forPlayback == StreamAddress(app: origin, instance: live, stream: "s"))
    }

    @Test(arguments: [("a", true), ("A-b_c.d~9", true), ("", false), (".a", false), ("a/b", false), ("é", false)])
    func namesAreOfAFewCharacters(name: String, isValid: Bool) {
        #expect(StreamAddress.isValidName(name) == isValid)
    }
}
