import Basics
import Foundation
import GRDB

/// One row of a result, read with checks: a column that holds something else than it should is an error, never a trap.
struct StoredRow {
    private let row: Row
    /// Compared exactly: the row itself would look for names of either case, which takes longer than to read the row.
    private let columns: [String]

    fileprivate init(_ row: Row, of statement: Statement) {
        self.row = row
        columns = statement.columnNames
    }

    private func storage(_ column: String) -> DatabaseValue.Storage {
        value(column)?.storage ?? .null
    }

    /// A column's value as it is, for another statement.
    func value(_ column: String) -> DatabaseValue? {
        columns.firstIndex(of: column).map { row[$0] }
    }

    func integer(_ column: String) throws -> Int64 {
        guard case .int64(let value) = storage(column) else { throw Self.wrong(column) }
        return value
    }

    func optionalInteger(_ column: String) throws -> Int64? {
        if case .null = storage(column) { return nil }
        return try integer(column)
    }

    func int(_ column: String) throws -> Int {
        guard let value = Int(exactly: try integer(column)) else { throw Self.wrong(column) }
        return value
    }

    func account(_ column: String) throws -> AccountID {
        AccountID(rawValue: try int(column))
    }

    func optionalInt(_ column: String) throws -> Int? {
        if case .null = storage(column) { return nil }
        return try int(column)
    }

    func flag(_ column: String) throws -> Bool {
        try integer(column) != 0
    }

    func optionalFlag(_ column: String) throws -> Bool? {
        if case .null = storage(column) { return nil }
        return try flag(column)
    }

    func text(_ column: String) throws -> String {
        guard case .string(let value) = storage(column) else { throw Self.wrong(column) }
        return value
    }

    func optionalText(_ column: String) throws -> String? {
        if case .null = storage(column) { return nil }
        return try text(column)
    }

    func date(_ column: String) throws -> Date {
        Date(stored: try integer(column))
    }

    func optionalDate(_ column: String) throws -> Date? {
        if case .null = storage(column) { return nil }
        return try date(column)
    }

    func map(_ column: String) throws -> [String: String] {
        try Self.map(try text(column), of: column)
    }

    /// - Parameter column: for the error.
    static func map(_ text: String, of column: String) throws -> [String: String] {
        guard let map = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
            throw wrong(column)
        }
        return map
    }

    func choice<Choice: RawRepresentable<String>>(_ column: String) throws -> Choice {
        guard let choice = Choice(rawValue: try text(column)) else { throw Self.wrong(column) }
        return choice
    }

    func optionalChoice<Choice: RawRepresentable<String>>(_ column: String) throws -> Choice? {
        if case .null = storage(column) { return nil }
        return try choice(column)
    }

    private static func wrong(_ column: String) -> StoreError {
        .failed("column \(column) holds what it should not")
    }
}

extension Date {
    /// Dates are kept as whole microseconds since 1970 in UTC.
    init(stored microseconds: Int64) {
        self.init(timeIntervalSince1970: Double(microseconds) / 1_000_000)
    }

    /// Rounded, and held to the years that a 64-bit number can count.
    var stored: Int64 {
        Int64(exactly: (timeIntervalSince1970 * 1_000_000).rounded()) ?? (timeIntervalSince1970 < 0 ? .min : .max)
    }
}

extension [String: String] {
    /// JSON with sorted names.
    func stored() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension Database {
    /// Runs a statement, which is compiled once per connection, and gives how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
        try cachedStatement(sql: sql).execute(arguments: arguments)
        return changesCount
    }

    func first(_ sql: String, _ arguments: StatementArguments = []) throws -> StoredRow? {
        let statement = try cachedStatement(sql: sql)
        return try Row.fetchOne(statement, arguments: arguments).map { StoredRow($0, of: statement) }
    }

    func all(_ sql: String, _ arguments: StatementArguments = []) throws -> [StoredRow] {
        let statement = try cachedStatement(sql: sql)
        return try Row.fetchAll(statement, arguments: arguments).map { StoredRow($0, of: statement) }
    }
}

extension AccountID: DatabaseValueConvertible {}
