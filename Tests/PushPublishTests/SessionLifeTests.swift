import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Storage
import Synchronization
import TestSupport
import Testing

@testable import PushPublish

/// The life of push sessions from publish to disconnect in virtual time: supervisor, machine and places together, with
/// connections that do what the story says.
@Suite(.timeLimit(.minutes(1))) struct SessionLifeTests {
    enum Step: Sendable {
        case publish, end, accept, flow
        case fail(PushFailure.Code)
        case advance(TimeAmount)
        case disconnect
    }

    /// What is so after a step.
    struct Line: Sendable {
        var step: Step
        /// nil: the session is over.
        var status: PushStatus?
        /// Connections begun so far.
        var connections: Int

        init(_ step: Step, _ status: PushStatus?, _ connections: Int) {
            self.step = step
            self.status = status
            self.connections = connections
        }
    }

    struct Story: Sendable, CustomTestStringConvertible {
        var name: String
        var lines: [Line]
        var testDescription: String { name }
    }

    static let stories = [
        Story(
            name:
                "a destination that is down is tried again after 1, 2 and 4 s, and an hour of streaming changes nothing",
            lines: [
                Line(.publish, .connecting, 1),
                Line(.fail(.connectFailed), .retrying, 1),
                Line(.advance(.milliseconds(999)), .retrying, 1),
                Line(.advance(.milliseconds(1)), .connecting, 2),
                Line(.fail(.timeout), .retrying, 2),
                Line(.advance(.milliseconds(1_999)), .retrying, 2),
                Line(.advance(.milliseconds(1)), .connecting, 3),
                Line(.fail(.connectionLost), .retrying, 3),
                Line(.advance(.seconds(4)), .connecting, 4),
                Line(.accept, .connecting, 4),
                Line(.flow, .connected, 4),
                Line(.advance(.hours(1)), .connected, 4),
                // Half a minute of health starts the doubling anew.
                Line(.fail(.connectionLost), .retrying, 4),
                Line(.advance(.seconds(1)), .connecting, 5),
            ]),
        Story(
            name: "a wrong key is tried again every five minutes, right after a broken connection every few seconds",
            lines: [
                Line(.publish, .connecting, 1),
                Line(.fail(.streamRefused), .failed, 1),
                Line(.advance(.seconds(299)), .failed, 1),
                Line(.advance(.seconds(1)), .connecting, 2),
                Line(.accept, .connecting, 2),
                Line(.flow, .connected, 2),
                Line(.advance(.minutes(10)), .connected, 2),
                Line(.fail(.connectionLost), .retrying, 2),
                Line(.advance(.seconds(1)), .connecting, 3),
                Line(.fail(.streamRefused), .retrying, 3),
                Line(.advance(.seconds(2)), .connecting, 4),
            ]),
        Story(
            name: "a push made by hand waits for its stream however long it is gone",
            lines: [
                Line(.advance(.hours(24)), .waiting, 0),
                Line(.publish, .connecting, 1),
                Line(.accept, .connecting, 1),
                Line(.flow, .connected, 1),
                Line(.end, .waiting, 1),
                Line(.advance(.hours(24)), .waiting, 1),
                Line(.publish, .connecting, 2),
            ]),
        Story(
            name: "a stream that ends during a pause takes the pause with it",
            lines: [
                Line(.publish, .connecting, 1),
                Line(.fail(.connectFailed), .retrying, 1),
                Line(.end, .waiting, 1),
                Line(.advance(.hours(1)), .waiting, 1),
                Line(.publish, .connecting, 2),
            ]),
        Story(
            name: "a disconnect during a pause lasts",
            lines: [
                Line(.publish, .connecting, 1),
                Line(.fail(.connectFailed), .retrying, 1),
                Line(.disconnect, nil, 1),
                Line(.advance(.hours(24)), nil, 1),
            ]),
        Story(
            name: "a disconnect while connected lasts, and what the connection says afterwards changes nothing",
            lines: [
                Line(.publish, .connecting, 1),
                Line(.accept, .connecting, 1),
                Line(.flow, .connected, 1),
                Line(.disconnect, nil, 1),
                Line(.fail(.connectionLost), nil, 1),
                Line(.advance(.hours(24)), nil, 1),
            ]),
    ]

    @Test("The life of a push in virtual time", arguments: stories)
    func life(story: Story) async throws {
        let rig = await VirtualRig()
        _ = try await rig.connect("tv")
        for (index, line) in story.lines.enumerated() {
            try await rig.perform(line.step)
            let status = await rig.supervisor.statuses(accountID: 158).first?.status
            #expect(status == line.status, "line \(index)")
            #expect(rig.script.started.count == line.connections, "line \(index)")
        }
        await rig.close()
    }

    @Test("Connections of one account that hang leave another account's to the same platform its turn at once")
    func hangingTenant() async throws {
        let rig = await VirtualRig()
        try await rig.perform(.publish)
        try await rig.publish(account: 9, app: "other-origin")
        for number in 1...100 { _ = try await rig.connect("dead-\(number)") }
        #expect(rig.script.started.count == 8)
        _ = try await rig.connect("theirs", account: 9, app: "other-origin")
        #expect(rig.script.started.map(\.name).last == "theirs")
        // One that gives up after its ten seconds makes room for the next of the same account.
        rig.script.started.first?.report(.failed(PushFailure(.timeout, "hangs"), PushCounters()))
        await rig.supervisor.settle()
        #expect(rig.script.started.count == 10)
        await rig.close()
    }

    @Test("A report counts what earlier connections and the present one have sent, and says when the next is due")
    func reports() async throws {
        let rig = await VirtualRig()
        _ = try await rig.connect("tv")
        try await rig.perform(.publish)
        rig.script.started.last?.sent.withLock { $0 = PushCounters(bytes: 5, droppedFrames: 1) }
        rig.script.started.last?.report(
            .failed(PushFailure(.tooSlow, "slow"), PushCounters(bytes: 70, droppedFrames: 2)))
        await rig.supervisor.settle()
        let waiting = try #require(await rig.supervisor.statuses(accountID: 158).first)
        #expect(waiting.nextConnection == Date(timeIntervalSince1970: 1))
        #expect((waiting.bytesSent, waiting.droppedFrames) == (70, 2))
        try await rig.perform(.advance(.seconds(1)))
        rig.script.started.last?.sent.withLock { $0 = PushCounters(bytes: 5, droppedFrames: 1) }
        let source = VirtualRig.source
        let narrowed = await rig.supervisor.statuses(
            accountID: 158, app: source.app, instance: source.instance, stream: source.stream)
        #expect(narrowed.map(\.bytesSent) == [75])
        #expect(narrowed.map(\.droppedFrames) == [3])
        #expect(narrowed.first?.nextConnection == nil)
        let elsewhere = await rig.supervisor.statuses(
            accountID: 158, app: source.app, instance: source.instance, stream: "other")
        #expect(elsewhere.isEmpty)
        await rig.close()
    }

    @Test("A stored push that takes the place of a failed one without a number goes by its own name")
    func storedName() async throws {
        let rig = await VirtualRig()
        try await rig.perform(.publish)
        #expect(try await rig.connect("key", entryName: "second") == "second")
        try await rig.perform(.fail(.streamRefused))
        let row = await rig.store.insertPush(
            PushService(
                accountID: 158, name: "platform", service: "script", app: VirtualRig.source.app, instance: "live",
                stream: "s", autopush: false, destination: ["key": "key"], created: Date(), updated: Date()))
        #expect(try await rig.supervisor.connect(pushServiceID: row.id, accountID: 158) == "platform")
        try await rig.perform(.fail(.streamRefused))
        // The same stored push keeps the name that it was given.
        #expect(
            try await rig.supervisor.connect(pushServiceID: row.id, accountID: 158, entryName: "asked for")
                == "asked for")
        try await rig.perform(.fail(.streamRefused))
        #expect(try await rig.supervisor.connect(pushServiceID: row.id, accountID: 158) == "asked for")
        await rig.close()
    }
}

/// A stage, and a supervisor in virtual time whose connections are scripted.
private final class VirtualRig: Sendable {
    static let source = StreamAddress(app: "demo-origin", instance: "live", stream: "s")

    let clock = NIOAsyncTestingEventLoop()
    let script = Script()
    let store = MemoryStore()
    let supervisor: PushSupervisor
    private let stage: Stage
    private let publication = Mutex<Publication?>(nil)

    init() async {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let clock = clock
        stage = Stage(memory: MemoryBudget(ceiling: 1 << 30), logger: logger)
        supervisor = PushSupervisor(
            configuration: PushConfiguration(maxPerAccount: 1_000),
            kinds: DestinationKinds([ScriptedKind(script: script)]),
            store: store, group: MultiThreadedEventLoopGroup.singleton,
            resolver: StubResolver { _, _ throws(PushFailure) in throw PushFailure(.lookupFailed, "") }, logger: logger,
            clock: clock,
            date: { Date(timeIntervalSince1970: Double(clock.now.uptimeNanoseconds) / 1_000_000_000) },
            random: { 0.5 })
        await stage.add(supervisor)
    }

    func connect(_ key: String, account: AccountID = 158, app: String = "demo-origin", entryName: String? = nil)
        async throws -> String
    {
        let source = StreamAddress(app: app, instance: "live", stream: "s")
        return try await supervisor.connect(
            PushRequest(
                accountID: account, source: source, service: "script", fields: ["key": key], entryName: entryName))
    }

    func perform(_ step: SessionLifeTests.Step) async throws {
        let last = script.started.last
        switch step {
        case .publish: try await publish()
        case .end:
            publication.withLock { $0 }?.end(isOrderly: true)
            try await eventually("off air") {
                await supervisor.statuses(accountID: 158).allSatisfy { $0.status == .waiting }
            }
        case .accept: last?.report(.accepted(address: "192.0.2.1"))
        case .flow: last?.report(.flowing)
        case .fail(let code): last?.report(.failed(PushFailure(code, "as told"), PushCounters()))
        case .advance(let time): await clock.advanceTime(by: time)
        case .disconnect:
            _ = await supervisor.disconnect(
                entryName: "*", app: VirtualRig.source.app, instance: "live", accountID: 158)
        }
        await supervisor.settle()
    }

    func publish(account: AccountID = 158, app: String = "demo-origin") async throws {
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: Date()),
            disconnect: { _ in })
        let made = try await stage.publish(
            StreamAddress(app: app, instance: "live", stream: "s"), accountID: account, settings: HubSettings(),
            publisher: publisher, on: MultiThreadedEventLoopGroup.singleton.any())
        if account == 158 { publication.withLock { $0 = made } }
    }

    func close() async {
        await supervisor.drain()
        await stage.drain()
    }
}

/// The connections that were begun, in order.
private final class Script: Sendable {
    private let connections = Mutex<[ScriptedConnection]>([])

    var started: [ScriptedConnection] { connections.withLock { $0 } }

    func begin(_ connection: ScriptedConnection) {
        connections.withLock { $0.append(connection) }
    }
}

private final class ScriptedConnection: PushConnection {
    let name: String
    let sent = Mutex(PushCounters())
    private let script: Script
    private let context: PushConnectionContext

    init(name: String, script: Script, context: PushConnectionContext) {
        self.name = name
        self.script = script
        self.context = context
    }

    func start() { script.begin(self) }
    func report(_ event: PushConnectionEvent) { context.report(event) }
    func close() async -> PushCounters { await counters() }
    func counters() async -> PushCounters { sent.withLock { $0 } }
}

private struct ScriptedKind: DestinationKind {
    let service = "script"
    let profile = "script"
    let fields = [DestinationField("key", text: "Which one.").required()]
    let script: Script

    func destination(from values: [String: String]) throws(FieldProblems) -> any PushDestination {
        ScriptedDestination(identity: values["key"] ?? "", script: script)
    }
}

private struct ScriptedDestination: PushDestination {
    let host = "platform.example"
    let port = 1935
    let summary = "script"
    let secrets: [String] = []
    let identity: String
    let script: Script

    func makeConnection(_ context: PushConnectionContext) -> any PushConnection {
        ScriptedConnection(name: identity, script: script, context: context)
    }
}
