import Basics
import CMappedFile
import Foundation
import Usher

/// Some rows of the attempt log in a file that never changes, from a few to `AttemptColumns.maximumRows`, in the order of their
/// dates. Any filter but that of the date is answered by halving: see `VolumeOrder`.
///
/// The file is mapped into memory, so what lies in the system's cache costs no call, and nothing of it counts as the origin's
/// own. What a damaged file says may be wrong, but an index that leads nowhere reads 0; a page that cannot be read is an error.
///
/// `@unchecked Sendable`: the mapping is read only, all else is set before `init` returns, and the mapping ends with the object.
final class AttemptVolume: @unchecked Sendable {
    /// "PHATTEM1" as a number: the end of every volume.
    static let signature: UInt64 = 0x314d_4554_5441_4850

    /// Bytes at the end of the file that opening it reads, and some more: chunks of a full volume take 290 KiB.
    private static let openedBytes = 512 << 10

    let rowCount: Int
    let names: [AttemptName]
    /// Where the parts lie in the file.
    let parts: [VolumePart: Range<Int>]
    private let chunkFields: VolumeColumn<Int64>
    /// The earliest date and the highest id of all chunks.
    private let oldest: Int64
    private let highestID: Int64
    private let file: MappedFile
    private var memory: UnsafeRawBufferPointer { file.bytes }
    /// For each name which app of `names` it is of.
    private let appIndices: [Int]

    private let groups: VolumeColumn<UInt16>
    private let ranks: VolumeColumn<UInt32>
    private let keyRanks: VolumeColumn<UInt32>
    private let passRanks: VolumeColumn<UInt32>
    private let repeats: VolumeColumn<UInt32>
    private let v4: VolumeColumn<UInt32>
    private let v6: VolumeColumn<UInt64>
    private let keys: VolumeColumn<UInt64>
    private let passes: VolumeColumn<UInt64>
    private let orders: [VolumeOrder: Order]

    fileprivate struct Order {
        var rows: VolumeColumn<UInt32>
        var starts: VolumeColumn<UInt32>
        var sums: VolumeColumn<UInt64>
        /// The numbers of its groups; empty: all from 0.
        var groups: VolumeColumn<UInt64>

        static var none: Order {
            let memory = UnsafeRawBufferPointer(start: nil, count: 0)
            return Order(
                rows: VolumeColumn(memory, offset: 0, length: 0), starts: VolumeColumn(memory, offset: 0, length: 0),
                sums: VolumeColumn(memory, offset: 0, length: 0), groups: VolumeColumn(memory, offset: 0, length: 0))
        }

        /// The places of the rows of the group with a number.
        func range(ofNumber number: UInt64) -> Range<Int> {
            groups.index(of: number).map(range) ?? 0..<0
        }

        /// The places of a group's rows.
        func range(of group: Int) -> Range<Int> {
            let start = min(Int(starts[group]), rows.count)
            return start..<max(start, min(Int(starts[group + 1]), rows.count))
        }
    }

    /// Throws `StoreError.unavailable` when the file is not there, or none.
    init(path: String) throws {
        func refused(_ why: String) -> StoreError { .unavailable("\(path): \(why)") }
        guard let file = try MappedFile(path: path), file.bytes.count >= 24 else {
            throw refused("is no volume of the attempt log")
        }
        let memory = file.bytes
        let length = memory.count
        // Directory, names and chunks, all of which are read here.
        file.willNeed(UnsafeRawBufferPointer(rebasing: memory.suffix(Self.openedBytes)))
        let end = VolumeColumn<UInt64>(memory, offset: length - 24, length: 24)
        let count = Int(clamping: end[0])
        guard length % 8 == 0, end[2] == Self.signature, count <= VolumePart.allCases.count,
            let rowCount = Int(exactly: end[1]), rowCount <= AttemptColumns.maximumRows,
            length - 24 - count * 24 >= 0
        else { throw refused("is no volume of the attempt log") }
        let directory = VolumeColumn<UInt64>(memory, offset: length - 24 - count * 24, length: count * 24)
        var parts: [VolumePart: Range<Int>] = [:]
        for index in 0..<count {
            let (offset, size) = (Int(clamping: directory[index * 3 + 1]), Int(clamping: directory[index * 3 + 2]))
            // What does not lie inside of the file is empty.
            guard let part = VolumePart(rawValue: directory[index * 3]), offset <= length, size <= length - offset
            else { continue }
            parts[part] = offset..<(offset + size)
        }
        self.parts = parts
        func column<Number>(_ part: VolumePart) -> VolumeColumn<Number> {
            VolumeColumn(memory, offset: parts[part]?.lowerBound ?? 0, length: parts[part]?.count ?? 0)
        }
        self.file = file
        self.rowCount = rowCount
        groups = column(.groups)
        ranks = column(.ranks)
        keyRanks = column(.keyRanks)
        passRanks = column(.passRanks)
        repeats = column(.repeats)
        v4 = column(.v4)
        v6 = column(.v6)
        keys = column(.keys)
        passes = column(.passes)
        orders = VolumeOrder.allCases.reduce(into: [:]) { orders, order in
            orders[order] = Order(
                rows: column(order.parts.rows), starts: column(order.parts.starts), sums: column(order.parts.sums),
                groups: order.groups.map { column($0) } ?? VolumeColumn(memory, offset: 0, length: 0))
        }
        guard let names = Self.decodedNames(column(.names)), groups.count == rowCount, ranks.count == rowCount,
            keyRanks.count == rowCount, passRanks.count == rowCount
        else { throw refused("is damaged") }
        self.names = names
        appIndices = names.apps
        chunkFields = column(.chunks)
        var (oldest, highestID, next) = (Int64.max, Int64.min, 0)
        for index in 0..<(chunkFields.count / VolumeChunk.fieldCount) {
            let chunk = VolumeChunk(chunkFields, at: index)
            guard chunk.firstRow == next, chunk.rows > 0, chunk.rows <= rowCount - next else {
                throw refused("is damaged")
            }
            next += chunk.rows
            (oldest, highestID) = (min(oldest, chunk.oldest), max(highestID, chunk.highestID))
        }
        guard next == rowCount else { throw refused("is damaged") }
        (self.oldest, self.highestID) = (oldest, highestID)
        try file.check()
    }

    /// To be called after reading, before anything is made of what was read: throws when some of it could not be.
    func checkWasReadable() throws {
        try file.check()
    }

    /// Its chunks in the order of their rows.
    var chunks: some RandomAccessCollection<VolumeChunk> {
        (0..<(chunkFields.count / VolumeChunk.fieldCount)).lazy.map { [chunkFields] in VolumeChunk(chunkFields, at: $0)
        }
    }

    private static func decodedNames(_ bytes: VolumeColumn<UInt8>) -> [AttemptName]? {
        var names: [AttemptName] = []
        var position = 0
        func number() -> Int? {
            guard bytes.count - position >= 8 else { return nil }
            defer { position += 8 }
            return (0..<8).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
        }
        func text() -> String? {
            guard let length = number(), length >= 0, length <= bytes.count - position else { return nil }
            defer { position += length }
            return String(decoding: (position..<(position + length)).map { bytes[$0] }, as: UTF8.self)
        }
        while position < bytes.count {
            guard let account = number(), let app = text(), let video = text() else { return nil }
            names.append(AttemptName(accountID: AccountID(rawValue: account), app: app, video: video))
        }
        return names
    }

    // MARK: Counting

    /// How many rows of the volume a question means.
    ///
    /// - Parameter isMeant: for each of `names` whether the question means it.
    func tally(_ question: AttemptQuestion, isMeant: [Bool]) throws -> AttemptTally {
        var tally = AttemptTally()
        if isCut(by: question) {
            try scan(question, isMeant: isMeant) { row in
                tally += AttemptTally(rows: 1, attempts: Int(repeats.isEmpty ? 1 : repeats[row]))
                return true
            }
        } else {
            eachRun(question, isMeant: isMeant) { order, places in
                if question.isCold, places.count > VolumeOrder.maximumWalk {
                    // Up to thirty of its pages for a run.
                    file.willNeed(repeats.bytes(0..<repeats.count))
                }
                tally += AttemptTally(rows: places.count, attempts: attempts(order, places))
            }
        }
        try file.check()
        return tally
    }

    /// Whether date or id of the question cut through the volume, which the orders know nothing of. A volume that lies beyond the
    /// cut altogether is cut too: `scan` then looks at none of it.
    private func isCut(by question: AttemptQuestion) -> Bool {
        question.since ?? .min > oldest || question.beforeID ?? .max <= highestID
    }

    private static func isWithin(_ chunk: VolumeChunk, _ question: AttemptQuestion) -> Bool {
        question.since ?? .min <= chunk.oldest && question.beforeID ?? .max > chunk.highestID
    }

    private func attempts(_ order: Order, _ places: Range<Int>) -> Int {
        repeats.isEmpty ? places.count : sum(order, before: places.upperBound) - sum(order, before: places.lowerBound)
    }

    private func sum(_ order: Order, before place: Int) -> Int {
        let step = VolumeOrder.sumStep
        return (place / step * step..<place).reduce(Int(clamping: order.sums[place / step])) {
            $0.addingSaturated(Int(repeats[Int(order.rows[$1])]))
        }
    }

    /// Calls `body` with each run of rows, in some order, that a question which no date and no id cuts means.
    private func eachRun(_ question: AttemptQuestion, isMeant: [Bool], _ body: (Order, Range<Int>) -> Void) {
        var wanted: Range<UInt32>?
        if let network = question.network {
            wanted = rankRange(of: network)
            if wanted?.isEmpty != false { return }
        }
        let successes = question.isSuccess.map { [$0 ? 1 : 0] } ?? [0, 1]
        func order(_ order: VolumeOrder) -> Order { orders[order] ?? .none }
        switch (question.key, question.pass) {
        case (nil, nil):
            let (apps, names) = selection(isMeant)
            for (groups, order) in [(apps, order(.app)), (names, order(.name))] {
                for group in groups {
                    for success in successes {
                        let places = narrowed(
                            order, order.range(of: group << 1 | success), to: wanted, question.isCold)
                        if !places.isEmpty { body(order, places) }
                    }
                }
            }
        case (let key?, nil):
            guard let rank = keys.index(ofHash: key) else { return }
            eachRun(order(.key), rank, inApps: order(.keyApp), isMeant, successes, wanted, question.isCold, body)
        case (nil, let pass?):
            guard let rank = passes.index(ofHash: pass) else { return }
            eachRun(order(.pass), rank, inApps: order(.passApp), isMeant, successes, wanted, question.isCold, body)
        case (let key?, let pass?):
            guard let keyRank = keys.index(ofHash: key), let passRank = passes.index(ofHash: pass) else {
                return
            }
            let ofKey = order(.key).range(of: keyRank)
            let ofPass = order(.pass).range(of: passRank)
            if min(ofKey.count, ofPass.count) > VolumeOrder.maximumWalk {
                let pairs = order(.pair)
                guard let pair = pairs.groups.index(of: UInt64(keyRank) << 32 | UInt64(passRank)) else { return }
                eachRun(pairs, pair, inApps: order(.pairApp), isMeant, successes, wanted, question.isCold, body)
                return
            }
            let (shorter, places) = ofKey.count <= ofPass.count ? (order(.key), ofKey) : (order(.pass), ofPass)
            walk(shorter, places, body) { row in
                keyRanks[row] == keyRank && passRanks[row] == passRank
                    && means(row, question.isSuccess, isMeant, wanted)
            }
        }
    }

    /// The apps all of whose names are meant, and the other names that are.
    private func selection(_ isMeant: [Bool]) -> (apps: [Int], names: [Int]) {
        var (apps, names): ([Int], [Int]) = ([], [])
        var first = 0
        while first < appIndices.count {
            let app = appIndices[first]
            let end = appIndices[first...].firstIndex { $0 != app } ?? appIndices.count
            let meant = (first..<end).filter { isMeant[checked: $0] }
            if meant.count == end - first { apps.append(app) } else { names += meant }
            first = end
        }
        return (apps, names)
    }

    /// Rows of one key, pass or pair, which are a group of an order.
    private func eachRun(
        _ order: Order, _ group: Int, inApps: Order, _ isMeant: [Bool], _ successes: [Int], _ wanted: Range<UInt32>?,
        _ isCold: Bool, _ body: (Order, Range<Int>) -> Void
    ) {
        let places = order.range(of: group)
        if places.count <= VolumeOrder.maximumWalk {
            return walk(order, places, body) {
                means($0, successes.count == 1 ? successes == [1] : nil, isMeant, wanted)
            }
        }
        let (apps, names) = selection(isMeant)
        for success in successes {
            for app in apps {
                let number = VolumeOrder.number(of: group, app: app, success: success)
                let places = narrowed(inApps, inApps.range(ofNumber: number), to: wanted, isCold)
                if !places.isEmpty { body(inApps, places) }
            }
            for name in names {
                let meant = name << 1 | success
                let first = Self.firstPlace(in: places) { Int(groups[Int(order.rows[$0])]) >= meant }
                let end = Self.firstPlace(in: first..<places.upperBound) { Int(groups[Int(order.rows[$0])]) > meant }
                let places = narrowed(order, first..<end, to: wanted, isCold)
                if !places.isEmpty { body(order, places) }
            }
        }
    }

    private func walk(
        _ order: Order, _ places: Range<Int>, _ body: (Order, Range<Int>) -> Void, where condition: (Int) -> Bool
    ) {
        for place in places where condition(Int(order.rows[place])) { body(order, place..<(place + 1)) }
    }

    /// Whether a question means a row, but for key, pass, date and id.
    private func means(_ row: Int, _ isSuccess: Bool?, _ isMeant: [Bool], _ wanted: Range<UInt32>?) -> Bool {
        let group = groups[row]
        return isMeant[checked: Int(group >> 1)]
            && isSuccess ?? (group & 1 == 1) == (group & 1 == 1) && wanted?.contains(ranks[row]) ?? true
    }

    /// Of rows of one name and success those with these addresses.
    private func narrowed(_ order: Order, _ places: Range<Int>, to wanted: Range<UInt32>?, _ isCold: Bool)
        -> Range<Int>
    {
        guard let wanted else { return places }
        if isCold, places.count > VolumeOrder.maximumWalk {
            // Halving reads a page of both at each step.
            file.willNeed(order.rows.bytes(places))
            file.willNeed(ranks.bytes(0..<ranks.count))
        }
        let first = Self.firstPlace(in: places) { ranks[Int(order.rows[$0])] >= wanted.lowerBound }
        return
            first..<Self.firstPlace(in: first..<places.upperBound) { ranks[Int(order.rows[$0])] >= wanted.upperBound }
    }

    /// Ranks of the addresses of a network.
    private func rankRange(of network: IPNetwork) -> Range<UInt32> {
        let (lowest, highest) = (network.bounds.lowest.halves, network.bounds.highest.halves)
        func rank(_ index: Int) -> UInt32 { UInt32(clamping: index) }
        switch network.address.family {
        case .v4:
            let first = Self.firstPlace(in: 0..<v4.count) { UInt64(v4[$0]) >= lowest.low }
            return rank(first)..<rank(Self.firstPlace(in: first..<v4.count) { UInt64(v4[$0]) > highest.low })
        case .v6:
            let count = v6.count / 2
            let first = Self.firstPlace(in: 0..<count) { (v6[2 * $0], v6[2 * $0 + 1]) >= lowest }
            let end = Self.firstPlace(in: first..<count) { (v6[2 * $0], v6[2 * $0 + 1]) > highest }
            return rank(v4.count + first)..<rank(v4.count + end)
        }
    }

    /// The first place from which on the condition holds, which holds for none before.
    static func firstPlace(in places: Range<Int>, where condition: (Int) -> Bool) -> Int {
        var (low, high) = (places.lowerBound, places.upperBound)
        while low < high {
            let middle = low + (high - low) / 2
            if condition(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: Listing

    /// Rows that a question means, the newest first.
    ///
    /// - Parameter skipped: rows to skip; is made less by those that were.
    func rows(_ question: AttemptQuestion, isMeant: [Bool], skipped: inout Int, limit: Int) throws -> [Int] {
        let found = try foundRows(question, isMeant, &skipped, limit)
        try file.check()
        return found
    }

    private func foundRows(_ question: AttemptQuestion, _ isMeant: [Bool], _ skipped: inout Int, _ limit: Int) throws
        -> [Int]
    {
        var found: [Int] = []
        guard limit > 0 else { return found }
        func take(_ row: Int) -> Bool {
            if skipped > 0 {
                skipped -= 1
                return true
            }
            found.append(row)
            return found.count < limit
        }
        if isCut(by: question) {
            try scan(question, isMeant: isMeant, take)
            return found
        }
        let count = try tally(question, isMeant: isMeant).rows
        guard count > skipped else {
            skipped -= count
            return found
        }
        // Where much is meant it is soon met, looked for from the newest on; little is soon gathered, at a third of the time a row.
        let met = Double(skipped + limit) * Double(rowCount) / Double(count)
        guard Double(count) < 3 * met else {
            try scan(question, isMeant: isMeant, take)
            return found
        }
        var bits = [UInt64](repeating: 0, count: rowCount / 64 + 1)
        eachRun(question, isMeant: isMeant) { order, places in
            if places.count > VolumeOrder.maximumWalk { file.willNeed(order.rows.bytes(places)) }
            for place in places {
                let row = Int(order.rows[place])
                if row < rowCount { bits[row >> 6] |= 1 << UInt64(row & 63) }
            }
        }
        for index in bits.indices.reversed() {
            while bits[index] != 0 {
                let bit = 63 - bits[index].leadingZeroBitCount
                bits[index] &= ~(1 << UInt64(bit))
                if !take(index << 6 | bit) { return found }
            }
        }
        return found
    }

    /// Looks at each row, the newest first, until `body` has seen enough.
    private func scan(_ question: AttemptQuestion, isMeant: [Bool], _ body: (Int) -> Bool) throws {
        let wanted = question.network.map(rankRange)
        if wanted?.isEmpty ?? false { return }
        var key: UInt32?
        if let wantedKey = question.key {
            guard let rank = keys.index(ofHash: wantedKey) else { return }
            key = UInt32(clamping: rank)
        }
        var pass: UInt32?
        if let wantedPass = question.pass {
            guard let rank = passes.index(ofHash: wantedPass) else { return }
            pass = UInt32(clamping: rank)
        }
        // Rows from here on have been asked for, of which there are more each time.
        var (asked, step) = (Int.max, 16)
        for index in (0..<(chunkFields.count / VolumeChunk.fieldCount)).reversed() {
            try question.checkEnd()
            let chunk = VolumeChunk(chunkFields, at: index)
            if let since = question.since, chunk.newest < since { continue }
            if let id = question.beforeID, chunk.lowestID >= id { continue }
            if chunk.firstRow < asked {
                let first = VolumeChunk(chunkFields, at: max(0, index - step + 1)).firstRow
                let rows = first..<max(first, chunk.firstRow + chunk.rows)
                file.willNeed(groups.bytes(rows))
                if wanted != nil { file.willNeed(ranks.bytes(rows)) }
                if key != nil { file.willNeed(keyRanks.bytes(rows)) }
                if pass != nil { file.willNeed(passRanks.bytes(rows)) }
                (asked, step) = (first, min(256, step * 2))
            }
            let isWithin = Self.isWithin(chunk, question)
            if !isWithin { file.willNeed(bytes(of: chunk)) }
            let expanded = isWithin ? nil : try self.expanded(chunk)
            for row in (chunk.firstRow..<(chunk.firstRow + chunk.rows)).reversed() {
                guard means(row, question.isSuccess, isMeant, wanted), key ?? keyRanks[row] == keyRanks[row],
                    pass ?? passRanks[row] == passRanks[row]
                else { continue }
                if let expanded {
                    let place = row - chunk.firstRow
                    guard place < expanded.ids.count, question.since ?? .min <= expanded.dates[place],
                        question.beforeID ?? .max > expanded.ids[place]
                    else { continue }
                }
                if !body(row) { return }
            }
        }
    }

    // MARK: Rows

    /// The compressed bytes of a chunk.
    func bytes(of chunk: VolumeChunk) -> UnsafeRawBufferPointer {
        guard chunk.offset >= 0, chunk.length >= 0, chunk.length <= memory.count - min(chunk.offset, memory.count)
        else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(rebasing: memory[chunk.offset..<(chunk.offset + chunk.length)])
    }

    private func expanded(_ chunk: VolumeChunk) throws -> AttemptChunk {
        guard let bytes = AttemptChunk.expand(bytes(of: chunk), length: chunk.expanded), let chunk = AttemptChunk(bytes)
        else {
            try file.check()
            throw StoreError.unavailable("\(file.path): is damaged")
        }
        return chunk
    }

    /// The rows, in the order given.
    func attempts(_ rows: [Int]) throws -> [Attempt] {
        let indices = rows.map { row in
            Self.firstPlace(in: 0..<chunks.count) { VolumeChunk(chunkFields, at: $0).firstRow > row } - 1
        }
        // Where the first chunk has to come from the disk, the others are asked for at once.
        var waited: Int? = mapped_file_pages_waited_for()
        var known: (index: Int, place: VolumeChunk, chunk: AttemptChunk)?
        let attempts = try zip(rows, indices).compactMap { row, index -> Attempt? in
            guard index >= 0 else { return nil }
            if known?.index != index {
                let place = VolumeChunk(chunkFields, at: index)
                known = (index, place, try expanded(place))
                if let before = waited, mapped_file_pages_waited_for() > before {
                    for other in Set(indices) where other != index && other >= 0 {
                        file.willNeed(bytes(of: VolumeChunk(chunkFields, at: other)))
                    }
                }
                waited = nil
            }
            guard let known, let text = known.chunk.row(row - known.place.firstRow) else { return nil }
            let entry = entry(row)
            let facts = ViewerFacts(
                key: text.key, pass: text.pass,
                address: text.address.isEmpty ? entry.address?.description ?? "" : text.address, app: entry.name.app,
                instance: text.instance, video: entry.name.video, pageURL: text.pageURL, referrerURL: text.referrerURL,
                serverAddress: text.serverAddress)
            return Attempt(
                id: text.id, accountID: entry.name.accountID, date: Date(stored: text.date), facts: facts,
                isSuccess: entry.isSuccess, reason: text.reason, repeats: entry.repeats)
        }
        try file.check()
        return attempts
    }

    /// What the columns say of a row.
    func entry(_ row: Int) -> (
        name: AttemptName, isSuccess: Bool, key: UInt64, pass: UInt64, address: IPAddress?, repeats: Int
    ) {
        let group = groups[row]
        let name =
            names.indices.contains(Int(group >> 1)) ? names[Int(group >> 1)] : .init(accountID: 0, app: "", video: "")
        let rank = Int(ranks[row])
        var address: IPAddress?
        if rank < v4.count {
            address = IPAddress(v4: v4[rank])
        } else if rank - v4.count < v6.count / 2 {
            address = IPAddress(v6High: v6[2 * (rank - v4.count)], low: v6[2 * (rank - v4.count) + 1])
        }
        return (
            name, group & 1 == 1, keys[Int(keyRanks[row])], passes[Int(passRanks[row])], address,
            repeats.isEmpty ? 1 : Int(repeats[row])
        )
    }
}

extension VolumeChunk {
    fileprivate init(_ fields: VolumeColumn<Int64>, at index: Int) {
        let start = index * Self.fieldCount
        self.init(
            offset: Int(fields[start]), length: Int(fields[start + 1]), expanded: Int(fields[start + 2]),
            firstRow: Int(fields[start + 3]), rows: Int(fields[start + 4]), oldest: fields[start + 5],
            newest: fields[start + 6], lowestID: fields[start + 7], highestID: fields[start + 8])
    }
}

extension [Bool] {
    fileprivate subscript(checked index: Int) -> Bool {
        indices.contains(index) && self[index]
    }
}
