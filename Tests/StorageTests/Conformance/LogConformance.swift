import Basics
import Foundation
import Storage
import Testing
import Usher

@Suite("Every store: events, replays, sequences, retention")
struct LogConformance {
    private func event(_ stream: String, _ seconds: Double, app: String = "demo-origin", accountID: AccountID = 1)
        -> OriginEvent
    {
        OriginEvent(
            accountID: accountID, date: at(seconds), kind: .publish, app: app, instance: "_definst_", stream: stream,
            isAuthenticated: true, user: "ann", address: "2001:db8::1",
            metadata: ["encoder": "FMLE/3.0 \"ü\"", "a": ""])
    }

    @Test("Events of an app or a stream come newest first, in pages", arguments: StoreKind.allCases)
    func events(kind: StoreKind) async throws {
        try await kind.run { store in
            let written = [
                event("a", 1), event("b", 3), event("a", 2), event("a", 9, app: "demo-vod"),
                event("a", 9, accountID: 2),
            ]
            for event in written { try await store.recordEvent(event) }
            func list(_ stream: String?, _ limit: Int = 10, _ offset: Int = 0) async throws -> [OriginEvent] {
                try await store.events(accountID: 1, app: "demo-origin", stream: stream, limit: limit, offset: offset)
                    .map {
                        var event = $0
                        event.id = 0
                        return event
                    }
            }
            #expect(try await list(nil) == [written[1], written[2], written[0]])
            #expect(try await list("a") == [written[2], written[0]])
            #expect(try await list(nil, 1, 1) == [written[2]])
            #expect(try await list("none") == [])
        }
    }

    @Test("Every kind of event is kept", arguments: StoreKind.allCases)
    func kinds(kind: StoreKind) async throws {
        try await kind.run { store in
            for kind in OriginEvent.Kind.allCases {
                try await store.recordEvent(
                    OriginEvent(accountID: 1, date: at(0), kind: kind, app: "a", instance: "", stream: ""))
            }
            let kinds = try await store.events(accountID: 1, app: "a", stream: nil, limit: 10, offset: 0).map(\.kind)
            #expect(kinds == OriginEvent.Kind.allCases.reversed())
        }
    }

    @Test("A signed request runs once and is answered alike afterwards", arguments: StoreKind.allCases)
    func replays(kind: StoreKind) async throws {
        try await kind.run { store in
            func begin(_ seconds: Double) async throws -> ReplayClaim {
                try await store.beginReplay(digest: "d", now: at(seconds), expires: at(seconds + 300))
            }
            #expect(try await begin(0) == .new)
            #expect(try await begin(1) == .running)
            try await store.finishReplay(digest: "d", reply: "{\"ü\":1}")
            #expect(try await begin(2) == .answered("{\"ü\":1}"))
            try await store.abandonReplay(digest: "d")
            try await store.finishReplay(digest: "d", reply: "late")
            #expect(try await begin(299) == .answered("{\"ü\":1}"))
            #expect(try await store.beginReplay(digest: "e", now: at(3), expires: at(303)) == .new)
            await #expect(throws: StoreError.notFound("claim of a reply")) {
                try await store.finishReplay(digest: "f", reply: "x")
            }
        }
    }

    @Test("Of many that claim at once, one is new", arguments: StoreKind.allCases)
    func replayRace(kind: StoreKind) async throws {
        try await kind.run { store in
            let claims = try await withThrowingTaskGroup(of: ReplayClaim.self) { group in
                for _ in 0..<50 {
                    group.addTask { try await store.beginReplay(digest: "d", now: at(0), expires: at(300)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(claims.count { $0 == .new } == 1)
            #expect(claims.count { $0 == .running } == 49)
        }
    }

    @Test("A claim is free again when abandoned, expired, or without a reply too long", arguments: StoreKind.allCases)
    func freedClaims(kind: StoreKind) async throws {
        try await kind.run { store in
            func begin(_ digest: String, _ seconds: Double) async throws -> ReplayClaim {
                try await store.beginReplay(digest: digest, now: at(seconds), expires: at(seconds + 300))
            }
            #expect(try await begin("abandoned", 0) == .new)
            try await store.abandonReplay(digest: "abandoned")
            #expect(try await begin("abandoned", 1) == .new)
            #expect(try await begin("expired", 0) == .new)
            try await store.finishReplay(digest: "expired", reply: "r")
            #expect(try await begin("expired", 300) == .new)
            #expect(try await begin("expired", 301) == .running)
            #expect(try await begin("lost", 0) == .new)
            #expect(try await begin("lost", ReplayClaim.patience - 1) == .running)
            #expect(try await begin("lost", ReplayClaim.patience) == .new)
            #expect(try await begin("lost", ReplayClaim.patience + 1) == .running)
        }
    }

    @Test("Remembered replies are removed once expired", arguments: StoreKind.allCases)
    func removedReplays(kind: StoreKind) async throws {
        try await kind.run { store in
            for (digest, expires) in [("old", 10.0), ("new", 20)] {
                _ = try await store.beginReplay(digest: digest, now: at(0), expires: at(expires))
                try await store.finishReplay(digest: digest, reply: digest)
            }
            try await store.removeReplays(expiredBefore: at(15))
            #expect(try await store.beginReplay(digest: "old", now: at(1), expires: at(10)) == .new)
            #expect(try await store.beginReplay(digest: "new", now: at(1), expires: at(20)) == .answered("new"))
        }
    }

    @Test("Reserved numbers never overlap", arguments: StoreKind.allCases)
    func sequences(kind: StoreKind) async throws {
        try await kind.run { store in
            let starts = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<20 { group.addTask { try await store.reserveSequence(name: "s", count: 5) } }
                return try await group.reduce(into: []) { $0.append($1) }.sorted()
            }
            let first = try #require(starts.first)
            #expect(starts == (0..<20).map { first + $0 * 5 })
            #expect(try await store.reserveSequence(name: "t", count: 1) == first)
            for count: Int64 in [0, -1, .max] {
                await #expect(throws: StoreError.self) { try await store.reserveSequence(name: "s", count: count) }
            }
            #expect(try await store.reserveSequence(name: "s", count: 1) == first + 100)
        }
    }

    @Test("A caller's sequence is not the tickets' revision", arguments: StoreKind.allCases)
    func ownSequences(kind: StoreKind) async throws {
        try await kind.run { store in
            _ = try await store.reserveSequence(name: "ticket revision", count: 100)
            #expect(try await store.currentTicketRevision() == 0)
        }
    }

    @Test("Old attempts, events and sessions are removed, and counted", arguments: StoreKind.allCases)
    func retention(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            for second in [0.0, 50, 100] {
                store.recordRefusal(.refusal(date: at(second)), foldingWindow: 10)
                // Who counts has it written: what goes is what was written before the first that stays.
                _ = try await store.countAttempts(accountID: 1, filter: AttemptFilter())
                try await store.recordEvent(event("s", second))
                let facts = ViewerFacts.sample(video: "v\(second)")
                _ = try await store.admit(.sample(facts, now: at(second), id: "\(second)", joinWindow: 1000))
            }
            #expect(try await store.removeAttempts(before: at(100)) == 4)
            #expect(try await store.removeAttempts(before: at(100)) == 0)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 2)
            #expect(try await store.removeEvents(before: at(50)) == 1)
            #expect(
                try await store.events(accountID: 1, app: "demo-origin", stream: nil, limit: 9, offset: 0).count == 2)
            #expect(try await store.removeEndedSessions(before: at(100)) == 2)
            for (second, id) in [(0.0, nil), (50, nil), (100, "100.0")] as [(Double, String?)] {
                let request = AdmissionRequest.sample(.sample(video: "v\(second)"), now: at(101), joinWindow: 1000)
                #expect(try await store.sessionToJoin(request) == id)
            }
        }
    }

    @Test("A closed store says so", arguments: StoreKind.allCases)
    func closed(kind: StoreKind) async throws {
        try await kind.run { store in
            try await store.insertAccount(.demo)
            try await store.close()
            await #expect(throws: StoreError.closed) { try await store.insertAccount(.other) }
            await #expect(throws: StoreError.closed) { try await store.accounts() }
            try await store.close()
        }
    }
}
