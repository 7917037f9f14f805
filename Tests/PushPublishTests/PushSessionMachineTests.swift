import NIOCore
import Testing

@testable import PushPublish

@Suite struct PushSessionMachineTests {
    typealias Event = PushSessionMachine.Event
    typealias Action = PushSessionMachine.Action

    struct Step: Sendable {
        var second: Int64
        var event: Event
        var status: PushStatus
        /// Without `changed`, which `status` stands for.
        var actions: [Action]

        init(_ second: Int64, _ event: Event, _ status: PushStatus, _ actions: [Action] = []) {
            self.second = second
            self.event = event
            self.status = status
            self.actions = actions
        }
    }

    struct Story: Sendable, CustomTestStringConvertible {
        var name: String
        var endsWithSource = false
        var steps: [Step]
        var testDescription: String { name }
    }

    static let lost = PushFailure(.connectionLost, "lost")
    static let down = PushFailure(.connectFailed, "down")
    static let badName = PushFailure(.streamRefused, "bad name")
    static let ended = PushEnding.sourceEnded.reason
    static let stopped = PushEnding.disconnected.reason

    static func at(_ second: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(second) }

    static let stories = [
        Story(
            name: "waits for the stream, connects, and is connected only when media is acknowledged",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(1, .flowing(connection: 1), .connecting),
                Step(1, .accepted(connection: 1), .connecting),
                Step(2, .flowing(connection: 1), .connected, [.logPush(error: nil)]),
                Step(3, .flowing(connection: 1), .connected),
                Step(3, .sourceOnAir, .connected),
            ]),
        Story(
            name: "retries with growing pauses and tells the log once",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(
                    1, .failed(connection: 1, down), .retrying,
                    [.logPush(error: down), .scheduleRetry(after: 1, at: at(2))]),
                Step(2, .retryDue(after: 1), .connecting, [.open(connection: 2)]),
                Step(3, .failed(connection: 2, down), .retrying, [.scheduleRetry(after: 2, at: at(5))]),
                Step(5, .retryDue(after: 2), .connecting, [.open(connection: 3)]),
                Step(
                    6, .failed(connection: 3, badName), .failed,
                    [.logPush(error: badName), .scheduleRetry(after: 3, at: at(306))]),
                Step(306, .retryDue(after: 3), .connecting, [.open(connection: 4)]),
                Step(307, .accepted(connection: 4), .connecting),
                Step(308, .flowing(connection: 4), .connected, [.logPush(error: nil)]),
                Step(
                    400, .failed(connection: 4, lost), .retrying,
                    [.logUnpush(reason: "lost"), .scheduleRetry(after: 4, at: at(401))]),
            ]),
        Story(
            name: "a refusal right after the connection broke is the ghost of the old one",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .accepted(connection: 1), .connecting),
                Step(0, .flowing(connection: 1), .connected, [.logPush(error: nil)]),
                Step(
                    10, .failed(connection: 1, lost), .retrying,
                    [.logUnpush(reason: "lost"), .scheduleRetry(after: 1, at: at(11))]),
                Step(11, .retryDue(after: 1), .connecting, [.open(connection: 2)]),
                Step(
                    11, .failed(connection: 2, badName), .retrying,
                    [.logPush(error: badName), .scheduleRetry(after: 2, at: at(13))]),
                Step(129, .retryDue(after: 2), .connecting, [.open(connection: 3)]),
                Step(130, .failed(connection: 3, badName), .failed, [.scheduleRetry(after: 3, at: at(430))]),
            ]),
        Story(
            name: "what comes too late changes nothing",
            steps: [
                Step(0, .retryDue(after: 0), .waiting),
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .failed(connection: 2, down), .connecting),
                Step(1, .sourceGone, .waiting, [.close(connection: 1)]),
                Step(1, .accepted(connection: 1), .waiting),
                Step(1, .failed(connection: 1, lost), .waiting),
                Step(2, .sourceOnAir, .connecting, [.open(connection: 2)]),
                Step(2, .retryDue(after: 1), .connecting),
                Step(2, .retryDue(after: 2), .connecting),
            ]),
        Story(
            name: "a push made by hand waits for the stream to return",
            steps: [
                Step(0, .sourceGone, .waiting),
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .accepted(connection: 1), .connecting),
                Step(1, .flowing(connection: 1), .connected, [.logPush(error: nil)]),
                Step(5, .sourceGone, .waiting, [.close(connection: 1), .logUnpush(reason: ended)]),
                Step(9, .sourceOnAir, .connecting, [.open(connection: 2)]),
                Step(
                    10, .failed(connection: 2, down), .retrying,
                    [.logPush(error: down), .scheduleRetry(after: 2, at: at(11))]),
                Step(10, .sourceGone, .waiting, [.cancelRetry]),
                Step(11, .retryDue(after: 2), .waiting),
            ]),
        Story(
            name: "an autopush ends with its publication", endsWithSource: true,
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .accepted(connection: 1), .connecting),
                Step(1, .flowing(connection: 1), .connected, [.logPush(error: nil)]),
                Step(5, .sourceGone, .disconnected, [.close(connection: 1), .logUnpush(reason: ended), .finished]),
                Step(6, .sourceOnAir, .disconnected),
            ]),
        Story(
            name: "a stop wins while waiting",
            steps: [
                Step(0, .stop(.disconnected), .disconnected, [.finished]),
                Step(1, .sourceOnAir, .disconnected),
                Step(1, .stop(.disconnected), .disconnected),
            ]),
        Story(
            name: "a stop wins while connecting",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .stop(.disconnected), .disconnected, [.close(connection: 1), .finished]),
                Step(1, .accepted(connection: 1), .disconnected),
                Step(1, .failed(connection: 1, lost), .disconnected),
            ]),
        Story(
            name: "a stop wins while connected",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(0, .accepted(connection: 1), .connecting),
                Step(1, .flowing(connection: 1), .connected, [.logPush(error: nil)]),
                Step(
                    2, .stop(.disconnected), .disconnected,
                    [.close(connection: 1), .logUnpush(reason: stopped), .finished]),
                Step(3, .retryDue(after: 1), .disconnected),
            ]),
        Story(
            name: "a stop wins over a retry",
            steps: [
                Step(0, .sourceOnAir, .connecting, [.open(connection: 1)]),
                Step(
                    1, .failed(connection: 1, down), .retrying,
                    [.logPush(error: down), .scheduleRetry(after: 1, at: at(2))]),
                Step(1, .stop(.draining), .disconnected, [.cancelRetry, .finished]),
                Step(2, .retryDue(after: 1), .disconnected),
            ]),
    ]

    @Test("A push session does what its table says", arguments: stories)
    func doesWhatItsTableSays(story: Story) {
        var machine = PushSessionMachine(limits: BackOff.Limits(), endsWithSource: story.endsWithSource)
        for (index, step) in story.steps.enumerated() {
            let actions = machine.handle(step.event, now: PushSessionMachineTests.at(step.second)).filter {
                if case .changed = $0 { false } else { true }
            }
            #expect(actions == step.actions, "step \(index)")
            #expect(machine.status == step.status, "step \(index)")
        }
    }

    @Test("A push session counts how often it was connected again")
    func countsHowOftenItWasConnectedAgain() {
        var machine = PushSessionMachine(limits: BackOff.Limits(), endsWithSource: false)
        _ = machine.handle(.sourceOnAir, now: PushSessionMachineTests.at(0))
        for number in 1...3 {
            #expect(machine.reconnects == max(0, number - 2))
            let now = PushSessionMachineTests.at(Int64(number) * 100)
            _ = machine.handle(.accepted(connection: number), now: now)
            _ = machine.handle(.flowing(connection: number), now: now)
            #expect(machine.reconnects == number - 1)
            _ = machine.handle(.failed(connection: number, PushSessionMachineTests.lost), now: now)
            _ = machine.handle(.retryDue(after: number), now: now + .seconds(40))
        }
    }

    @Test("Changes of a push's state carry the reason")
    func changesCarryTheReason() {
        var machine = PushSessionMachine(limits: BackOff.Limits(), endsWithSource: false)
        _ = machine.handle(.sourceOnAir, now: PushSessionMachineTests.at(0))
        let actions = machine.handle(
            .failed(connection: 1, PushSessionMachineTests.badName), now: PushSessionMachineTests.at(0))
        #expect(
            actions.first
                == .changed(
                    from: .connecting, to: .failed, reason: "bad name", failure: PushSessionMachineTests.badName))
    }
}
