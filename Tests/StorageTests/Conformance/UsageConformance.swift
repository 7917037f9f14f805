import Basics
import Foundation
import Storage
import Testing
import Usher

@Suite("Every store: usage and viewers")
struct UsageConformance {
    private func key(
        _ stream: String, day: Int = 100, app: String = "demo-origin", delivery: DeliveryProtocol = .hls,
        server: String = "a", accountID: AccountID = 1
    ) -> UsageKey {
        UsageKey(
            accountID: accountID, day: day, app: app, stream: stream, instance: "live", delivery: delivery,
            server: server)
    }

    private func minute(
        _ stream: String, _ minute: Int, app: String = "demo-origin", server: String = "a", accountID: AccountID = 1
    ) -> ViewerMinute {
        ViewerMinute(
            accountID: accountID, minute: minute, app: app, stream: stream, instance: "live", server: server)
    }

    @Test("What nodes add at the same time adds up, of usage and of viewers", arguments: StoreKind.allCases)
    func additive(kind: StoreKind) async throws {
        try await kind.run { store in
            let (key, minute) = (key("show"), minute("show", 7))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for peak in 1...50 {
                    group.addTask {
                        try await store.addUsage(
                            [key: UsageAmount(bytes: 3_000_000_000, viewerTime: 5)],
                            viewers: [minute: ViewerAmount(peak: peak % 7, viewerTime: 4)])
                    }
                }
                try await group.waitForAll()
            }
            let usage = try await store.usage(accountID: 1, filter: UsageFilter(days: 100...100), by: [])
            #expect(usage == [UsageKey(accountID: 1): UsageAmount(bytes: 150_000_000_000, viewerTime: 250)])
            let viewers = try await store.viewers(
                accountID: 1, filter: ViewerFilter(minutes: 0...9, apps: ["demo-origin"]))
            // The peak of one stream on one node is the highest that was said.
            #expect(viewers == [7: ViewerAmount(peak: 6, viewerTime: 200)])
        }
    }

    @Test("Usage is summed up by the columns asked for, and narrowed by every filter", arguments: StoreKind.allCases)
    func sums(kind: StoreKind) async throws {
        try await kind.run { store in
            let rows: [(UsageKey, Int64)] = [
                (key("show"), 1), (key("show", delivery: .rtmp), 2), (key("show", server: "b"), 4),
                (key("show", day: 101), 8), (key("paid_360p"), 16), (key("show", app: "demo-vod"), 32),
                (key("show", accountID: 2), 64),
            ]
            try await store.addUsage(
                Dictionary(uniqueKeysWithValues: rows.map { ($0.0, UsageAmount(bytes: $0.1)) }), viewers: [:])
            let all = UsageFilter(days: 0...1_000)
            // Whatever the columns, the store sums up as the keys themselves do.
            for bits in 0..<(1 << UsageKey.Column.allCases.count) {
                let columns = Set(
                    UsageKey.Column.allCases.enumerated().filter { bits >> $0.offset & 1 == 1 }.map(\.element))
                var expected: [UsageKey: UsageAmount] = [:]
                for (key, bytes) in rows where key.accountID == 1 {
                    expected[key.summed(by: columns), default: UsageAmount()] += UsageAmount(bytes: bytes)
                }
                #expect(try await store.usage(accountID: 1, filter: all, by: columns) == expected, "\(columns)")
            }
            func patterns(_ texts: String...) -> [WildcardPattern] { texts.map { WildcardPattern($0) } }
            for (filter, bytes) in [
                (UsageFilter(days: 101...101), 8), (UsageFilter(days: 99...100), 55),
                (UsageFilter(days: 0...1_000, apps: ["demo-vod"]), 32),
                (UsageFilter(days: 0...1_000, apps: ["demo-vod", "demo-origin"]), 63),
                (UsageFilter(days: 0...1_000, streams: patterns("show")), 47),
                (UsageFilter(days: 0...1_000, streams: patterns("paid*")), 16),
                (UsageFilter(days: 0...1_000, streams: patterns("none", "*w", "paid_360p")), 63),
                (UsageFilter(days: 0...1_000, delivery: .rtmp), 2),
            ] as [(UsageFilter, Int64)] {
                let usage = try await store.usage(accountID: 1, filter: filter, by: [])
                #expect(usage.values.map(\.bytes) == [bytes], "\(filter)")
                #expect(rows.filter { $0.0.accountID == 1 && filter.matches($0.0) }.reduce(0) { $0 + $1.1 } == bytes)
            }
            for filter in [
                UsageFilter(days: 0...1_000, apps: []), UsageFilter(days: 0...1_000, streams: []),
                UsageFilter(days: 200...300),
            ] { #expect(try await store.usage(accountID: 1, filter: filter, by: []).isEmpty) }
        }
    }

    @Test("Viewers of several streams and nodes are added up, minute by minute", arguments: StoreKind.allCases)
    func viewers(kind: StoreKind) async throws {
        try await kind.run { store in
            let rows: [(ViewerMinute, Int)] = [
                (minute("show", 5), 1), (minute("show", 6), 2), (minute("show", 6, server: "b"), 4),
                (minute("paid_360p", 6), 8), (minute("show", 6, app: "demo-vod"), 16),
                (minute("show", 6, accountID: 2), 32),
            ]
            try await store.addUsage(
                [:],
                viewers: Dictionary(
                    uniqueKeysWithValues: rows.map { ($0.0, ViewerAmount(peak: $0.1, viewerTime: Int64($0.1) * 10)) }))
            let origin: Set = ["demo-origin"]
            for (filter, peaks) in [
                (ViewerFilter(minutes: 0...9, apps: origin), [5: 1, 6: 14]),
                (ViewerFilter(minutes: 6...6, apps: ["demo-origin", "demo-vod"]), [6: 30]),
                (ViewerFilter(minutes: 0...9, apps: origin, streams: [WildcardPattern("show")]), [5: 1, 6: 6]),
                (ViewerFilter(minutes: 0...9, apps: origin, streams: [WildcardPattern("s*w")]), [5: 1, 6: 6]),
                (
                    ViewerFilter(
                        minutes: 0...9, apps: origin, streams: [WildcardPattern("none"), WildcardPattern("paid_360p")]),
                    [6: 8]
                ),
                (ViewerFilter(minutes: 7...9, apps: origin), [:]),
            ] as [(ViewerFilter, [Int: Int])] {
                let viewers = try await store.viewers(accountID: 1, filter: filter)
                #expect(viewers.mapValues(\.peak) == peaks, "\(filter)")
                #expect(viewers.mapValues { Int($0.viewerTime) } == peaks.mapValues { $0 * 10 }, "\(filter)")
            }
        }
    }

    @Test("Days and minutes that have ended before a date are removed, and counted", arguments: StoreKind.allCases)
    func retention(kind: StoreKind) async throws {
        try await kind.run { store in
            try await store.addUsage(
                Dictionary(uniqueKeysWithValues: (0..<300).map { (key("s\($0)", day: $0 % 3), UsageAmount(bytes: 1)) }),
                viewers: Dictionary(
                    uniqueKeysWithValues: (0..<90).map { (minute("s\($0)", $0 % 3), ViewerAmount(peak: 1)) }))
            let later = Date(timeIntervalSince1970: 2 * 86_400)
            #expect(try await store.removeUsage(before: later.addingTimeInterval(-1)) == 100)
            #expect(try await store.removeUsage(before: later) == 100)
            #expect(try await store.removeUsage(before: later.addingTimeInterval(86_399)) == 0)
            let rest = try await store.usage(accountID: 1, filter: UsageFilter(days: 0...9), by: [.day])
            #expect(rest == [UsageKey(accountID: 1, day: 2): UsageAmount(bytes: 100)])
            #expect(try await store.removeViewers(before: Date(timeIntervalSince1970: 119)) == 30)
            let viewers = try await store.viewers(
                accountID: 1, filter: ViewerFilter(minutes: 0...9, apps: ["demo-origin"]))
            #expect(viewers.mapValues(\.peak) == [1: 30, 2: 30])
        }
    }
}
