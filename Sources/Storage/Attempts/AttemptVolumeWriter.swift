import Basics
import Foundation

/// The parts of a volume's file. Numbers are little-endian; a part begins at a multiple of eight bytes.
enum VolumePart: UInt64, CaseIterable {
    /// Columns: one number a row, in the order of date and id.
    case groups = 1, ranks, keyRanks, passRanks, repeats
    /// Distinct values in their order; a row's rank is the place of its own.
    case v4, v6, keys, passes
    /// Row numbers in the orders of `VolumeOrder`, where each group of an order begins, and running sums of `repeats`.
    case nameRows, nameStarts, nameSums
    case appRows, appStarts, appSums
    case keyRows, keyStarts, keySums
    case passRows, passStarts, passSums
    case pairRows, pairStarts, pairSums
    case keyAppRows, keyAppStarts, keyAppSums
    case passAppRows, passAppStarts, passAppSums
    case pairAppRows, pairAppStarts, pairAppSums
    /// Which groups an order has, where not every one has rows (`VolumeOrder.number`).
    case pairs, keyApps, passApps, pairApps
    case names, chunks
}

/// The orders in which a volume lists its rows besides that of time. Each has its rows in groups, and those of a group lie in the
/// order of name, success and address, or of the address alone where the group has one success: so what a question asks for is
/// one run of rows, or one a name, found by halving.
enum VolumeOrder: CaseIterable {
    /// Groups: name and success.
    case name
    /// Groups: app and success.
    case app
    case key
    case pass
    /// Groups: key and pass, of those that both stand in more rows than are looked at one by one.
    case pair
    /// Groups: key, app and success, of keys that stand in more rows than are looked at one by one; and so on.
    case keyApp
    case passApp
    case pairApp

    var parts: (rows: VolumePart, starts: VolumePart, sums: VolumePart) {
        switch self {
        case .name: (.nameRows, .nameStarts, .nameSums)
        case .app: (.appRows, .appStarts, .appSums)
        case .key: (.keyRows, .keyStarts, .keySums)
        case .pass: (.passRows, .passStarts, .passSums)
        case .pair: (.pairRows, .pairStarts, .pairSums)
        case .keyApp: (.keyAppRows, .keyAppStarts, .keyAppSums)
        case .passApp: (.passAppRows, .passAppStarts, .passAppSums)
        case .pairApp: (.pairAppRows, .pairAppStarts, .pairAppSums)
        }
    }

    /// The numbers of the groups that there are; nil: all from 0.
    var groups: VolumePart? {
        switch self {
        case .name, .app, .key, .pass: nil
        case .pair: .pairs
        case .keyApp: .keyApps
        case .passApp: .passApps
        case .pairApp: .pairApps
        }
    }

    /// The number of a group of an app's rows with one success inside of a group of another order.
    static func number(of group: Int, app: Int, success: Int) -> UInt64 {
        UInt64(group) << 16 | UInt64(app) << 1 | UInt64(success)
    }

    /// Rows that a question looks at one by one.
    static let maximumWalk = 1_024
    /// A running sum stands for every so many rows.
    static let sumStep = 16
}

/// Where a compressed chunk lies, and what rows it has.
struct VolumeChunk {
    var offset: Int
    var length: Int
    /// Bytes when expanded.
    var expanded: Int
    var firstRow: Int
    var rows: Int
    var oldest: Int64
    var newest: Int64
    var lowestID: Int64
    var highestID: Int64

    /// Numbers of the file for one chunk.
    static let fieldCount = 9
}

/// Makes the file of a volume: immutable once it has its name. See `AttemptVolume` for what is in it.
final class AttemptVolumeWriter {
    private let file: OutputFile
    private var columns = AttemptColumns()
    private var waiting: [AttemptChunk.Row] = []
    private var chunks: [VolumeChunk] = []
    private var parts: [(part: VolumePart, offset: Int, length: Int)] = []

    /// - Parameter path: of a new file; one that is there is written over.
    init(path: String) throws {
        file = try OutputFile(path: path)
        waiting.reserveCapacity(AttemptChunk.maximumRows)
    }

    /// Whether the next row may not fit.
    var isFull: Bool { columns.isFull }

    /// Rows come in the order of their dates, about.
    func append(
        _ row: AttemptChunk.Row, name: AttemptName, isSuccess: Bool, key: UInt64, pass: UInt64, address: IPAddress?,
        repeats: Int
    ) throws {
        waiting.append(row)
        columns.append(name, isSuccess: isSuccess, key: key, pass: pass, address: address, repeats: repeats)
        if waiting.count == AttemptChunk.maximumRows { try writeChunk() }
    }

    /// All rows of a volume, whose chunks stay as they are.
    func append(_ volume: AttemptVolume) throws {
        try writeChunk()
        for chunk in volume.chunks {
            var copy = chunk
            copy.firstRow += columns.count
            copy.offset = file.position
            // A copy: of what cannot be read the system would say that it cannot be written.
            let bytes = Array(volume.bytes(of: chunk))
            try volume.checkWasReadable()
            try file.write(bytes)
            chunks.append(copy)
        }
        for row in 0..<volume.rowCount {
            let entry = volume.entry(row)
            columns.append(
                entry.name, isSuccess: entry.isSuccess, key: entry.key, pass: entry.pass, address: entry.address,
                repeats: entry.repeats)
        }
        // Zeros in place of what could not be read would be the log's from here on.
        try volume.checkWasReadable()
    }

    private func writeChunk() throws {
        guard let first = waiting.first else { return }
        let bytes = AttemptChunk.encode(waiting)
        guard let compressed = AttemptChunk.compress(bytes) else { throw StoreError.unavailable("no memory") }
        chunks.append(
            VolumeChunk(
                offset: file.position, length: compressed.count, expanded: bytes.count,
                firstRow: columns.count - waiting.count, rows: waiting.count,
                oldest: waiting.reduce(first.date) { min($0, $1.date) },
                newest: waiting.reduce(first.date) { max($0, $1.date) },
                lowestID: waiting.reduce(first.id) { min($0, $1.id) },
                highestID: waiting.reduce(first.id) { max($0, $1.id) }))
        try file.write(compressed)
        waiting.removeAll(keepingCapacity: true)
    }

    /// Writes the rest, and returns when all of it is on disk.
    func finish() throws {
        try writeChunk()
        columns.sortNames()
        let (v4, v6, ranks) = columns.rankedAddresses()
        try write(.v4, v4)
        try write(.v6, v6.flatMap { [$0.high, $0.low] })
        try write(.ranks, ranks)
        try write(.groups, columns.groups)
        let repeats = columns.repeats.contains { $0 != 1 } ? columns.repeats : nil
        if let repeats { try write(.repeats, repeats) }
        let rankBits = 64 - UInt64(v4.count + v6.count).leadingZeroBitCount
        let groups = columns.groups

        /// Writes an order of all rows, or of those given with their groups.
        /// - Parameter key: of the place in `rows`, or of the row: its group, and what it lies by in the group.
        func writeOrder(
            _ order: VolumeOrder, of rows: [UInt32]? = nil, groupCount: Int, _ key: (Int) -> (Int, UInt64)
        ) throws {
            let all = rows ?? (0..<UInt32(truncatingIfNeeded: groups.count)).map { $0 }
            var starts = [UInt32](repeating: 0, count: groupCount + 1)
            var sorted = SortedRows(
                keys: all.indices.map { index in
                    let (group, rest) = key(index)
                    starts[group + 1] += 1
                    return UInt64(group) << UInt64(16 + rankBits) | rest
                }, rows: all)
            for index in starts.indices.dropFirst() { starts[index] += starts[index - 1] }
            sorted.sort()
            try write(order.parts.rows, sorted.rows)
            try write(order.parts.starts, starts)
            guard let repeats else { return }
            var sums: [UInt64] = []
            var sum: UInt64 = 0
            for (index, row) in sorted.rows.enumerated() {
                if index.isMultiple(of: VolumeOrder.sumStep) { sums.append(sum) }
                sum &+= UInt64(repeats[Int(row)])
            }
            sums.append(sum)
            try write(order.parts.sums, sums)
        }

        let apps = columns.names.apps
        func appGroup(_ row: Int) -> Int { apps[Int(groups[row] >> 1)] << 1 | Int(groups[row] & 1) }
        func inside(_ row: Int) -> UInt64 { UInt64(groups[row]) << UInt64(rankBits) | UInt64(ranks[row]) }
        try writeOrder(.name, groupCount: 2 * columns.names.count) { (Int(groups[$0]), UInt64(ranks[$0])) }
        try writeOrder(.app, groupCount: 2 * ((apps.last ?? -1) + 1)) { (appGroup($0), UInt64(ranks[$0])) }

        /// Writes an order by what `groupOf` has for each row, and one by app inside of its large groups.
        func writeWithApps(
            _ order: VolumeOrder, of rows: [UInt32]? = nil, _ groupOf: [UInt32], count: Int, inApps: VolumeOrder
        ) throws -> [Bool] {
            try writeOrder(order, of: rows, groupCount: count) { index in
                (Int(groupOf[index]), inside(rows.map { Int($0[index]) } ?? index))
            }
            var counts = [Int](repeating: 0, count: count)
            for group in groupOf { counts[Int(group)] += 1 }
            let isLarge = counts.map { $0 > VolumeOrder.maximumWalk }
            let large = groupOf.indices.filter { isLarge[Int(groupOf[$0])] }
            let largeRows = large.map { index in rows?[index] ?? UInt32(truncatingIfNeeded: index) }
            let inApp = AttemptColumns.ranked(
                zip(large, largeRows).map { index, row in
                    let group = appGroup(Int(row))
                    return VolumeOrder.number(of: Int(groupOf[index]), app: group >> 1, success: group & 1)
                })
            if let part = inApps.groups { try write(part, inApp.distinct) }
            try writeOrder(inApps, of: largeRows, groupCount: inApp.distinct.count) { index in
                (Int(inApp.ranks[index]), UInt64(ranks[Int(largeRows[index])]))
            }
            return isLarge
        }

        let keys = AttemptColumns.ranked(columns.keys)
        try write(.keys, keys.distinct)
        try write(.keyRanks, keys.ranks)
        let isLargeKey = try writeWithApps(.key, keys.ranks, count: keys.distinct.count, inApps: .keyApp)
        let passes = AttemptColumns.ranked(columns.passes)
        try write(.passes, passes.distinct)
        try write(.passRanks, passes.ranks)
        let isLargePass = try writeWithApps(.pass, passes.ranks, count: passes.distinct.count, inApps: .passApp)
        let rows = groups.indices.filter { isLargeKey[Int(keys.ranks[$0])] && isLargePass[Int(passes.ranks[$0])] }
        let pairs = AttemptColumns.ranked(rows.map { UInt64(keys.ranks[$0]) << 32 | UInt64(passes.ranks[$0]) })
        try write(.pairs, pairs.distinct)
        _ = try writeWithApps(
            .pair, of: rows.map { UInt32(truncatingIfNeeded: $0) }, pairs.ranks, count: pairs.distinct.count,
            inApps: .pairApp)

        try write(.names, Self.encoded(columns.names))
        try write(
            .chunks,
            chunks.flatMap { chunk in
                [
                    Int64(chunk.offset), Int64(chunk.length), Int64(chunk.expanded), Int64(chunk.firstRow),
                    Int64(chunk.rows), chunk.oldest, chunk.newest, chunk.lowestID, chunk.highestID,
                ]
            })
        try file.write(parts.flatMap { [$0.part.rawValue, UInt64($0.offset), UInt64($0.length)] })
        try file.write([UInt64(parts.count), UInt64(columns.count), AttemptVolume.signature])
        try file.finish()
    }

    private func write<Number: FixedWidthInteger>(_ part: VolumePart, _ numbers: [Number]) throws {
        try file.align()
        parts.append((part, file.position, numbers.count * MemoryLayout<Number>.size))
        try file.write(numbers)
        try file.align()
    }

    /// Account, app and video of each name, texts with their lengths in front.
    private static func encoded(_ names: [AttemptName]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: Int) {
            withUnsafeBytes(of: Int64(number).littleEndian) { bytes.append(contentsOf: $0) }
        }
        for name in names {
            append(name.accountID.rawValue)
            for text in [name.app, name.video] {
                append(text.utf8.count)
                bytes.append(contentsOf: text.utf8)
            }
        }
        return bytes
    }
}

extension [AttemptName] {
    /// For each name, which lie in their order, the number of its app.
    var apps: [Int] {
        indices.reduce(into: []) { apps, index in
            let isSame =
                index > 0 && self[index - 1].accountID == self[index].accountID
                && self[index - 1].app == self[index].app
            apps.append((apps.last ?? -1) + (isSame ? 0 : 1))
        }
    }
}

/// A file that is written from its beginning to its end.
private final class OutputFile {
    private let path: String
    private var descriptor: Int32
    private(set) var position = 0

    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    private func failure() -> StoreError {
        .unavailable("\(path) cannot be written: \(SystemError.text(errno))")
    }

    func write<Number: FixedWidthInteger>(_ numbers: [Number]) throws {
        // All machines that Playhouse runs on are little-endian.
        try numbers.withUnsafeBytes { try write($0) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            guard count >= 0 || errno == EINTR else { throw failure() }
            rest = rest.dropFirst(max(0, count))
        }
        position += bytes.count
    }

    func align() throws {
        if position % 8 != 0 { try write([UInt8](repeating: 0, count: 8 - position % 8)) }
    }

    func finish() throws {
        guard fsync(descriptor) == 0 else { throw failure() }
        let result = close(descriptor)
        descriptor = -1
        guard result == 0 else { throw failure() }
    }
}
