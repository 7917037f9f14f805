import Foundation
import GRDB
import Storage
import TestSupport
import Testing
import Usher

/// Viewers race for tickets of one use, and the process that lets them in is killed at a moment of chance, again and again on one
/// database, until most tickets are used; then on a new one. PLAYHOUSE_STORM_ROUNDS and PLAYHOUSE_STORM_TICKETS make it longer.
@Suite("A storm at the door")
struct StormTests {
    private static func setting(_ name: String, or value: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? value
    }

    private static let program =
        ProcessInfo.processInfo.environment["PLAYHOUSE_STORM_PROGRAM"]
        ?? URL(fileURLWithPath: Places.playhouse).deletingLastPathComponent().path + "/attempt-load"

    @Test("Killed at any moment, no ticket is used more often than it may be, and nobody who was let in is missing")
    func killed() async throws {
        let folder = try Folder()
        var data = folder.file("data")
        let tickets = Self.setting("PLAYHOUSE_STORM_TICKETS", or: 4_000)
        var answered: Set<String> = []
        let rounds = Self.setting("PLAYHOUSE_STORM_ROUNDS", or: 8)
        for round in 1...rounds {
            if answered.count > tickets * 3 / 4 {
                try FileManager.default.removeItem(atPath: data)
                data = folder.file("data\(round)")
                answered = []
            }
            let storm = try ForeignProgram([Self.program, "storm", data, "\(tickets)", "\(round)"])
            try await eventually("the storm: \(storm.errors)", within: .seconds(300)) { storm.output.contains("ready") }
            // The moment is what is tested, so it is one of chance.
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...700)))
            storm.signal(SIGKILL)
            _ = try await storm.result()
            for line in storm.output.split(separator: "\n") where line != "ready" {
                // Answered twice, the ticket would have been used twice.
                #expect(answered.insert(String(line)).inserted, "\(line) in round \(round)")
            }
            try await check(data, tickets: tickets, answered: answered)
            if rounds > 8 { print("round \(round) of \(rounds): \(answered.count) of \(tickets) tickets used") }
        }
        #expect(!answered.isEmpty)
    }

    private func check(_ folder: String, tickets: Int, answered: Set<String>) async throws {
        let integrity = try await DatabaseQueue(path: "\(folder)/\(SQLiteStore.fileName)").read {
            try String.fetchAll($0, sql: "PRAGMA integrity_check")
        }
        #expect(integrity == ["ok"])
        let store = try await SQLiteStore.open(folder: folder)
        var used: [String: Int] = [:]
        var position: Int64? = 0
        while let after = position {
            let page = try await store.tickets(
                accountID: 1, filter: TicketFilter(date: Date()), after: after, limit: 1_000)
            for ticket in page.tickets { used[ticket.key] = ticket.usedCount }
            position = page.next
        }
        #expect(used.count == tickets)
        // Every row, by its key: what a count must be.
        var rows: [String: Int] = [:]
        var sum = 0
        var before = Int64.max
        while true {
            let page = try await store.attempts(
                accountID: 1, filter: AttemptFilter(isSuccess: true, beforeID: before), limit: 1_000, offset: 0)
            guard let last = page.last else { break }
            for row in page { rows[row.key, default: 0] += row.repeats }
            sum += page.reduce(0) { $0 + $1.repeats }
            before = last.id
        }
        #expect(rows == used.filter { $0.value > 0 })
        #expect(rows.values.allSatisfy { $0 == 1 })
        #expect(answered.subtracting(rows.keys).isEmpty)
        #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: true)) == sum)
        for key in answered.prefix(20) {
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter(key: key, isSuccess: true)) == 1)
        }
        try await store.close()
    }
}
