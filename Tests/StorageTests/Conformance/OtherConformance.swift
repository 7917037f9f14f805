import Basics
import Foundation
import Storage
import Testing

@Suite struct OtherConformance {
    @Test("Stored pushes are kept", arguments: StoreUnderTest.all)
    func pushesAreKept(_ kind: StoreUnderTest) async throws {
        try await kind.withAccounts { store in
            func push(
                _ name: String, accountID: AccountID = 7, app: String? = nil, stream: String? = nil, auto: Bool = true
            )
                -> PushService
            {
                PushService(
                    accountID: accountID, name: name, service: "rtmp", app: app, stream: stream, autopush: auto,
                    destination: ["dst_host": "example.com", "dst_stream": "schlüssel/\"1\""], created: Sample.now,
                    updated: Sample.now)
            }
            var one = try await store.insertPush(push("one", app: "demo-origin", stream: "s"))
            let two = try await store.insertPush(push("two"))
            let three = try await store.insertPush(push("three", app: "demo-origin", stream: "s", auto: false))
            let foreign = try await store.insertPush(push("foreign", accountID: 8))
            #expect(try await store.pushes(accountID: 7) == [one, two, three])
            #expect(try await store.push(id: one.id, accountID: 7) == one)
            #expect(try await store.push(id: one.id, accountID: 8) == nil)
            #expect(try await store.autopushes(app: "demo-origin", instance: "live", stream: "s") == [one, two])
            #expect(try await store.autopushes(app: "demo-origin", instance: "live", stream: "t") == [two])
            #expect(try await store.autopushes(app: "other-origin", instance: "live", stream: "s") == [foreign])
            #expect(try await store.autopushes(app: "nobody-origin", instance: "live", stream: "s") == [])
            one.instance = "studio"
            one.adaptiveGroup = "g"
            one.pushSource = false
            one.destination = ["url": "rtmp://example.com/a/b"]
            one.updated = Sample.now.addingTimeInterval(5)
            #expect(try await store.updatePush(one))
            #expect(try await store.push(id: one.id, accountID: 7) == one)
            #expect(try await store.autopushes(app: "demo-origin", instance: "live", stream: "s") == [two])
            var stolen = one
            stolen.accountID = 8
            #expect(try await !store.updatePush(stolen))
            #expect(try await !store.removePush(id: one.id, accountID: 8))
            #expect(try await store.removePush(id: foreign.id, accountID: 8))
            #expect(try await !store.removePush(id: foreign.id, accountID: 8))
            // An id is not given a second time.
            #expect(try await store.insertPush(push("new", accountID: 8)).id > foreign.id)
        }
    }

    @Test("Events are listed newest first", arguments: StoreUnderTest.all)
    func eventsAreListedNewestFirst(_ kind: StoreUnderTest) async throws {
        try await kind.withAccounts { store in
            func event(_ seconds: Double, _ stream: String, app: String = "demo-origin") -> OriginEvent {
                OriginEvent(
                    accountID: 7, date: Sample.now.addingTimeInterval(seconds), kind: .publish, app: app,
                    instance: "live",
                    stream: stream, isAuthenticated: true, user: "ann", address: "203.0.113.9",
                    metadata: ["encoder": "obs"])
            }
            for event in [event(0, "a"), event(1, "b"), event(1, "a"), event(2, "a", app: "demo-vod")] {
                try await store.recordEvent(event)
            }
            let all = try await store.events(accountID: 7, app: "demo-origin", stream: nil, limit: 10, offset: 0)
            #expect(all.map(\.stream) == ["a", "b", "a"])
            #expect(all.first?.metadata == ["encoder": "obs"] && all.first?.isAuthenticated == true)
            let one = try await store.events(accountID: 7, app: "demo-origin", stream: "a", limit: 1, offset: 1)
            #expect(one.map(\.date) == [Sample.now])
            #expect(try await store.events(accountID: 8, app: "demo-origin", stream: nil, limit: 10, offset: 0) == [])
        }
    }

    @Test(
        "A reply is outdated when another request has changed what it is about, and not by its own changes",
        arguments: StoreUnderTest.all)
    func anOutdatedReplyIsNotGivenAgain(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            let (now, end) = (Sample.now, Sample.now.addingTimeInterval(600))
            func run(_ digest: String, concerned: [String] = [], changed: [String] = []) async throws {
                #expect(try await store.beginReplay(digest: digest, now: now, expires: end) == .new)
                try await store.finishReplay(
                    digest: digest, reply: digest, touch: ReplayTouch(concerned: concerned, changed: changed))
            }
            func again(_ digest: String) async throws -> ReplayClaim {
                try await store.beginReplay(digest: digest, now: now, expires: end)
            }
            try await run("add", concerned: ["a"], changed: ["a"])
            #expect(try await again("add") == .answered("add"))
            try await run("other", concerned: ["b"], changed: ["b", "c"])
            try await run("look", concerned: ["a", "b", "c"])
            #expect(try await again("add") == .answered("add"))
            try await run("remove", concerned: ["a"], changed: ["a"])
            #expect(try await again("add") == .outdated)
            #expect(try await again("look") == .outdated)
            #expect(try await again("other") == .answered("other"))
            #expect(try await again("remove") == .answered("remove"))
            try await store.recordChanges(ReplayTouch(changed: ["c", "b"]))
            #expect(try await again("other") == .outdated)
            #expect(try await again("remove") == .answered("remove"))
            // A change that came while the request was carried out may have come after its effect.
            #expect(try await store.beginReplay(digest: "slow", now: now, expires: end) == .new)
            try await run("between", changed: ["d"])
            try await store.finishReplay(digest: "slow", reply: "slow", touch: ReplayTouch(concerned: ["d"]))
            #expect(try await again("slow") == .outdated)
            // When its time is over it is a new request, and what was changed before is nothing to it.
            #expect(try await store.beginReplay(digest: "add", now: end, expires: end.addingTimeInterval(600)) == .new)
            try await store.finishReplay(digest: "add", reply: "new", touch: ReplayTouch(concerned: ["a"]))
            #expect(try await again("add") == .answered("new"))
            try await store.removeReplays(expiredBefore: end.addingTimeInterval(601))
            #expect(try await again("add") == .new)
        }
    }

    @Test(
        "What is done once is kept together with its reply, or not at all", arguments: StoreUnderTest.all)
    func effectAndReplyAreOne(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            let (now, end) = (Sample.now, Sample.now.addingTimeInterval(600))
            try await store.insertAccount(.demo)
            func once(
                _ digest: String, at date: Date = now, fails: Bool = false, touch: ReplayTouch = ReplayTouch()
            ) async throws -> String {
                let request = ReplayRequest(digest: digest, now: date, expires: end)
                let outcome = try await store.once(request, isRevocation: false) { transaction in
                    _ = try transaction.insertTickets([Sample.ticket(key: "k.\(digest)", accountID: 1)])
                    if fails { throw StoreError.unavailable("a fault") }
                    return ReplayAnswer(reply: "reply to \(digest)", touch: touch, value: "value of \(digest)")
                }
                return switch outcome {
                case .carriedOut(let value): value
                case .known(let claim): "\(claim)"
                }
            }
            #expect(try await once("a", touch: ReplayTouch(concerned: ["x"], changed: ["x"])) == "value of a")
            #expect(try await store.ticket(key: "k.a") != nil)
            #expect(try await once("a") == "answered(\"reply to a\")")
            #expect(try await store.beginReplay(digest: "a", now: now, expires: end) == .answered("reply to a"))
            // What failed is as if it had never come.
            await #expect(throws: StoreError.unavailable("a fault")) { try await once("b", fails: true) }
            #expect(try await store.ticket(key: "k.b") == nil)
            #expect(try await once("b", touch: ReplayTouch(changed: ["x"])) == "value of b")
            #expect(try await once("a") == "outdated")
            // Whoever has claimed it otherwise goes first, unless it is taken for lost.
            #expect(try await store.beginReplay(digest: "c", now: now, expires: end) == .new)
            #expect(try await once("c") == "running")
            #expect(try await once("c", at: now + ReplayClaim.patience) == "value of c")
            // Of many at once one is carried out.
            let values = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await once("d") } }
                return try await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
            }
            #expect(values == ["value of d": 1, "answered(\"reply to d\")": 19])
        }
    }

    @Test("A remembered reply is given again", arguments: StoreUnderTest.all)
    func aReplyIsGivenAgain(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            let (now, end) = (Sample.now, Sample.now.addingTimeInterval(600))
            #expect(try await store.beginReplay(digest: "d", now: now, expires: end) == .new)
            #expect(try await store.beginReplay(digest: "d", now: now, expires: end) == .running)
            try await store.finishReplay(digest: "d", reply: "{}")
            #expect(try await store.beginReplay(digest: "d", now: now, expires: end) == .answered("{}"))
            try await store.abandonReplay(digest: "d")
            #expect(try await store.beginReplay(digest: "d", now: now, expires: end) == .answered("{}"))
            #expect(try await store.beginReplay(digest: "d", now: end, expires: end.addingTimeInterval(1)) == .new)
            try await store.abandonReplay(digest: "d")
            #expect(try await store.beginReplay(digest: "d", now: now, expires: end) == .new)
            try await store.removeReplays(expiredBefore: end.addingTimeInterval(1))
            await #expect(throws: StoreError.notFound("claim of a reply")) {
                try await store.finishReplay(digest: "d", reply: "")
            }
        }
    }

    @Test("Of many that claim a reply at once one gets it", arguments: StoreUnderTest.all)
    func oneOfManyClaimsAReply(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            let claims = try await withThrowingTaskGroup(of: ReplayClaim.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await store.beginReplay(
                            digest: "d", now: Sample.now, expires: Sample.now.addingTimeInterval(9))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(claims.count { $0 == .new } == 1)
            #expect(claims.count { $0 == .running } == 49)
        }
    }

    @Test("Sequences never go back", arguments: StoreUnderTest.all)
    func sequencesNeverGoBack(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            var given: [Int64] = []
            for (name, count) in [("a", 10), ("a", 1), ("b", Int64.max), ("a", 1)] {
                given.append(try await store.reserveSequence(name: name, count: count))
            }
            #expect(given == [0, 10, 0, 11])
            for count in [Int64(0), -1, .min] {
                await #expect(throws: StoreError.failed("a sequence cannot give \(count) numbers")) {
                    try await store.reserveSequence(name: "a", count: count)
                }
            }
            await #expect(throws: StoreError.self) { try await store.reserveSequence(name: "b", count: 1) }
        }
    }

    @Test("A closed store says that it is closed", arguments: StoreUnderTest.all)
    func aClosedStoreSaysSo(_ kind: StoreUnderTest) async throws {
        try await kind.run { store in
            _ = try await store.reserveSequence(name: "a", count: 1)
            try await store.close()
            await #expect(throws: StoreError.closed) { try await store.reserveSequence(name: "a", count: 1) }
            await #expect(throws: StoreError.closed) { try await store.accounts() }
        }
    }
}
