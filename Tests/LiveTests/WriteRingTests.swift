import Basics
import Media
import NIOCore
import RTMP
import Testing

@testable import Live

@Suite struct WriteRingTests {
    private func write(_ sequence: Int64, bytes: Int, at milliseconds: Int64, isStart: Bool = false) -> MergedWrite {
        let time = MediaTime(milliseconds: milliseconds)
        let messages = ChunkedMessages([
            StreamSample(track: .video, time: time, content: .other, body: ByteBuffer(repeating: 7, count: bytes))
        ])
        return MergedWrite(
            sequence: sequence, messages: messages, firstTime: time, lastTime: time, videoFrames: 1,
            joinPoint: isStart ? JoinPoint(JoinHeaders(), at: time) : nil)
    }

    @Test("The ring counts what its writes hold and keeps positions")
    func positions() {
        var ring = WriteRing(limits: .init(bytes: 10_000, time: MediaTime(milliseconds: 1_000)))
        let first = write(0, bytes: 100, at: 0, isStart: true)
        let second = write(1, bytes: 50, at: 40)
        ring.append(first)
        ring.append(second)
        #expect(ring.heldBytes == first.heldBytes + second.heldBytes)
        #expect(first.heldBytes >= first.messages.bytes.storageCapacity)
        #expect(ring.nextSequence == 2)
        #expect(ring.oldestSequence == 0)
        #expect(ring.newestJoinSequence == 0)
        #expect(ring[1]?.sequence == 1)
        #expect(ring[2] == nil)
        #expect(ring[-1] == nil)
    }

    @Test("The byte cap drops the oldest, and a new viewer then waits for the next keyframe")
    func byteCap() {
        let each = write(0, bytes: 100, at: 0).heldBytes
        var ring = WriteRing(limits: .init(bytes: each * 5 / 2, time: MediaTime(milliseconds: 60_000)))
        ring.append(write(0, bytes: 100, at: 0, isStart: true))
        ring.append(write(1, bytes: 100, at: 40))
        ring.append(write(2, bytes: 100, at: 80))
        #expect(ring.oldestSequence == 1)
        #expect(ring.heldBytes == 2 * each)
        #expect(ring.newestJoinSequence == nil)
        ring.append(write(3, bytes: 100, at: 120, isStart: true))
        #expect(ring.newestJoinSequence == 3)
    }

    @Test("Time drops only what is older than the newest GOP")
    func timeCap() {
        var ring = WriteRing(limits: .init(bytes: 1 << 20, time: MediaTime(milliseconds: 1_000)))
        ring.append(write(0, bytes: 20, at: 0, isStart: true))
        ring.append(write(1, bytes: 20, at: 2_000))
        // One long GOP: nothing can go.
        #expect(ring.oldestSequence == 0)
        ring.append(write(2, bytes: 20, at: 2_500, isStart: true))
        #expect(ring.oldestSequence == 1)
        ring.append(write(3, bytes: 20, at: 9_000))
        #expect(ring.oldestSequence == 2)
        #expect(ring.newestJoinSequence == 2)
    }

    @Test("One write larger than the cap is held alone")
    func largeWrite() {
        var ring = WriteRing(limits: .init(bytes: 50, time: MediaTime(milliseconds: 1_000)))
        ring.append(write(0, bytes: 40, at: 0, isStart: true))
        ring.append(write(1, bytes: 90, at: 40, isStart: true))
        #expect(ring.oldestSequence == 1)
        #expect(ring[1] != nil)
    }
}

@Suite struct ChunkedMessagesTests {
    private func messages(at milliseconds: Int64 = 0, filler: Int = 0) -> ChunkedMessages {
        var video = ByteBuffer(bytes: [0x27, 1, 0, 0, 0])
        video.writeRepeatingByte(0x5A, count: filler)
        return ChunkedMessages([
            StreamSample(
                track: .audio, time: MediaTime(milliseconds: milliseconds + 20), content: .other,
                body: ByteBuffer(bytes: [0xAF, 1, 9])),
            StreamSample(track: .video, time: MediaTime(milliseconds: milliseconds + 40), content: .other, body: video),
        ])
    }

    @Test("Messages have full headers for message stream 1")
    func shared() {
        #expect(
            Array(messages().bytes(in: .init()).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 1, 0, 0, 0, 0xAF, 1, 9,
                6, 0, 0, 40, 0, 0, 5, 9, 1, 0, 0, 0, 0x27, 1, 0, 0, 0,
            ])
    }

    @Test("Another message stream id gets a patched copy")
    func otherStream() {
        #expect(
            Array(messages().bytes(in: .init(messageStreamID: 0x0102)).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 2, 1, 0, 0, 0xAF, 1, 9,
                6, 0, 0, 40, 0, 0, 5, 9, 2, 1, 0, 0, 0x27, 1, 0, 0, 0,
            ])
    }

    @Test("A filter leaves kinds out")
    func filter() {
        var filter = ChunkedMessages.Filter()
        filter.video = false
        #expect(
            Array(messages().bytes(in: .init(filter: filter)).readableBytesView) == [
                4, 0, 0, 20, 0, 0, 3, 8, 1, 0, 0, 0, 0xAF, 1, 9,
            ])
    }

    @Test("A subscriber whose timestamps begin at zero gets no extended ones", arguments: [0, 70_000, 140_000])
    func timeBase(filler: Int) {
        // Five hours into the stream, every chunk carries an extended timestamp.
        let hours: Int64 = 18_000_000
        let copy = messages(at: hours, filler: filler).bytes(in: .init(timeBase: UInt32(hours)))
        #expect(copy == messages(filler: filler).bytes(in: .init()))
        // Earlier in the stream the header is patched where it stands.
        let early = messages(at: 90_000, filler: filler).bytes(in: .init(timeBase: 90_000))
        #expect(early == messages(filler: filler).bytes(in: .init()))
    }

    @Test("What lies before the base, and what carries 0, stays at 0")
    func beforeTheBase() {
        let copy = messages(at: 1_000).bytes(in: .init(timeBase: 1_030))
        #expect(copy.getBytes(at: 1, length: 3) == [0, 0, 0])
        #expect(copy.getBytes(at: 16, length: 3) == [0, 0, 10])
    }
}

@Suite struct FlushPolicyTests {
    @Test(
        "Gathering grows with the viewers of the event loop, not of the stream",
        arguments: [
            (0, nil), (15, nil), (16, 10), (63, 10), (64, 25), (255, 25), (256, 50), (1_023, 50), (1_024, 100),
            (50_000, 100),
        ] as [(Int, Int64?)])
    func viewers(onLoop: Int, milliseconds: Int64?) {
        #expect(
            FlushPolicy.interval(viewers: 1, load: .init(viewers: onLoop), latency: .milliseconds(100))
                == milliseconds.map { .milliseconds($0) })
    }

    @Test("An event loop that is late gathers longer")
    func lag() {
        let interval = FlushPolicy.interval(
            viewers: 3, load: .init(viewers: 3, lag: .milliseconds(30)), latency: .milliseconds(100))
        #expect(interval == .milliseconds(60))
    }

    @Test("A stream that only pushes take gathers")
    func pushes() {
        #expect(
            FlushPolicy.interval(viewers: 0, load: .init(), latency: .milliseconds(100)) == .milliseconds(50))
    }

    @Test("The budget is the most")
    func budget() {
        let crowd = LoopLoad.Reading(viewers: 50_000, lag: .seconds(2))
        #expect(FlushPolicy.interval(viewers: 9, load: crowd, latency: .milliseconds(20)) == .milliseconds(20))
        #expect(FlushPolicy.interval(viewers: 9, load: crowd, latency: .zero) == nil)
    }
}

@Suite struct RateMeterTests {
    @Test("Rates are those of the whole seconds past")
    func ratesAreOverTheWholeSecondsPast() {
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

    @Test("Silence brings the rates to zero")
    func silenceBringsThemToZero() {
        var meter = RateMeter()
        meter.add(bytes: 1_000, isFrame: true, now: MediaTime(milliseconds: 0))
        #expect(meter.rates(now: MediaTime(milliseconds: 9_000)) == (0, 0))
    }
}

@Suite struct StreamAddressTests {
    @Test(
        "Playback aliases name the origin",
        arguments: [
            ("demo-live", "play", "demo-origin", "live"), ("demo-channel", "play", "demo-chorigin", "live"),
            ("demo-origin", "live", "demo-origin", "live"), ("demo-vod", "other", "demo-vod", "other"),
        ])
    func playbackAliasesNameTheOrigin(app: String, instance: String, origin: String, live: String) {
        let address = StreamAddress(app: app, instance: instance, stream: "s")
        #expect(address.forPlayback == StreamAddress(app: origin, instance: live, stream: "s"))
    }

    @Test(
        "Names are of letters, digits and a few other characters",
        arguments: [("a", true), ("A-b_c.d~9", true), ("", false), (".a", false), ("a/b", false), ("é", false)])
    func namesAreOfAFewCharacters(name: String, isValid: Bool) {
        #expect(StreamAddress.isValidName(name) == isValid)
        #expect((StreamAddress(app: "a", instance: "b", stream: name).fault == nil) == isValid)
    }

    @Test(
        "What is wrong with a name is said, and of which",
        arguments: [
            (["x-origin", "live", "my show"], "the stream's name holds a space"),
            (["x-origin", "live/a", "s"], "the instance's name holds a slash"),
            (["x-origin", "live", "é"], "the stream's name holds a character that is not allowed"),
            (["", "live", "a b"], "the app's name is empty"),
            (["x", "live", ".s"], "the stream's name begins with a dot"),
            (["x", "live", String(repeating: "s", count: 129)], "the stream's name is longer than 128 bytes"),
        ])
    func faults(names: [String], fault: String) {
        #expect(StreamAddress(app: names[0], instance: names[1], stream: names[2]).fault == fault)
    }
}
