import Foundation
import Storage
import Testing
import Usher

@Suite("Every store: the attempt log")
struct AttemptConformance {
    private func rows(_ store: any Store, _ filter: AttemptFilter = AttemptFilter()) async throws -> [Attempt] {
        try await store.attempts(accountID: 1, filter: filter, limit: 1000, offset: 0)
    }

    @Test("Refusals alike are folded for ten seconds from the first, and counted each", arguments: StoreKind.allCases)
    func folded(kind: StoreKind) async throws {
        try await kind.run { store in
            for second in [0.0, 1, 9.9, 10, 15] {
                store.recordRefusal(.refusal(date: at(second)), foldingWindow: 10)
            }
            let rows = try await rows(store)
            #expect(rows.map(\.date) == [at(10), at(0)])
            #expect(rows.map(\.repeats) == [2, 3])
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 5)
        }
    }

    @Test("Admissions without a stored ticket are a row each, however alike", arguments: StoreKind.allCases)
    func admissions(kind: StoreKind) async throws {
        try await kind.run { store in
            for _ in 0..<2 {
                try await store.recordAdmission(
                    Attempt(accountID: 1, date: at(0), facts: .sample(), isSuccess: true, reason: ""))
            }
            store.recordRefusal(.refusal(), foldingWindow: 10)
            #expect(try await rows(store, AttemptFilter(isSuccess: true)).map(\.repeats) == [1, 1])
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 3)
        }
    }

    private static let unlike: [Attempt] = [
        .refusal(.sample(key: "k2")), .refusal(.sample(address: "192.0.2.2")), .refusal(.sample(video: "film")),
        .refusal(reason: .expired), .refusal(accountID: 2),
    ]

    @Test("Another ticket, address, video, reason or account is not folded", arguments: StoreKind.allCases, unlike)
    func unfolded(kind: StoreKind, attempt: Attempt) async throws {
        try await kind.run { store in
            store.recordRefusal(.refusal(), foldingWindow: 10)
            store.recordRefusal(attempt, foldingWindow: 10)
            let all =
                try await rows(store) + store.attempts(accountID: 2, filter: AttemptFilter(), limit: 10, offset: 0)
            #expect(all.map(\.repeats) == [1, 1])
        }
    }

    @Test("A refusal folds into refusals only, and none without a window", arguments: StoreKind.allCases)
    func notIntoSuccess(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            _ = try await store.admit(.sample())
            store.recordRefusal(.refusal(), foldingWindow: 10)
            store.recordRefusal(.refusal(), foldingWindow: 0)
            #expect(try await rows(store).map(\.repeats) == [1, 1, 1])
        }
    }

    @Test("Refusals that came folded count with their repeats", arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        try await kind.run { store in
            var attempt = Attempt.refusal()
            attempt.repeats = 4
            store.recordRefusal(attempt, foldingWindow: 10)
            store.recordRefusal(attempt, foldingWindow: 10)
            let rows = try await rows(store)
            #expect(rows.map(\.repeats) == [8])
        }
    }

    @Test("Rows come newest first, the later written first of the same moment, in pages", arguments: StoreKind.allCases)
    func order(kind: StoreKind) async throws {
        try await kind.run { store in
            for (video, second) in [("a", 2.0), ("b", 1), ("c", 2), ("d", 3)] {
                store.recordRefusal(.refusal(.sample(video: video), date: at(second)), foldingWindow: 10)
            }
            func page(_ limit: Int, _ offset: Int) async throws -> [String] {
                try await store.attempts(accountID: 1, filter: AttemptFilter(), limit: limit, offset: offset).map(
                    \.video)
            }
            let all = try await page(10, 0)
            #expect(all == ["d", "c", "a", "b"])
            #expect(try await page(2, 1) == ["c", "a"])
            #expect(try await page(10, 4) == [])
            #expect(try await page(0, 0) == [])
            #expect(try await page(-1, -1) == [])
        }
    }

    @Test(
        "Pages by id are not shifted by rows that come meanwhile, whatever their dates", arguments: StoreKind.allCases)
    func pagesByID(kind: StoreKind) async throws {
        try await kind.run { store in
            func record(_ videos: String, at seconds: Double) async throws {
                for video in videos {
                    try await store.recordAdmission(.refusal(.sample(video: String(video)), date: at(seconds)))
                }
            }
            func page(before id: Int64) async throws -> [Attempt] {
                try await store.attempts(accountID: 1, filter: .init(beforeID: id), limit: 3, offset: 0)
            }
            // Recorded in this order, dated in another.
            try await record("abc", at: 5)
            try await record("def", at: 3)
            try await record("g", at: 9)
            var found = ""
            var position = Int64.max
            while let last = try await page(before: position).last {
                found += try await page(before: position).map(\.video).joined()
                position = last.id
                try await record("x", at: 4)
            }
            #expect(found == "gfedcba")
            let count = try await store.countAttempts(accountID: 1, filter: .init(beforeID: position + 1))
            #expect(count == 1)
        }
    }

    private static let filters: [(AttemptFilter, String)] = [
        (AttemptFilter(), "abcdef"),
        (AttemptFilter(key: "k1"), "abdef"),
        (AttemptFilter(key: "k"), ""),
        (AttemptFilter(pass: "secret"), "abce"),
        (AttemptFilter(app: "demo-origin"), "abcdf"),
        (AttemptFilter(app: "demo-*"), "abcdef"),
        (AttemptFilter(app: "*-VOD"), ""),
        (AttemptFilter(app: "*-vod"), "e"),
        (AttemptFilter(video: "show"), "abd"),
        (AttemptFilter(video: "mp4:show"), "abd"),
        (AttemptFilter(video: "dir/*"), "ef"),
        (AttemptFilter(video: "*o*"), "abcdf"),
        (AttemptFilter(video: "sho?"), ""),
        (AttemptFilter(address: "192.0.2.1"), "ade"),
        (AttemptFilter(address: "::ffff:192.0.2.1"), "ade"),
        (AttemptFilter(address: "192.0.2.0/24"), "acde"),
        (AttemptFilter(address: "192.0.2.128/25"), "c"),
        (AttemptFilter(address: "2001:db8::/32"), "b"),
        (AttemptFilter(address: "2001:DB8:0::5"), "b"),
        (AttemptFilter(address: "0.0.0.0/0"), "acde"),
        (AttemptFilter(address: "nonsense"), ""),
        (AttemptFilter(isSuccess: true), ""),
        (AttemptFilter(isSuccess: false), "abcdef"),
        (AttemptFilter(since: at(3)), "def"),
        (AttemptFilter(since: at(3.000001)), "ef"),
        (AttemptFilter(key: "k1", pass: "secret", app: "demo-o*", video: "show", address: "192.0.0.0/16"), "a"),
    ]

    @Test("A filter narrows list and count alike", arguments: StoreKind.allCases, filters)
    func filtered(kind: StoreKind, _ filter: (AttemptFilter, expected: String)) async throws {
        let attempts: [(String, ViewerFacts)] = [
            ("a", .sample()),
            ("b", .sample(address: "2001:db8::5")),
            ("c", .sample(key: "k2", address: "192.0.2.200", video: "so")),
            ("d", .sample(pass: "x")),
            ("e", .sample(app: "demo-vod", video: "dir/film")),
            ("f", .sample(pass: nil, address: "unknown", video: "dir/o/film")),
        ]
        try await kind.run { store in
            for (index, (name, facts)) in attempts.enumerated() {
                var facts = facts
                facts.instance = name
                store.recordRefusal(.refusal(facts, date: at(Double(index))), foldingWindow: 0)
            }
            store.recordRefusal(.refusal(accountID: 2), foldingWindow: 0)
            let found = try await rows(store, filter.0).map(\.instance)
            #expect(found.reversed().joined() == filter.expected)
            #expect(try await store.countAttempts(accountID: 1, filter: filter.0) == filter.expected.count)
        }
    }

    @Test("A success is found by its filter", arguments: StoreKind.allCases)
    func success(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            _ = try await store.admit(.sample())
            _ = try await store.admit(.sample(.sample(pass: "no")))
            #expect(try await rows(store, AttemptFilter(isSuccess: true)).map(\.reason) == [""])
            #expect(try await rows(store, AttemptFilter(isSuccess: false)).map(\.reason) == ["Invalid Password"])
        }
    }
}
