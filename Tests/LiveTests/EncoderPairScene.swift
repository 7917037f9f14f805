import Foundation
import Media
import NIOCore
import RTMP

@testable import Live

/// One connection of an encoder that films the same as the others: 25 pictures a second with sound, a keyframe a second.
final class PairEncoder {
    let name: String
    let publisher: Publisher
    /// Its timestamp of what is filmed at 0.
    let clock: Int64
    /// From filming to arrival, in milliseconds.
    let lag: Int64
    /// Keyframes are filmed at whole seconds and this, in milliseconds.
    let phase: Int64
    let profile: UInt8
    var isConnected = true
    /// Its network lets through what it sends.
    var isHeard = true
    /// It could not be heard at some time.
    var wasSilent = false
    /// The next picture to arrive.
    var next: Int64
    /// Since when it has been heard without a break, from a keyframe on.
    var steadySince: Int64?
    var lastHeard: Int64?

    init(
        _ name: String, role: EncoderRole, user: String = "", clock: Int64 = 0, lag: Int64 = 0, phase: Int64 = 0,
        profile: UInt8 = 0x42, next: Int64 = 0
    ) {
        self.name = name
        (self.clock, self.lag, self.phase, self.profile, self.next) = (clock, lag, phase, profile, next)
        publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: name, transport: "rtmp", user: user, connected: .distantPast),
            role: role
        ) { _ in }
    }

    var role: EncoderRole { publisher.role }
}

/// A stream's machine and its encoders in virtual time, with what a packager gets of it.
final class EncoderPairScene {
    struct Shown: Equatable {
        var encoder: String
        /// When it was filmed.
        var filmed: Int64
        /// Its time in the stream.
        var time: Int64
        var isKeyframe: Bool
        var age: Int64
    }

    struct Switch: Equatable {
        var encoder: String
        var cause: SwitchCause
        /// Milliseconds since the start.
        var at: Int64
        /// How many pictures were shown before.
        var after: Int
    }

    static let frame: Int64 = 40

    private(set) var machine: HubMachine
    /// Milliseconds since the start.
    private(set) var clock: Int64 = 0
    private(set) var encoders: [PairEncoder] = []
    private(set) var pictures: [Shown] = []
    private(set) var sounds: [Shown] = []
    private(set) var switches: [Switch] = []
    private(set) var dismissed: [String] = []
    private(set) var rejected: [String] = []
    private(set) var tracks: [TrackSet] = []
    private(set) var discontinuities = 0
    private(set) var losses = 0
    private(set) var endings = 0
    private(set) var recoveryEnds: Int64?
    var pressure = MemoryBudget.Pressure.none
    private var actions: [HubMachine.Action] = []

    init(_ settings: HubSettings = HubSettings()) {
        machine = HubMachine(settings: settings)
    }

    private var now: NIODeadline { .uptimeNanoseconds(1_000_000_000) + .milliseconds(clock) }

    var onAir: String? { machine.isLive ? machine.currentPublisher?.info.software : nil }

    /// - Returns: whether it was let in.
    @discardableResult
    func connect(_ encoder: PairEncoder) -> Bool {
        encoders.append(encoder)
        let before = rejected.count
        handle(.publish(encoder.publisher), of: encoder)
        guard rejected.count == before else {
            encoders.removeLast()
            return false
        }
        // It films nothing before it is there.
        encoder.next = max(
            encoder.next, (clock + EncoderPairScene.frame - 1) / EncoderPairScene.frame * EncoderPairScene.frame)
        send(StreamSample(.video, timestamp: 0, body: HubBench.videoHeader(profile: encoder.profile)), encoder)
        send(StreamSample(.audio, timestamp: 0, body: HubBench.audioHeader), encoder)
        return true
    }

    func disconnect(_ encoder: PairEncoder, isOrderly: Bool = false) {
        encoder.isConnected = false
        encoders.removeAll { $0 === encoder }
        handle(.unpublish(encoder.publisher.id, isOrderly: isOrderly))
    }

    func close(_ ending: PublisherEnding?) {
        handle(.close(ending))
        encoders.removeAll()
    }

    /// Lets time go by; what arrives in it does so at its time.
    func run(_ milliseconds: Int64) {
        let end = clock + milliseconds
        while clock < end {
            clock += 1
            if let recoveryEnds, recoveryEnds <= clock {
                self.recoveryEnds = nil
                handle(.timer(.recovery))
            }
            for encoder in encoders {
                if encoder.isHeard { deliver(encoder) } else { encoder.wasSilent = true }
            }
        }
    }

    /// The server does nothing for so long; what waits in sockets is read afterwards, of each encoder at once.
    func hiccup(_ milliseconds: Int64, backwards: Bool = false) {
        clock += milliseconds
        for encoder in backwards ? encoders.reversed() : encoders where encoder.isHeard { deliver(encoder) }
    }

    /// All that has arrived.
    private func deliver(_ encoder: PairEncoder) {
        guard encoder.isConnected, encoder.next + encoder.lag <= clock else { return }
        if let last = encoder.lastHeard, clock - last > 1_500 { encoder.steadySince = nil }
        // What it could not send comes at once; until that is over it is not steady.
        let isBurst = clock - encoder.next - encoder.lag > 1_500
        encoder.lastHeard = clock
        while encoder.isConnected, encoder.next + encoder.lag <= clock {
            let filmed = encoder.next
            encoder.next += EncoderPairScene.frame
            let isKeyframe = (filmed - encoder.phase) % 1_000 == 0
            if isKeyframe, !isBurst { encoder.steadySince = encoder.steadySince ?? clock }
            for codec in [Codec.video(.avc), .audio(.aac)] {
                var payload = ByteBuffer()
                payload.writeInteger(filmed)
                payload.writeRepeatingByte(0xAA, count: 200)
                send(
                    StreamSample(
                        AccessUnit(
                            codec: codec, decodeTime: MediaTime(milliseconds: filmed + encoder.clock),
                            isKeyframe: isKeyframe || !codec.isVideo, payload: payload)), encoder)
            }
            handle(.readComplete)
        }
    }

    private func send(_ sample: StreamSample, _ encoder: PairEncoder) {
        handle(.sample(sample, from: encoder.publisher.id))
    }

    private func handle(_ event: HubMachine.Event, of encoder: PairEncoder? = nil) {
        machine.handle(event, at: .init(now: now, wallClock: clock, pressure: pressure), into: &actions)
        let taken = actions
        actions.removeAll()
        for action in taken { carryOut(action, encoder) }
    }

    private func carryOut(_ action: HubMachine.Action, _ encoder: PairEncoder?) {
        switch action {
        case .sample(let sample, let age): note(sample, age)
        case .switched(let publisher, let cause):
            switches.append(Switch(encoder: publisher.info.software, cause: cause, at: clock, after: pictures.count))
        case .disconnect(let publisher, _):
            dismissed.append(publisher.info.software)
            encoders.removeAll { $0.publisher === publisher }
        case .reject: rejected.append(encoder?.name ?? "")
        case .tracksChanged(let changed): tracks.append(changed)
        case .discontinuity: discontinuities += 1
        case .publisherLost: losses += 1
        case .setTimer(.recovery, let delay): recoveryEnds = clock + delay.nanoseconds / 1_000_000
        case .cancelTimer(.recovery): recoveryEnds = nil
        case .ended: endings += 1
        case .accept, .deliver, .wantKeyframe, .notUnderstood, .setTimer, .cancelTimer: break
        }
    }

    private func note(_ sample: StreamSample, _ age: Int64) {
        guard case .accessUnit(let unit) = sample.content,
            let filmed = unit.payload.getInteger(at: unit.payload.readerIndex, as: Int64.self)
        else { return }
        let shown = Shown(
            encoder: onAir ?? "", filmed: filmed, time: unit.decodeTime.milliseconds, isKeyframe: unit.isKeyframe,
            age: age)
        if unit.codec.isVideo { pictures.append(shown) } else { sounds.append(shown) }
    }
}
