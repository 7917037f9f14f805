import Basics

/// Rows of the attempt log as columns of numbers, on their way into a volume: in memory, some twenty bytes a row.
struct AttemptColumns {
    /// Rows of one volume at most: row numbers, address ranks and names then fit into one 64-bit number to sort by.
    static let maximumRows = 1 << 21
    /// Names of one volume at most: a name and the success of an attempt fit into 16 bits.
    static let maximumNames = 1 << 15

    private(set) var groups: [UInt16] = []
    private(set) var repeats: [UInt32] = []
    private(set) var keys: [UInt64] = []
    private(set) var passes: [UInt64] = []
    private var addresses: [IPAddress?] = []
    private(set) var names: [AttemptName] = []
    private var numbers: [AttemptName: UInt16] = [:]

    var count: Int { groups.count }
    /// Whether a row of another name may not fit.
    var isFull: Bool { count >= Self.maximumRows || names.count >= Self.maximumNames }

    mutating func append(
        _ name: AttemptName, isSuccess: Bool, key: UInt64, pass: UInt64, address: IPAddress?, repeats: Int
    ) {
        let number: UInt16
        if let known = numbers[name] {
            number = known
        } else {
            number = UInt16(truncatingIfNeeded: names.count)
            numbers[name] = number
            names.append(name)
        }
        groups.append(number << 1 | (isSuccess ? 1 : 0))
        keys.append(key)
        passes.append(pass)
        addresses.append(address)
        self.repeats.append(UInt32(clamping: repeats))
    }

    /// Names in their order, and the rows' groups accordingly. To be called once, before the rest.
    mutating func sortNames() {
        let order = names.indices.sorted { names[$0] < names[$1] }
        var places = [UInt16](repeating: 0, count: names.count)
        for (place, number) in order.enumerated() { places[number] = UInt16(truncatingIfNeeded: place) }
        names = order.map { names[$0] }
        numbers = [:]
        for index in groups.indices { groups[index] = places[Int(groups[index] >> 1)] << 1 | groups[index] & 1 }
    }

    /// The distinct numbers in their order, and for each row the place of its own.
    static func ranked(_ values: [UInt64]) -> (distinct: [UInt64], ranks: [UInt32]) {
        var sorted = SortedRows(keys: values)
        sorted.sort()
        var distinct: [UInt64] = []
        var ranks = [UInt32](repeating: 0, count: values.count)
        for (key, row) in zip(sorted.keys, sorted.rows) {
            if distinct.last != key { distinct.append(key) }
            ranks[Int(row)] = UInt32(truncatingIfNeeded: distinct.count - 1)
        }
        return (distinct, ranks)
    }

    /// The distinct addresses in their order, IPv4 before IPv6, and for each row the place of its own; the place behind the last
    /// for a row without an address.
    func rankedAddresses() -> (v4: [UInt32], v6: [(high: UInt64, low: UInt64)], ranks: [UInt32]) {
        var v4: [UInt64] = []
        var v4Rows: [UInt32] = []
        var v6: [(high: UInt64, low: UInt64, row: UInt32)] = []
        for (row, address) in addresses.enumerated() {
            guard let address else { continue }
            let halves = address.halves
            switch address.family {
            case .v4:
                v4.append(halves.low)
                v4Rows.append(UInt32(truncatingIfNeeded: row))
            case .v6: v6.append((halves.high, halves.low, UInt32(truncatingIfNeeded: row)))
            }
        }
        let (distinct, v4Ranks) = Self.ranked(v4)
        v6.sort { ($0.high, $0.low) < ($1.high, $1.low) }
        var ranks = [UInt32](repeating: .max, count: addresses.count)
        for (row, rank) in zip(v4Rows, v4Ranks) { ranks[Int(row)] = rank }
        var distinctV6: [(high: UInt64, low: UInt64)] = []
        for address in v6 {
            if distinctV6.last.map({ $0 != (address.high, address.low) }) ?? true {
                distinctV6.append((address.high, address.low))
            }
            ranks[Int(address.row)] = UInt32(truncatingIfNeeded: distinct.count + distinctV6.count - 1)
        }
        let none = UInt32(truncatingIfNeeded: distinct.count + distinctV6.count)
        for row in ranks.indices where ranks[row] == .max { ranks[row] = none }
        return (distinct.map { UInt32(truncatingIfNeeded: $0) }, distinctV6, ranks)
    }
}

/// Rows in the order of a number each, equal ones as they were.
struct SortedRows {
    private(set) var keys: [UInt64]
    private(set) var rows: [UInt32]

    /// - Parameter rows: which rows the keys are of; nil: all, from 0.
    init(keys: [UInt64], rows: [UInt32]? = nil) {
        self.keys = keys
        self.rows = rows ?? (0..<UInt32(truncatingIfNeeded: keys.count)).map { $0 }
    }

    /// A radix sort: some passes over the rows, however they lie.
    mutating func sort() {
        let digit = 11
        let used = keys.reduce(0, |)
        var otherKeys = [UInt64](repeating: 0, count: keys.count)
        var otherRows = [UInt32](repeating: 0, count: rows.count)
        for shift in stride(from: 0, to: 64 - used.leadingZeroBitCount, by: digit) {
            var starts = [Int](repeating: 0, count: 1 << digit)
            let mask = UInt64(starts.count - 1)
            for key in keys { starts[Int(key >> UInt64(shift) & mask)] += 1 }
            guard !starts.contains(keys.count) else { continue }
            var next = 0
            for index in starts.indices { (starts[index], next) = (next, next + starts[index]) }
            for index in keys.indices {
                let bucket = Int(keys[index] >> UInt64(shift) & mask)
                otherKeys[starts[bucket]] = keys[index]
                otherRows[starts[bucket]] = rows[index]
                starts[bucket] += 1
            }
            swap(&keys, &otherKeys)
            swap(&rows, &otherRows)
        }
    }
}
