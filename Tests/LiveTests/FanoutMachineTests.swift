import Media
import NIOCore
import Testing

@testable import Live

/// Slow subscribers in virtual time.
@Suite struct FanoutMachineTests {
    private var machine = FanoutMachine(
        ring: WriteRing(limits: .init(bytes: 1 << 20)), slowTimeout: .seconds(20))
    private var cursor = ReadCursor()

    private func write(_ sequence: Int64, isJoin: Bool = false) -> MergedWrite {
        let time = MediaTime(milliseconds: sequence * 100)
        return MergedWrite(
            sequence: sequence, messages: ChunkedMessages([]), firstTime: time, lastTime: time, videoFrames: 1,
            joinPoint: isJoin ? JoinPoint(JoinHeaders(), at: time) : nil)
    }

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    /// What a subscriber does until it has to wait: `j`oin, or a write's sequence.
    private mutating func steps(isWritable: Bool, at seconds: Int64, pressure: MemoryBudget.Pressure = .none)
        -> [String]
    {
        var steps: [String] = []
        while true {
            switch machine.next(&cursor, isWritable: isWritable, now: at(seconds), pressure: pressure) {
            case .join: steps.append("j")
            case .write(let write, _): steps.append("\(write.sequence)")
            case .tooSlow: return steps + ["slow"]
            case .wait: return steps
            }
        }
    }

    @Test("A viewer that stays behind for longer than its time is too slow")
    mutating func tooSlow() {
        machine.append(write(0, isJoin: true), oldest: 0)
        #expect(steps(isWritable: true, at: 0) == ["j", "0"])
        machine.append(write(1), oldest: 0)
        #expect(steps(isWritable: false, at: 1) == [])
        #expect(steps(isWritable: false, at: 21) == [])
        #expect(steps(isWritable: false, at: 22) == ["slow"])
    }

    @Test("A viewer that catches up has its whole time again")
    mutating func catchesUp() {
        machine.append(write(0, isJoin: true), oldest: 0)
        _ = steps(isWritable: true, at: 0)
        machine.append(write(1), oldest: 0)
        _ = steps(isWritable: false, at: 1)
        #expect(steps(isWritable: true, at: 15) == ["1"])
        machine.append(write(2), oldest: 0)
        #expect(steps(isWritable: false, at: 16) == [])
        #expect(steps(isWritable: false, at: 36) == [])
        #expect(steps(isWritable: false, at: 37) == ["slow"])
    }

    @Test("While memory is short, a viewer that is behind has a tenth of the time")
    mutating func underPressure() {
        machine.append(write(0, isJoin: true), oldest: 0)
        _ = steps(isWritable: true, at: 0)
        machine.append(write(1), oldest: 0)
        #expect(steps(isWritable: false, at: 1, pressure: .viewers) == [])
        #expect(steps(isWritable: false, at: 3, pressure: .window) == [])
        #expect(steps(isWritable: false, at: 4, pressure: .viewers) == ["slow"])
    }

    @Test("A paused viewer is not slow, and goes on with the newest GOP")
    mutating func paused() {
        machine.append(write(0, isJoin: true), oldest: 0)
        _ = steps(isWritable: true, at: 0)
        cursor.setPaused(true)
        machine.append(write(1), oldest: 0)
        machine.append(write(2, isJoin: true), oldest: 0)
        machine.append(write(3), oldest: 0)
        #expect(steps(isWritable: false, at: 900) == [])
        cursor.setPaused(false)
        #expect(steps(isWritable: true, at: 901) == ["j", "2", "3"])
        #expect(cursor.skips == 0)
    }

    @Test("A viewer that pauses within a GOP goes on where it was, and never back")
    mutating func shortPause() {
        machine.append(write(0, isJoin: true), oldest: 0)
        machine.append(write(1), oldest: 0)
        #expect(steps(isWritable: true, at: 0) == ["j", "0", "1"])
        cursor.setPaused(true)
        machine.append(write(2), oldest: 0)
        cursor.setPaused(false)
        #expect(steps(isWritable: true, at: 1) == ["2"])
    }

    @Test("Whose place is gone from the ring goes on from the newest keyframe")
    mutating func movedForward() {
        machine.append(write(0, isJoin: true), oldest: 0)
        _ = steps(isWritable: true, at: 0)
        for sequence in Int64(1)...4 { machine.append(write(sequence, isJoin: sequence == 3), oldest: 0) }
        machine.append(write(5), oldest: 2)
        #expect(steps(isWritable: true, at: 1) == ["j", "3", "4", "5"])
        #expect(cursor.skips == 1)
        #expect(cursor.droppedFrames == 1)
    }

    @Test("Pushes gather for fifty milliseconds")
    mutating func pushes() {
        #expect(machine.pushDelay(now: at(1)) == nil)
        #expect(machine.pushDelay(now: at(1) + .milliseconds(20)) == .milliseconds(30))
        #expect(machine.pushDelay(now: at(1) + .milliseconds(50)) == nil)
    }
}
