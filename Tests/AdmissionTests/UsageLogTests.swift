import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage
import Synchronization
import TestSupport
import Testing
import Usher

@testable import Admission

@Suite struct UsageLogTests {
    private static let all = UsageFilter(days: 0...1_000_000)
    private static let show = stream("show")

    private static func stream(_ name: String) -> DeliveryMeters.Stream {
        DeliveryMeters.Stream(
            accountID: 7, address: StreamAddress(app: "demo-origin", instance: "live", stream: name))
    }

    /// A node: its meters and its log, on the scene's clock.
    private struct Node {
        let meters = DeliveryMeters()
        let log: UsageLog
        let show: DeliveryMeter

        init(_ store: any UsageStore, _ clock: Clock, server: String = "a", logger: Logger = Logger(label: "test")) {
            log = UsageLog(store: store, meters: meters, server: server, logger: logger, now: { clock.both })
            show = meters.meter(of: UsageLogTests.show)
        }

        func bytes() async throws -> Int64 {
            try await log.usage(accountID: 7, filter: all, by: []).values.first?.bytes ?? 0
        }
    }

    @Test("An answer has every byte once: before it is written, while it is, and afterwards")
    func exactAtOnce() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let store = HeldStore(scene.store)
            let node = Node(store, scene.clock)
            node.show.count(hls: 100, stripe: 0)
            node.show.count(rtmp: 11)
            #expect(try await node.bytes() == 111)
            // The write has begun and does not end until it is let go of.
            store.hold()
            let writing = Task { await node.log.write() }
            try await eventually("the write") { store.isHolding }
            node.show.count(hls: 1_000, stripe: 1)
            let asked = Task { try await node.bytes() }
            // It waits for the write, and has every chance not to.
            for _ in 0..<1_000 where store.reads == 1 { await Task.yield() }
            store.letGo()
            #expect(try await asked.value == 1_111)
            await writing.value
            #expect(try await node.bytes() == 1_111)
            await node.log.write()
            #expect(try await node.bytes() == 1_111)
            #expect(
                try await node.log.usage(accountID: 7, filter: Self.all, by: [.delivery, .server]) == [
                    UsageKey(accountID: 7, delivery: .hls, server: "a"): UsageAmount(bytes: 1_100),
                    UsageKey(accountID: 7, delivery: .rtmp, server: "a"): UsageAmount(bytes: 11),
                ])
            #expect(try await node.log.usage(accountID: 8, filter: Self.all, by: []).isEmpty)
        }
    }

    @Test("An answer asked for while a write comes between is asked for again")
    func writtenMeanwhile() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let store = HeldStore(scene.store)
            let node = Node(store, scene.clock)
            node.show.count(hls: 100, stripe: 0)
            // What was not written has been looked at, and the store has not been asked, when the write comes.
            store.beforeReading { await node.log.write() }
            #expect(try await node.bytes() == 100)
        }
    }

    @Test("Nodes that share a database add up, and a restart goes on where the last write was")
    func nodes() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let (one, other) = (Node(scene.store, scene.clock), Node(scene.store, scene.clock, server: "b"))
            for (node, bytes) in [(one, 1), (other, 20), (one, 300)] {
                node.show.count(hls: bytes, stripe: 0)
                await node.log.end { $1 }
            }
            other.show.count(hls: 4_000, stripe: 0)
            #expect(try await one.bytes() == 321)
            #expect(try await other.bytes() == 4_321)
            #expect(try await Node(scene.store, scene.clock).bytes() == 321)
        }
    }

    @Test("What a store did not take is kept, said once, and written when it takes it")
    func failingStore() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let store = HeldStore(scene.store)
            let said = CapturedLog()
            let node = Node(store, scene.clock, logger: said.logger)
            store.isFailing = true
            for _ in 0..<3 {
                node.show.count(hls: 100, stripe: 0)
                node.log.sample { _, _ in 2 }
                await node.log.write()
                #expect(store.written == 0)
            }
            #expect(said.texts == ["usage not stored, kept and tried again"])
            #expect(try await node.bytes() == 300)
            store.isFailing = false
            await node.log.write()
            #expect(said.texts == ["usage not stored, kept and tried again", "usage is stored again"])
            #expect(store.written == 1)
            #expect(try await Node(scene.store, scene.clock).bytes() == 300)
            // Nothing is left to write.
            await node.log.write()
            #expect(store.written == 1)
        }
    }

    @Test("Viewers count for the time between samples, RTMP and HLS apart, and not for the time a machine sleeps")
    func viewerTime() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let node = Node(scene.store, scene.clock)
            let minute = UsageLog.minute(of: scene.clock.now)
            node.show.countConnections(rtmp: 1)
            // 22:13:20 on: 1 RTMP and 2 HLS viewers for 20 s, then a sleep of an hour.
            node.log.sample { $1 + 2 }
            for _ in 0..<4 {
                scene.clock.advance(5)
                node.log.sample { $1 + 2 }
            }
            scene.clock.advance(3_600)
            node.log.sample { $1 + 2 }
            let usage = try await node.log.usage(accountID: 7, filter: Self.all, by: [.delivery])
            #expect(
                usage == [
                    UsageKey(accountID: 7, delivery: .rtmp): UsageAmount(viewerTime: 35_000),
                    UsageKey(accountID: 7, delivery: .hls): UsageAmount(viewerTime: 70_000),
                ])
            let viewers = try await node.log.viewers(
                accountID: 7, filter: ViewerFilter(minutes: 0...Int(Int32.max), apps: ["demo-origin"]))
            #expect(
                viewers == [
                    minute: ViewerAmount(peak: 3, viewerTime: 60_000),
                    minute + 60: ViewerAmount(peak: 3, viewerTime: 45_000),
                ])
        }
    }

    @Test("Bytes belong to the day on which they were taken in, and a clock set back takes nothing away")
    func days() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let node = Node(scene.store, scene.clock)
            func byDay() async throws -> [Int: Int64] {
                let usage = try await node.log.usage(accountID: 7, filter: Self.all, by: [.day])
                return Dictionary(uniqueKeysWithValues: usage.map { ($0.key.day, $0.value.bytes) })
            }
            node.show.count(hls: 1, stripe: 0)
            node.log.sample { _, _ in 0 }
            scene.clock.advance(86_400)
            node.show.count(hls: 2, stripe: 0)
            node.log.sample { _, _ in 0 }
            scene.clock.setWallClock(by: -86_400)
            node.show.count(hls: 4, stripe: 0)
            #expect(try await byDay() == [19_675: 5, 19_676: 2])
            await node.log.write()
            #expect(try await byDay() == [19_675: 5, 19_676: 2])
        }
    }

    @Test("A stream that nobody watches leaves no rows")
    func nobody() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let store = HeldStore(scene.store)
            let node = Node(store, scene.clock)
            for _ in 0..<3 {
                scene.clock.advance(5)
                node.log.sample { $1 }
            }
            await node.log.write()
            #expect(store.written == 0)
            #expect(node.log.streams(accountID: 7).map(\.address) == [Self.show.address])
            #expect(node.log.streams(accountID: 8).isEmpty)
        }
    }
}

/// A store that can be made to wait and to fail.
private final class HeldStore: UsageStore {
    private struct State: Sendable {
        var isFailing = false
        var isHeld = false
        var waiting: CheckedContinuation<Void, Never>?
        var beforeReading: (@Sendable () async -> Void)?
        var written = 0
        var reads = 0
    }

    private let store: any UsageStore
    private let state = Mutex(State())

    init(_ store: any UsageStore) {
        self.store = store
    }

    var isFailing: Bool {
        get { state.withLock { $0.isFailing } }
        set { state.withLock { $0.isFailing = newValue } }
    }

    /// Writes that were made.
    var written: Int { state.withLock { $0.written } }
    /// Questions that were answered.
    var reads: Int { state.withLock { $0.reads } }

    /// Writes wait from now on.
    func hold() { state.withLock { $0.isHeld = true } }
    var isHolding: Bool { state.withLock { $0.waiting != nil } }

    func letGo() {
        state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isHeld = false
            defer { state.waiting = nil }
            return state.waiting
        }?.resume()
    }

    /// Once, before a question is answered.
    func beforeReading(_ work: @escaping @Sendable () async -> Void) {
        state.withLock { $0.beforeReading = work }
    }

    func addUsage(_ usage: [UsageKey: UsageAmount], viewers: [ViewerMinute: ViewerAmount]) async throws {
        if isFailing { throw StoreError.unavailable("the disk is full") }
        if state.withLock({ $0.isHeld }) {
            await withCheckedContinuation { continuation in state.withLock { $0.waiting = continuation } }
        }
        try await store.addUsage(usage, viewers: viewers)
        state.withLock { $0.written += 1 }
    }

    func usage(accountID: AccountID, filter: UsageFilter, by columns: Set<UsageKey.Column>) async throws
        -> [UsageKey: UsageAmount]
    {
        let work = state.withLock { state in
            defer { state.beforeReading = nil }
            return state.beforeReading
        }
        await work?()
        let usage = try await store.usage(accountID: accountID, filter: filter, by: columns)
        state.withLock { $0.reads += 1 }
        return usage
    }

    func viewers(accountID: AccountID, filter: ViewerFilter) async throws -> [Int: ViewerAmount] {
        try await store.viewers(accountID: accountID, filter: filter)
    }
}
