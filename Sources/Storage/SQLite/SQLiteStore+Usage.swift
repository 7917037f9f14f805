import Basics
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    public func addUsage(_ usage: [UsageKey: UsageAmount], viewers: [ViewerMinute: ViewerAmount]) async throws {
        try await write(.housekeeping) { database in
            for (key, amount) in usage {
                try database.run(
                    """
                    INSERT INTO usage_days (cdn, day, app, stream, instance, delivery, server, bytes, viewer_time)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET
                        bytes = bytes + excluded.bytes, viewer_time = viewer_time + excluded.viewer_time
                    """,
                    [
                        key.accountID, key.day, key.app, key.stream, key.instance, key.delivery?.rawValue ?? "",
                        key.server, amount.bytes, amount.viewerTime,
                    ])
            }
            for (key, amount) in viewers {
                try database.run(
                    """
                    INSERT INTO viewer_minutes (cdn, app, stream, minute, instance, server, peak, viewer_time)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET
                        peak = max(peak, excluded.peak), viewer_time = viewer_time + excluded.viewer_time
                    """,
                    [
                        key.accountID, key.app, key.stream, key.minute, key.instance, key.server, amount.peak,
                        amount.viewerTime,
                    ])
            }
        }
    }

    public func usage(accountID: AccountID, filter: UsageFilter, by columns: Set<UsageKey.Column>) async throws
        -> [UsageKey: UsageAmount]
    {
        // Always in one order, so that there are few statements.
        let columns = UsageKey.Column.allCases.filter(columns.contains).map(\.rawValue)
        var query = UsageQuery(accountID: accountID, column: "day", range: filter.days)
        query.narrow(apps: filter.apps, streams: filter.streams)
        if let delivery = filter.delivery { query.narrow("delivery = ?", [delivery.rawValue]) }
        return try await report(of: accountID) { [query] database in
            let rows = try database.all(
                """
                SELECT \(columns.map { "\($0), " }.joined())sum(bytes) AS bytes, sum(viewer_time) AS viewer_time
                FROM usage_days WHERE \(query.condition)
                GROUP BY \((["cdn"] + columns).joined(separator: ", "))
                """, query.arguments)
            var usage: [UsageKey: UsageAmount] = [:]
            for row in rows {
                func text(_ column: UsageKey.Column) throws -> String {
                    columns.contains(column.rawValue) ? try row.text(column.rawValue) : ""
                }
                let key = UsageKey(
                    accountID: accountID, day: columns.contains("day") ? try row.int("day") : 0, app: try text(.app),
                    stream: try text(.stream), instance: try text(.instance),
                    delivery: DeliveryProtocol(rawValue: try text(.delivery)), server: try text(.server))
                usage[key] = UsageAmount(
                    bytes: try row.integer("bytes"), viewerTime: try row.integer("viewer_time"))
            }
            return usage
        }
    }

    public func viewers(accountID: AccountID, filter: ViewerFilter) async throws -> [Int: ViewerAmount] {
        var query = UsageQuery(accountID: accountID, column: "minute", range: filter.minutes)
        query.narrow(apps: filter.apps, streams: filter.streams)
        // The rows of one stream stand together; those of all streams do by minute.
        let isOfOneStream = filter.streams?.count == 1 && filter.streams?.first?.isName == true
        let index = isOfOneStream ? "" : "INDEXED BY viewer_minutes_by_age"
        return try await report(of: accountID) { [query] database in
            let rows = try database.all(
                """
                SELECT minute, sum(peak) AS peak, sum(viewer_time) AS viewer_time FROM viewer_minutes \(index)
                WHERE \(query.condition) GROUP BY minute
                """, query.arguments)
            return Dictionary(
                try rows.map {
                    (
                        try $0.int("minute"),
                        ViewerAmount(peak: try $0.int("peak"), viewerTime: try $0.integer("viewer_time"))
                    )
                }, uniquingKeysWith: { first, _ in first })
        }
    }
}

/// The condition that a filter is.
private struct UsageQuery: Sendable {
    var condition: String
    var arguments: StatementArguments

    init(accountID: AccountID, column: String, range: ClosedRange<Int>) {
        condition = "cdn = ? AND \(column) BETWEEN ? AND ?"
        arguments = [accountID, range.lowerBound, range.upperBound]
    }

    mutating func narrow(_ text: String, _ values: StatementArguments) {
        condition += " AND \(text)"
        arguments += values
    }

    mutating func narrow(apps: Set<String>?, streams: [WildcardPattern]?) {
        // Lists go in as one argument, so that there are few statements.
        if let apps { narrow("app IN (SELECT value FROM json_each(?))", [Self.json(apps.sorted())]) }
        guard let streams else { return }
        if streams.count == 1, let name = streams.first, name.isName {
            narrow("stream = ?", [name.description])
        } else {
            narrow(
                "EXISTS (SELECT 1 FROM json_each(?) WHERE matches_wildcard(value, stream))",
                [Self.json(streams.map(\.description))])
        }
    }

    private static func json(_ texts: [String]) -> String {
        (try? JSONEncoder().encode(texts)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
    }
}

extension WildcardPattern {
    /// Whether only one name fits.
    fileprivate var isName: Bool { !description.utf8.contains(UInt8(ascii: "*")) }
}
