import Foundation
import Storage
import Usher

/// Viewers who race for tickets of one use while the log is packed under them, until the process is killed: each that was
/// answered stands on standard output, and `StormTests` compares them with what the store says afterwards.
enum Storm {
    static func run(folder: String, tickets: Int, seed: UInt64) async throws {
        let store = try await SQLiteStore.open(folder: folder)
        if try await store.account(id: 1) == nil {
            try await store.insertAccount(Account(id: 1, user: "demo", created: Date()))
            for start in stride(from: 0, to: tickets, by: 1_000) {
                _ = try await store.insertTickets(
                    (start..<min(start + 1_000, tickets)).map { index in
                        Ticket(
                            accountID: 1, key: "k\(index)", pass: "p", ip: "auto", app: "demo-origin", video: "show",
                            uses: 1,
                            created: Date(), expires: Date().addingTimeInterval(86_400))
                    })
            }
        }
        say("ready")
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<64 {
                group.addTask {
                    var random = Event.mixed(seed &* 64 &+ UInt64(caller))
                    while true {
                        random = Event.mixed(random)
                        await knock(store, ticket: Int(random % UInt64(tickets)), client: Int(random >> 40 % 4))
                    }
                }
            }
            group.addTask {
                while true { try? await store.packAttempts(now: Date()) }
            }
        }
    }

    private static func knock(_ store: SQLiteStore, ticket: Int, client: Int) async {
        let facts = ViewerFacts(
            key: "k\(ticket)", pass: "p", address: "192.0.2.\(client)", app: "demo-origin", instance: "play",
            video: "show")
        let request = AdmissionRequest(
            facts: facts, accountID: 1, now: Date(), sessionID: SessionID.make(), joinWindow: 60)
        guard let verdict = try? await store.admit(request) else { return }
        if verdict.grant?.isNew == true { say("k\(ticket)") }
    }

    /// A line in one piece, at once.
    private static func say(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
    }
}
