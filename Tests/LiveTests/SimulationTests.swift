import Foundation
import Media
import NIOCore
import RTMP
import TestSupport
import Testing

@testable import Live

/// Random histories of one stream in virtual time, judged by what every viewer and packager may rely on.
///
/// A failing history names its seed; `PLAYHOUSE_SIMULATION_SEED=<seed>` plays it alone, `PLAYHOUSE_SIMULATION_HISTORIES`
/// says how many are played.
@Suite struct SimulationTests {
    @Test("Every viewer gets a decodable stream whatever happens")
    func histories() {
        let environment = ProcessInfo.processInfo.environment
        var seeds: Range<UInt64> = 0..<(environment["PLAYHOUSE_SIMULATION_HISTORIES"].flatMap { UInt64($0) } ?? 500)
        if let seed = environment["PLAYHOUSE_SIMULATION_SEED"].flatMap({ UInt64($0) }) { seeds = seed..<seed + 1 }
        for seed in seeds {
            var history = History(seed: seed)
            history.play()
            if let complaint = history.complaints.first {
                Issue.record("PLAYHOUSE_SIMULATION_SEED=\(seed): \(complaint)")
                return
            }
        }
    }
}

/// What a frame says of itself, in its payload.
private struct Mark {
    /// Changes with every publisher and every jump in time.
    var timeBase: UInt32
    /// The version of the header that its decoder needs.
    var version: UInt8
    /// Counts GOPs and, in them, frames.
    var gop: UInt32
    var frame: UInt32

    var payload: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(timeBase, version, gop, frame)
        bytes.writeRepeatingByte(0xAA, count: 200)
        return bytes
    }

    init(timeBase: UInt32, version: UInt8, gop: UInt32, frame: UInt32) {
        (self.timeBase, self.version, self.gop, self.frame) = (timeBase, version, gop, frame)
    }

    init?(_ payload: ByteBuffer) {
        var payload = payload
        guard let fields = payload.readMultipleIntegers(as: (UInt32, UInt8, UInt32, UInt32).self) else { return nil }
        (timeBase, version, gop, frame) = fields
    }
}

/// An encoder.
private struct Encoder {
    let publisher = Publisher(
        info: PublisherInfo(address: "192.0.2.1", software: "", transport: "rtmp", user: "", connected: .distantPast)
    ) { _ in }
    var clock: Int64
    /// What the audio is away from the video.
    var audioOffset: Int64
    var hasVideo: Bool
    var hasSecondVideo: Bool
    /// It speaks another protocol than RTMP: what it sends has no bodies.
    var sendsSamples: Bool
    /// Of the header it has sent; 0: none.
    var version: UInt8 = 0
    var frame: UInt32 = 0
}

/// A viewer's decoder: complains of what it cannot decode.
private struct Decoder {
    var version: UInt8?
    var last: Mark?
    var isJoining = true
    /// Video was left out at its own wish.
    var hasGap = false
    var times: [UInt8: (base: UInt32, time: UInt32)] = [:]
}

private final class Viewer {
    var cursor = ReadCursor()
    var decoder = Decoder()
    var filter = ChunkedMessages.Filter()
    var inFlight = 0
    let loop: Int
    let role: RTMPSubscriber.Role
    var isGone = false

    init(loop: Int, role: RTMPSubscriber.Role) {
        self.loop = loop
        self.role = role
    }

    var isWritable: Bool { inFlight < 4_000 }
}

private struct History {
    private enum Mail {
        case write(MergedWrite, oldest: Int64)
        case viewer(Viewer)
        case end
    }

    private static let limits = WriteRing.Limits(bytes: 40_000, time: MediaTime(milliseconds: 3_000))

    private var random: SeededGenerator
    private var machine: HubMachine
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private var timers: [HubMachine.Timer: NIODeadline] = [:]
    private var pressure = MemoryBudget.Pressure.none
    private var encoder: Encoder?
    private var timeBase: UInt32 = 0
    private var version: UInt8 = 0
    private var gop: UInt32 = 0
    /// Per event loop: its machine, while there are subscribers, and what has not reached it.
    private var fanouts: [FanoutMachine?] = [nil, nil]
    private var mail: [[Mail]] = [[], []]
    private var viewers: [Viewer] = []
    private var endings = 0
    private var actions: [HubMachine.Action] = []
    // What a packager has been told.
    private var packagerTimes: [TrackID: MediaTime] = [:]
    private var packagerTracks = TrackSet()
    private(set) var complaints: [String] = []

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
        var settings = HubSettings()
        settings.ring = History.limits
        settings.takeoverAfter = .seconds(5)
        settings.reconnectWindow = random.next() % 4 == 0 ? .zero : .seconds(30)
        machine = HubMachine(settings: settings)
    }

    private mutating func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }

    private mutating func complain(_ text: String) { complaints.append(text) }

    mutating func play() {
        start()
        for _ in 0..<120 where complaints.isEmpty {
            step()
            runTimers()
            checkMemory()
        }
        handle(.close(.draining))
        for loop in fanouts.indices { run(loop, all: true) }
        checkEnd()
    }

    private mutating func step() {
        now = now + .milliseconds(Int64(random.next() % 80))
        switch random.next() % 100 {
        case ..<62: send()
        case ..<70: run(Int(random.next() % 2), all: true)
        case ..<76: join()
        case ..<79: leave()
        case ..<86: viewers.randomElement(using: &random)?.inFlight = chance(60) ? 0 : 1 << 20
        case ..<88: pause()
        case ..<90: refilter()
        case ..<92: jump()
        case ..<94: changeCodec()
        case ..<95: pressure = MemoryBudget.Pressure.allCases.randomElement(using: &random) ?? .none
        case ..<97: drop()
        case ..<98: now = now + .seconds(Int64(random.next() % 40))
        default: start()
        }
    }

    // MARK: Publishing

    private mutating func start() {
        let next = Encoder(
            clock: Int64(random.next() % 5) * 1_000_000, audioOffset: chance(20) ? 10_000 : 3, hasVideo: !chance(15),
            hasSecondVideo: chance(20), sendsSamples: chance(30), frame: chance(30) ? 7 : 0)
        handle(.publish(next.publisher))
        let isAccepted = machine.currentPublisher === next.publisher
        guard isAccepted else { return }
        encoder = next
        timeBase += 1
        gop += 1
        if !chance(10) { announce() }
    }

    private mutating func announce() {
        guard let encoder else { return }
        version = version == 90 ? 1 : version + 1
        self.encoder?.version = version
        let metadata = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.object(["width": 128])])
        message(.data, 0, metadata.body, metadata: .object(["width": 128]))
        if encoder.hasVideo { message(.video, 0, HubBench.videoHeader(profile: version)) }
        message(.audio, 0, HubBench.audioHeader)
    }

    private mutating func changeCodec() {
        guard encoder != nil else { return }
        announce()
        encoder?.frame = 0
        gop += 1
    }

    private mutating func jump() {
        guard encoder != nil else { return }
        let step: Int64 = chance(50) ? 500_000 : -400_000
        encoder?.clock += step
        timeBase += 1
    }

    private mutating func drop() {
        guard let id = encoder?.publisher.id else { return }
        encoder = nil
        handle(.unpublish(id, isOrderly: chance(10)))
    }

    /// One read of the encoder's socket: up to four frames.
    private mutating func send() {
        for _ in 0...random.next() % 4 { sendFrame() }
        handle(.readComplete)
    }

    private mutating func sendFrame() {
        guard var encoder else { return }
        encoder.clock += 40
        if encoder.frame >= 12 || (encoder.frame > 0 && chance(4)) {
            encoder.frame = 0
            gop += 1
        }
        let isKeyframe = encoder.frame == 0
        let mark = Mark(timeBase: timeBase, version: encoder.version, gop: gop, frame: encoder.frame)
        encoder.frame += 1
        self.encoder = encoder
        if encoder.hasVideo {
            let unit = AccessUnit(
                codec: .video(.avc), decodeTime: .zero, isKeyframe: isKeyframe, payload: mark.payload)
            message(.video, encoder.clock, TagBuilder.codedFrames(unit))
        }
        if encoder.hasSecondVideo {
            var body = ByteBuffer(bytes: [isKeyframe ? 0x96 : 0xA6, 0x03] + Array("avc1".utf8) + [1])
            body.writeImmutableBuffer(mark.payload)
            message(.video, encoder.clock + 7, body)
        }
        let audio = AccessUnit(codec: .audio(.aac), decodeTime: .zero, isKeyframe: true, payload: mark.payload)
        message(.audio, max(0, encoder.clock + encoder.audioOffset), TagBuilder.codedFrames(audio))
    }

    private mutating func message(
        _ kind: TrackID.Kind, _ time: Int64, _ body: ByteBuffer, metadata: AMFValue? = nil
    ) {
        guard let encoder else { return }
        var sample = StreamSample(kind, timestamp: time, body: body, metadata: metadata)
        if encoder.sendsSamples {
            switch sample.content {
            case .accessUnit(let unit): sample = StreamSample(unit)
            case .configuration(let configuration?):
                sample = StreamSample(configuration, of: sample.track, time: sample.time)
            default: break
            }
        }
        handle(.sample(sample, from: encoder.publisher.id))
    }

    // MARK: Subscribing

    private mutating func join() {
        guard viewers.count < 5, machine.isOnAir else { return }
        let loop = Int(random.next() % 2)
        let viewer = Viewer(loop: loop, role: chance(25) ? .push : .viewer)
        handle(.subscribe(viewer.role))
        // The first subscriber of an event loop brings its view of the ring along; nothing older is on its way there.
        if !viewers.contains(where: { $0.loop == loop }) {
            mail[loop].removeAll()
            fanouts[loop] = FanoutMachine(ring: machine.ring, slowTimeout: .seconds(20))
        }
        viewers.append(viewer)
        mail[loop].append(.viewer(viewer))
    }

    private mutating func leave() {
        guard let viewer = viewers.randomElement(using: &random) else { return }
        letGo(viewer)
    }

    private mutating func letGo(_ viewer: Viewer) {
        viewer.isGone = true
        viewers.removeAll { $0 === viewer }
        handle(.unsubscribe(viewer.role))
        if !viewers.contains(where: { $0.loop == viewer.loop }) {
            fanouts[viewer.loop] = nil
            mail[viewer.loop].removeAll()
        }
    }

    private mutating func pause() {
        guard let viewer = viewers.randomElement(using: &random) else { return }
        viewer.cursor.setPaused(!viewer.cursor.isPaused)
    }

    private mutating func refilter() {
        guard let viewer = viewers.randomElement(using: &random) else { return }
        viewer.filter.video.toggle()
        if viewer.filter.video { viewer.cursor.resumeVideo() }
    }

    /// What has reached an event loop is handled there.
    private mutating func run(_ loop: Int, all: Bool) {
        let waiting = mail[loop]
        mail[loop].removeAll()
        for letter in waiting {
            switch letter {
            case .viewer(let viewer): pump(viewer)
            case .write(let write, let oldest):
                fanouts[loop]?.append(write, oldest: oldest)
                for viewer in viewers where viewer.loop == loop { pump(viewer) }
            case .end:
                fanouts[loop]?.removeAll()
                for viewer in viewers where viewer.loop == loop { letGo(viewer) }
            }
        }
        for viewer in viewers where viewer.loop == loop { pump(viewer) }
    }

    private mutating func pump(_ viewer: Viewer) {
        guard !viewer.isGone, let fanout = fanouts[viewer.loop] else { return }
        while complaints.isEmpty {
            switch fanout.next(&viewer.cursor, isWritable: viewer.isWritable, now: now, pressure: pressure) {
            case .join(let point):
                viewer.decoder.isJoining = true
                receive(point.preamble, viewer)
            case .write(let write, _):
                receive(write.messages, viewer)
            case .tooSlow:
                if viewer.isWritable { complain("a viewer that takes everything was called too slow") }
                letGo(viewer)
                return
            case .wait:
                return
            }
        }
    }

    // MARK: What a viewer may rely on

    private mutating func receive(_ messages: ChunkedMessages, _ viewer: Viewer) {
        var form = ChunkedMessages.Form(filter: viewer.filter)
        if viewer.cursor.awaitsKeyframe { form.filter.video = false }
        if !form.filter.video { viewer.decoder.hasGap = true }
        let bytes = messages.bytes(in: form)
        viewer.inFlight += bytes.readableBytes
        for entry in messages.entries where form.filter.takes(entry.kind) {
            // Every message fits in one chunk here: header of 12, then 4 of extended timestamp if it has one.
            let header = entry.timestamp >= 0xFF_FFFF ? 16 : 12
            guard let body = messages.bytes.getSlice(at: entry.offset + header, length: entry.bodyLength) else {
                complain("an entry lies outside its bytes")
                return
            }
            check(entry.kind, entry.timestamp, body, &viewer.decoder)
        }
    }

    private mutating func check(_ kind: TrackID.Kind, _ time: UInt32, _ body: ByteBuffer, _ decoder: inout Decoder) {
        let sample = StreamSample(kind, timestamp: 0, body: body)
        switch sample.content {
        case .configuration where kind == .video:
            decoder.version = body.getInteger(at: body.readerIndex + 6)
        case .accessUnit(let unit):
            guard let mark = Mark(unit.payload) else { return complain("a frame is not whole") }
            checkTime(mark, time, sample.track, &decoder)
            if sample.track == .video { checkFrame(mark, isKeyframe: unit.isKeyframe, &decoder) }
        default:
            break
        }
    }

    private mutating func checkTime(_ mark: Mark, _ time: UInt32, _ track: TrackID, _ decoder: inout Decoder) {
        let key = track.kind.rawValue << 4 | track.number
        if let last = decoder.times[key], last.base == mark.timeBase, Int32(bitPattern: time &- last.time) < 0 {
            complain("\(track) goes back from \(last.time) to \(time)")
        }
        decoder.times[key] = (mark.timeBase, time)
    }

    private mutating func checkFrame(_ mark: Mark, isKeyframe: Bool, _ decoder: inout Decoder) {
        if mark.version != 0, decoder.version != mark.version {
            complain("a frame of header \(mark.version) while header \(decoder.version ?? 0) is in force")
        }
        if !isKeyframe {
            guard !decoder.isJoining, !decoder.hasGap, let last = decoder.last else {
                return complain("a viewer starts with frame \(mark.frame) of GOP \(mark.gop)")
            }
            if last.gop != mark.gop || last.frame + 1 != mark.frame {
                complain("frame \(mark.gop)/\(mark.frame) after \(last.gop)/\(last.frame)")
            }
        } else if let last = decoder.last, mark.gop <= last.gop {
            complain("GOP \(mark.gop) after GOP \(last.gop)")
        }
        decoder.isJoining = false
        decoder.hasGap = false
        decoder.last = mark
    }

    // MARK: The machine

    private mutating func handle(_ event: HubMachine.Event) {
        let load = LoopLoad.Reading(viewers: viewers.count * 20, lag: .zero)
        machine.handle(
            event, at: .init(now: now, wallClock: 0, pressure: pressure, load: load), into: &actions)
        let taken = actions
        actions.removeAll(keepingCapacity: true)
        for action in taken { carryOut(action) }
    }

    private mutating func carryOut(_ action: HubMachine.Action) {
        switch action {
        case .deliver(let write, let oldest):
            for loop in fanouts.indices where fanouts[loop] != nil { mail[loop].append(.write(write, oldest: oldest)) }
        case .setTimer(let timer, let delay): timers[timer] = now + delay
        case .cancelTimer(let timer): timers[timer] = nil
        case .ended:
            endings += 1
            encoder = nil
            timers.removeAll()
            for loop in fanouts.indices where fanouts[loop] != nil { mail[loop].append(.end) }
        case .discontinuity: packagerTimes.removeAll()
        case .tracksChanged(let tracks): packagerTracks = tracks
        case .sample(let sample, _): checkPackager(sample)
        case .accept, .reject, .disconnect, .publisherLost, .switched, .wantKeyframe, .notUnderstood: break
        }
    }

    private mutating func checkPackager(_ sample: StreamSample) {
        guard case .accessUnit(let unit) = sample.content else { return }
        if let last = packagerTimes[unit.track], unit.decodeTime < last {
            complain("\(unit.track) goes back for packagers without a discontinuity")
        }
        packagerTimes[unit.track] = unit.decodeTime
    }

    private mutating func runTimers() {
        for (timer, due) in timers where due <= now {
            timers[timer] = nil
            handle(.timer(timer))
        }
    }

    private mutating func checkMemory() {
        // One GOP and one write may be on top of the limit, and the headers.
        if machine.heldBytes > History.limits.bytes + Backlog.mostWriteBytes { complain("held \(machine.heldBytes)") }
        if pressure >= .viewers, viewers.isEmpty, machine.heldBytes > History.limits.bytes + (8 << 10) {
            complain("held \(machine.heldBytes) for nobody while memory is short")
        }
        for viewer in viewers where viewer.isWritable && !viewer.cursor.isPaused && mail[viewer.loop].isEmpty {
            pump(viewer)
            guard viewer.isWritable, let position = viewer.cursor.position else { continue }
            if position != machine.ring.nextSequence { complain("a viewer waits for somebody at \(position)") }
        }
    }

    private mutating func checkEnd() {
        if endings != 1 { complain("ended \(endings) times") }
        if machine.heldBytes != 0 { complain("\(machine.heldBytes) bytes are left at the end") }
        if !viewers.isEmpty { complain("\(viewers.count) viewers are left at the end") }
        if machine.viewerCount != 0 || machine.pushCount != 0 { complain("viewers are still counted") }
        if !timers.isEmpty { complain("timers are left at the end") }
    }
}
