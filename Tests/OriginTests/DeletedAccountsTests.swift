import Admission
import Basics
import Delivery
import Foundation
import Live
import Logging
import NIOPosix
import PushPublish
import Storage
import StoreSupport
import Synchronization
import TestSupport
import Testing

@testable import Origin

@Suite("Deleted accounts") struct DeletedAccountsTests {
    @Test("Only deletions after the newest that is known are asked for, and each is dealt with until its grace is over")
    func questions() async throws {
        let folder = try Folder()
        let store = try await SQLiteStore.openForTest(folder: folder.path)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let memory = MemoryBudget(ceiling: 1 << 30)
        for id in 1...3 {
            try await store.insertAccount(Account(id: AccountID(rawValue: id), user: "user\(id)", created: Date()))
        }
        let asked = Mutex<[Int64]>([])
        let isFailing = Mutex(false)
        let service = DeletedAccounts(
            deletions: { position in
                asked.withLock { $0.append(position) }
                guard !isFailing.withLock({ $0 }) else { throw StoreError.failed("it is away") }
                return try await store.deletedAccounts(after: position)
            },
            stage: Stage(memory: memory, logger: logger), admissions: Admissions(store: store),
            pushes: PushSupervisor(
                configuration: PushConfiguration(), store: store, group: MultiThreadedEventLoopGroup.singleton,
                logger: logger),
            outputs: OutputTable(configuration: DeliveryConfiguration(), store: store, memory: memory, logger: logger),
            logger: logger)
        var watch = DeletedAccounts.Watch()
        let begin = ContinuousClock.now
        /// Sweeps some seconds after the begin; gives the accounts that were dealt with.
        func sweep(after seconds: Int) async -> Set<AccountID> {
            await service.sweep(&watch, now: begin + .seconds(seconds))
        }

        #expect(await sweep(after: 0) == [])
        try await store.deleteAccount(id: 2, at: Date())
        try await store.deleteAccount(id: 3, at: Date())
        #expect(await sweep(after: 1) == [2, 3])
        isFailing.withLock { $0 = true }
        #expect(await sweep(after: 2) == [2, 3])
        isFailing.withLock { $0 = false }
        try await store.deleteAccount(id: 1, at: Date())
        #expect(await sweep(after: 10) == [1, 2, 3])
        #expect(await sweep(after: 16) == [1])
        #expect(await sweep(after: 25) == [])
        let positions = try await store.deletedAccounts(after: 0).map(\.position)
        #expect(
            asked.withLock { $0 } == [0, 0, positions[1], positions[1], positions[2], positions[2]])
        try await store.close()
    }
}
