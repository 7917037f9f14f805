import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import Live

@Suite("Primary and backup encoders of one stream") struct BackupEncoderTests {
    /// Both send for three seconds and a little more; keyframes of the backup are filmed at .4.
    private func pair(
        _ settings: HubSettings = HubSettings(), clock: Int64 = 0, lag: Int64 = 0, profile: UInt8 = 0x4D
    ) -> (EncoderPairScene, primary: PairEncoder, backup: PairEncoder) {
        let scene = EncoderPairScene(settings)
        let primary = PairEncoder("primary", role: .primary)
        let backup = PairEncoder("backup", role: .backup, clock: clock, lag: lag, phase: 400, profile: profile)
        scene.connect(primary)
        scene.connect(backup)
        scene.run(3_000)
        return (scene, primary, backup)
    }

    @Test("While the primary sends, viewers get nothing of the backup")
    func primaryAlone() {
        let (scene, _, _) = pair()
        #expect(scene.pictures.map(\.filmed) == Array(stride(from: 0, through: 3_000, by: 40)))
        #expect(scene.pictures.allSatisfy { $0.encoder == "primary" && $0.time == $0.filmed && $0.age == 0 })
        #expect(scene.switches.isEmpty && scene.discontinuities == 0)
        #expect(scene.machine.publishers.map(\.role) == [.primary, .backup])
    }

    @Test(
        "When the primary's connection ends, its backup goes on with the GOP it is in, behind what was shown",
        arguments: [true, false])
    func primaryEnds(isOrderly: Bool) {
        let (scene, primary, _) = pair(clock: 90_000)
        scene.disconnect(primary, isOrderly: isOrderly)
        #expect(scene.switches.map(\.cause) == [isOrderly ? .ended : .lost])
        // All that has been filmed since the backup's last keyframe comes at once, with the age it has.
        let rest = scene.pictures[76...]
        #expect(rest.map(\.filmed) == Array(stride(from: 2_400, through: 3_000, by: 40)))
        #expect(rest.map(\.time) == Array(stride(from: 3_020, through: 3_620, by: 40)))
        #expect(rest.map(\.age) == Array(stride(from: 600, through: 0, by: -40)))
        #expect(scene.discontinuities == 1 && scene.losses == 0 && scene.recoveryEnds == nil)
        scene.run(1_000)
        #expect(scene.pictures.last == .init(encoder: "backup", filmed: 4_000, time: 4_620, isKeyframe: false, age: 0))
        // Its own headers came first.
        #expect(scene.tracks.last?.video?.codecString.lowercased().hasPrefix("avc1.4d") == true)
        #expect(scene.tracks.last?.audio != nil)
    }

    @Test("A primary that falls silent is left after three seconds, and nothing of these is missing")
    func primaryStalls() {
        let (scene, primary, _) = pair(clock: 90_000)
        primary.isHeard = false
        scene.run(2_999)
        #expect(scene.switches.isEmpty)
        scene.run(1)
        #expect(scene.switches.map(\.cause) == [.silent])
        let rest = scene.pictures[76...]
        // The last keyframe before the silence, and all that came since.
        #expect(rest.map(\.filmed) == Array(stride(from: 2_400, through: 6_000, by: 40)))
        #expect(rest.first?.time == 3_020 && rest.last?.time == 6_620)
        // The silent encoder stays connected, and is no longer listened to.
        #expect(scene.dismissed.isEmpty && scene.machine.publishers.map(\.role) == [.backup, .primary])
    }

    @Test("A server that was busy itself takes nobody for silent", arguments: [true, false])
    func hiccup(isBackupFirst: Bool) {
        let (scene, _, _) = pair()
        scene.hiccup(20_000, backwards: isBackupFirst)
        scene.run(5_000)
        #expect(scene.switches.isEmpty)
        #expect(scene.pictures.map(\.filmed) == Array(stride(from: 0, through: 28_000, by: 40)))
    }

    @Test(
        "A primary that is back is taken at a keyframe when it has sent for ten seconds, and nothing is missing"
    )
    func primaryReturns() {
        let (scene, primary, _) = pair(clock: 90_000)
        scene.disconnect(primary)
        scene.run(1_500)
        let again = PairEncoder("again", role: .primary, clock: -4_480)
        #expect(scene.connect(again))
        // Its first keyframe comes at 5 s.
        scene.run(10_499)
        #expect(scene.onAir == "backup")
        scene.run(1)
        #expect(scene.switches.map(\.cause) == [.lost, .recovered])
        let back = scene.pictures[(scene.switches[1].after - 1)...]
        #expect(back.map(\.filmed) == [15_000, 15_000])
        #expect(back.map(\.encoder) == ["backup", "again"])
        #expect(back.map(\.time) == [15_620, 15_640])
        #expect(scene.machine.publishers.map(\.role) == [.primary, .backup])
        // The backup stands by again, from its next keyframe on.
        scene.run(1_000)
        scene.disconnect(again)
        #expect(scene.pictures.last?.encoder == "backup" && scene.pictures.last?.filmed == 16_000)
    }

    @Test("A primary that comes and goes does not take viewers back and forth")
    func flapping() {
        let (scene, primary, _) = pair()
        scene.disconnect(primary)
        for _ in 0..<20 {
            let flapping = PairEncoder("flapping", role: .primary)
            #expect(scene.connect(flapping))
            scene.run(9_000)
            scene.disconnect(flapping)
            scene.run(1_000)
        }
        let stalling = PairEncoder("stalling", role: .primary)
        #expect(scene.connect(stalling))
        for _ in 0..<20 {
            scene.run(9_000)
            stalling.isHeard = false
            scene.run(1_600)
            stalling.isHeard = true
        }
        #expect(scene.switches.map(\.cause) == [.lost])
        #expect(scene.onAir == "backup")
    }

    @Test("A backup alone is the stream, and a primary that comes to it is taken when it is steady")
    func backupAlone() {
        let scene = EncoderPairScene()
        scene.connect(PairEncoder("backup", role: .backup))
        scene.run(2_000)
        #expect(scene.onAir == "backup" && scene.pictures.count == 51 && scene.switches.isEmpty)
        scene.connect(PairEncoder("primary", role: .primary))
        scene.run(13_000)
        #expect(scene.switches.map(\.cause) == [.recovered] && scene.onAir == "primary")
    }

    @Test("When both are gone, the stream waits once")
    func bothGone() {
        let (scene, primary, backup) = pair()
        scene.disconnect(primary)
        scene.run(10_000)
        scene.disconnect(backup)
        #expect(scene.losses == 1)
        scene.run(29_999)
        #expect(scene.endings == 0)
        scene.run(1)
        #expect(scene.endings == 1)
    }

    @Test("An encoder whose own connection is dead is no help, and does not prolong the time there is")
    func bothDead() {
        let (scene, primary, backup) = pair()
        backup.isHeard = false
        scene.run(20_000)
        let shown = scene.pictures.count
        scene.disconnect(primary)
        // Nothing that it sent twenty seconds ago is shown.
        #expect(scene.pictures.count == shown && scene.onAir == "backup")
        scene.run(10_000)
        scene.disconnect(backup)
        #expect(scene.losses == 1)
        scene.run(20_000)
        #expect(scene.endings == 1)
    }

    @Test("When the encoder on air is silent already, another one that comes is on air at once")
    func silentWhenTheOtherComes() {
        let scene = EncoderPairScene()
        let backup = PairEncoder("backup", role: .backup)
        scene.connect(backup)
        scene.run(2_000)
        backup.isHeard = false
        scene.run(3_000)
        scene.connect(PairEncoder("primary", role: .primary))
        scene.run(40)
        #expect(scene.onAir == "primary" && scene.pictures.last?.filmed == 5_040)
        // By the time that passed.
        #expect(scene.pictures.last?.time == 5_041)
    }

    @Test("There is one encoder of a kind: another is refused, unless it is the same one that lost its connection")
    func oneOfAKind() {
        let scene = EncoderPairScene()
        scene.connect(PairEncoder("primary", role: .primary, user: "cam"))
        let backup = PairEncoder("backup", role: .backup, user: "cam")
        scene.connect(backup)
        scene.run(1_000)
        #expect(!scene.connect(PairEncoder("other", role: .backup, user: "cam")))
        #expect(!scene.connect(PairEncoder("other", role: .primary, user: "cam")))
        backup.isHeard = false
        scene.run(1_000)
        #expect(scene.connect(PairEncoder("backup again", role: .backup, user: "cam")))
        #expect(scene.dismissed == ["backup"] && scene.switches.isEmpty)
    }

    @Test("A primary that connects anew over its dead connection proves itself first, while the backup is on air")
    func reconnectsOverItself() {
        let scene = EncoderPairScene()
        let primary = PairEncoder("primary", role: .primary, user: "cam")
        scene.connect(primary)
        scene.connect(PairEncoder("backup", role: .backup, user: "cam"))
        scene.run(3_000)
        primary.isHeard = false
        scene.run(1_500)
        #expect(scene.connect(PairEncoder("again", role: .primary, user: "cam")))
        #expect(scene.dismissed == ["primary"] && scene.switches.map(\.cause) == [.reconnected])
        #expect(scene.pictures.last?.filmed == 4_480)
        scene.run(12_000)
        #expect(scene.onAir == "again")
    }

    @Test("Encoders of one clock go on by it, so that renditions stay aligned")
    func oneClock() {
        // What the backup sends is 200 ms later here than what the primary sends.
        let (scene, primary, _) = pair(lag: 200)
        primary.isHeard = false
        scene.run(3_500)
        let first = scene.pictures[76]
        #expect(first.filmed == 2_400 && first.time == 3_020)
        let again = PairEncoder("again", role: .primary, phase: 0)
        scene.disconnect(primary)
        scene.connect(again)
        scene.run(12_000)
        let index = scene.switches[1].after
        // The primary is 200 ms ahead in what it shows, and so is the stream.
        let (last, back) = (scene.pictures[index - 1], scene.pictures[index])
        #expect(back.filmed - last.filmed == 200 && back.time - last.time == 200)
    }

    @Test("Sound from before the keyframe that viewers go on with is left out")
    func earlySound() {
        let (scene, primary, _) = pair(clock: 90_000)
        scene.disconnect(primary)
        scene.run(2_000)
        for (earlier, later) in zip(scene.sounds, scene.sounds.dropFirst()) { #expect(earlier.time < later.time) }
    }

    @Test("Closing the stream sends both away, and nothing is held any longer")
    func closing() {
        let (scene, _, _) = pair()
        #expect(scene.machine.heldBytes > 0)
        scene.close(.closedByOperator)
        #expect(scene.dismissed == ["primary", "backup"] && scene.endings == 1)
        #expect(scene.machine.heldBytes == 0)
    }

    @Test("What is kept of the backup is one GOP while all is well, and nothing when memory is short")
    func memory() {
        let scene = EncoderPairScene()
        scene.connect(PairEncoder("primary", role: .primary))
        scene.run(5_960)
        let alone = scene.machine.heldBytes
        scene.connect(PairEncoder("backup", role: .backup))
        scene.run(10_000)
        // Two streams of the same frames in the same GOP.
        #expect(scene.machine.heldBytes > alone && scene.machine.heldBytes < 5 * alone / 2)
        scene.pressure = .viewers
        scene.run(40)
        #expect(scene.machine.heldBytes < alone / 2)
    }

    @Test("A backup whose GOP is larger than may be kept goes on with its next keyframe")
    func largeGOP() {
        var settings = HubSettings()
        settings.ring.bytes = 4_000
        let (scene, primary, _) = pair(settings)
        let shown = scene.pictures.count
        scene.disconnect(primary)
        #expect(scene.pictures.count == shown && scene.onAir == "backup")
        scene.run(500)
        #expect(scene.pictures.count > shown)
    }
}

/// Random histories of two encoders, judged by what viewers may rely on.
@Suite("Primary and backup encoders, whatever happens") struct EncoderPairHistories {
    @Test("Time goes on, at most a GOP is lost or shown twice, and nobody is taken back and forth")
    func histories() {
        let environment = ProcessInfo.processInfo.environment
        var seeds: Range<UInt64> = 0..<(environment["PLAYHOUSE_SIMULATION_HISTORIES"].flatMap { UInt64($0) } ?? 150)
        if let seed = environment["PLAYHOUSE_SIMULATION_SEED"].flatMap({ UInt64($0) }) { seeds = seed..<seed + 1 }
        for seed in seeds {
            var history = PairHistory(seed: seed)
            if let complaint = history.play() {
                Issue.record("PLAYHOUSE_SIMULATION_SEED=\(seed): \(complaint)")
                return
            }
        }
    }
}

private struct PairHistory {
    private static let longestLag: Int64 = 400
    private var random: SeededGenerator
    private let scene: EncoderPairScene
    private var held: [EncoderRole: PairEncoder] = [:]
    private var count = 0
    private var seen = 0
    private var seenSwitches = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
        scene = EncoderPairScene()
    }

    private mutating func number(_ below: Int64) -> Int64 { Int64(random.next() % UInt64(below)) }

    /// - Returns: what is wrong.
    mutating func play() -> String? {
        for _ in 0..<60 {
            step()
            if let complaint = judge() { return complaint }
        }
        scene.close(.draining)
        return scene.machine.heldBytes == 0 && scene.endings >= 1 ? nil : "something is left at the end"
    }

    private mutating func step() {
        let role: EncoderRole = number(2) == 0 ? .primary : .backup
        switch number(10) {
        case 0..<4: connect(role)
        case 4: if let encoder = held.removeValue(forKey: role) { scene.disconnect(encoder, isOrderly: number(4) == 0) }
        case 5: held[role]?.isHeard = false
        case 6, 7: held[role]?.isHeard = true
        default: break
        }
        scene.run(number(8) == 0 ? 11_000 + number(4_000) : number(3_500))
    }

    private mutating func connect(_ role: EncoderRole) {
        guard held[role] == nil, scene.endings == 0 else { return }
        count += 1
        let encoder = PairEncoder(
            "\(role) \(count)", role: role, clock: number(3) == 0 ? 0 : number(1_000_000), lag: number(10) * 40,
            phase: number(25) * 40)
        if scene.connect(encoder) { held[role] = encoder }
    }

    private mutating func judge() -> String? {
        defer {
            seen = scene.pictures.count
            seenSwitches = scene.switches.count
        }
        for shown in [
            scene.pictures[max(0, seen - 1)...],
            scene.sounds[max(0, scene.sounds.count - 1 - (scene.pictures.count - seen))...],
        ] {
            for (earlier, later) in zip(shown, shown.dropFirst()) where earlier.time >= later.time {
                return "\(later) behind \(earlier)"
            }
        }
        for switched in scene.switches[seenSwitches...] {
            guard switched.after > 0, switched.after < scene.pictures.count else { continue }
            let last = scene.pictures[switched.after - 1]
            let next = scene.pictures[switched.after]
            // What came only later, by an encoder that had nothing at hand, is judged by what follows below.
            guard next.encoder == switched.encoder, next.age > 0 || switched.cause == .recovered else { continue }
            if !next.isKeyframe { return "\(switched) does not begin with a keyframe" }
            let apart = next.filmed - last.filmed
            // Of a burst that was too short to be a break something may be left.
            let burst: Int64 = held.values.contains { $0.name == switched.encoder && !$0.wasSilent } ? 0 : 1_500
            if apart < -1_000 - PairHistory.longestLag - burst {
                return "\(switched) shows \(-apart) ms again: \(last), \(next)"
            }
            if let well = scene.encoders.first(where: { $0.name == switched.encoder && !$0.wasSilent }),
                well.steadySince ?? .max < last.filmed - 1_000, apart > PairHistory.longestLag + 540
            {
                return "\(switched) leaves \(apart) ms out that the encoder has sent: \(last), \(next)"
            }
            if switched.cause == .recovered, apart > PairHistory.longestLag + 540 {
                return "\(switched) leaves \(apart) ms out, with both encoders well"
            }
        }
        return judgeWhoIsOnAir()
    }

    /// Viewers must have what can be had, and the primary when it has been well for long.
    private func judgeWhoIsOnAir() -> String? {
        let waiting = scene.encoders.filter { $0.name != scene.onAir }
        for encoder in waiting {
            guard let since = encoder.steadySince, encoder.isHeard, let heard = encoder.lastHeard,
                scene.clock - heard <= 100
            else { continue }
            let steady = scene.clock - since
            if encoder.role == .primary, steady > 11_100 {
                return "\(encoder.name) is steady for \(steady) ms, and not on air"
            }
            if let last = scene.pictures.last, steady > 4_100, scene.clock - (scene.switches.last?.at ?? 0) > 4_100,
                scene.clock - last.filmed > 4_100 + PairHistory.longestLag
            {
                return "nothing is shown at \(scene.clock) while \(encoder.name) sends"
            }
        }
        for switched in scene.switches[seenSwitches...] where switched.cause == .recovered {
            guard let encoder = scene.encoders.first(where: { $0.name == switched.encoder }) ?? held[.primary],
                encoder.name == switched.encoder, let since = encoder.steadySince
            else { continue }
            if switched.at - since < 10_000 { return "\(switched), steady only since \(since)" }
        }
        return nil
    }
}
