import Basics
import CZlib

/// The texts, dates and ids of some rows of a volume, compressed together: what only lists of attempts need.
struct AttemptChunk {
    /// Rows of a chunk at most: more would take less room, but a list of 25 rows unpacks up to 25 chunks.
    static let maximumRows = 512

    /// What a volume's columns do not say of a row.
    struct Row: Equatable {
        var id: Int64
        /// Microseconds since 1970.
        var date: Int64
        var key: String
        var pass: String
        /// Empty for an address that the columns have.
        var address: String
        var instance: String
        var pageURL: String
        var referrerURL: String
        var reason: String
        var serverAddress: String
    }

    /// Texts that many rows share; each chunk holds each of them once.
    private static let shared: [WritableKeyPath<Row, String> & Sendable] = [
        \.address, \.instance, \.pageURL, \.referrerURL, \.reason, \.serverAddress,
    ]
    private static let own: [WritableKeyPath<Row, String> & Sendable] = [\.key, \.pass]

    static func encode(_ rows: [Row]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt64(rows.count))
        var (id, date) = (Int64(0), Int64(0))
        for row in rows {
            writer.write(signed: row.id &- id)
            writer.write(signed: row.date &- date)
            (id, date) = (row.id, row.date)
        }
        for column in own {
            for row in rows { writer.write(row[keyPath: column]) }
        }
        for column in shared {
            var numbers: [String: UInt64] = [:]
            var texts: [String] = []
            let indices = rows.map { row in
                let text = row[keyPath: column]
                if let known = numbers[text] { return known }
                numbers[text] = UInt64(texts.count)
                texts.append(text)
                return UInt64(texts.count - 1)
            }
            writer.write(UInt64(texts.count))
            for text in texts { writer.write(text) }
            if texts.count > 1 {
                for index in indices { writer.write(index) }
            }
        }
        return writer.bytes
    }

    private let bytes: [UInt8]
    /// Of each row.
    private(set) var ids: [Int64] = []
    private(set) var dates: [Int64] = []
    /// For each column of `own` where each row's text is.
    private var ownTexts: [[Range<Int>]] = []
    /// For each column of `shared` where its texts are, and for each row which of them is its own.
    private var sharedTexts: [(texts: [Range<Int>], numbers: [Int])] = []

    /// nil when the bytes, expanded, are no chunk.
    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        var reader = ByteReader(bytes)
        guard let number = reader.number(), number <= Self.maximumRows else { return nil }
        let count = Int(number)
        var (id, date) = (Int64(0), Int64(0))
        for _ in 0..<count {
            guard let idStep = reader.signed(), let dateStep = reader.signed() else { return nil }
            (id, date) = (id &+ idStep, date &+ dateStep)
            ids.append(id)
            dates.append(date)
        }
        for _ in Self.own {
            guard let texts = reader.texts(count) else { return nil }
            ownTexts.append(texts)
        }
        for _ in Self.shared {
            guard let number = reader.number(), number <= Self.maximumRows, let texts = reader.texts(Int(number)) else {
                return nil
            }
            var numbers: [Int] = []
            if texts.count > 1 {
                for _ in 0..<count {
                    guard let place = reader.number(), place < number else { return nil }
                    numbers.append(Int(place))
                }
            }
            sharedTexts.append((texts, numbers))
        }
    }

    /// A row by its place in the chunk.
    func row(_ index: Int) -> Row? {
        guard ids.indices.contains(index) else { return nil }
        var row = Row(
            id: ids[index], date: dates[index], key: "", pass: "", address: "", instance: "", pageURL: "",
            referrerURL: "", reason: "", serverAddress: "")
        for (column, texts) in zip(Self.own, ownTexts) { row[keyPath: column] = text(texts[index]) }
        for (column, (texts, numbers)) in zip(Self.shared, sharedTexts) {
            guard let place = numbers.isEmpty ? texts.first : texts[numbers[index]] else { return nil }
            row[keyPath: column] = text(place)
        }
        return row
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// zlib's format (RFC 1950); nil when there is no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var length = compressBound(UInt(bytes.count))
        let output = [UInt8](unsafeUninitializedCapacity: Int(length)) { target, count in
            // Level 5: a tenth larger than the smallest, at half the time.
            let result = compress2(target.baseAddress, &length, bytes, UInt(bytes.count), 5)
            count = result == Z_OK ? Int(length) : 0
        }
        return output.isEmpty ? nil : output
    }

    /// nil when these are not `length` compressed bytes.
    static func expand(_ bytes: UnsafeRawBufferPointer, length: Int) -> [UInt8]? {
        guard length <= maximumBytes else { return nil }
        var isWhole = false
        let output = [UInt8](unsafeUninitializedCapacity: length) { target, count in
            var expanded = UInt(length)
            let result = uncompress(
                target.baseAddress, &expanded, bytes.bindMemory(to: UInt8.self).baseAddress, UInt(bytes.count))
            isWhole = result == Z_OK && expanded == UInt(length)
            count = isWhole ? length : 0
        }
        return isWhole ? output : nil
    }

    /// Expanded, with all texts as long as texts of attempts may be.
    static let maximumBytes = maximumRows * 8 * 1_024
}

/// Numbers of as many bytes as they need (LEB128), and texts.
private struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func write(signed value: Int64) {
        write(UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func write(_ text: String) {
        write(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
}

private struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func number() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    mutating func signed() -> Int64? {
        number().map { Int64(bitPattern: $0 >> 1) ^ -Int64($0 & 1) }
    }

    /// Where some texts are.
    mutating func texts(_ count: Int) -> [Range<Int>]? {
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(count)
        for _ in 0..<count {
            guard let length = number(), length <= UInt64(bytes.count - position) else { return nil }
            ranges.append(position..<(position + Int(length)))
            position += Int(length)
        }
        return ranges
    }
}
