/// An IPv4 or IPv6 address in one normal form, so that equal addresses are equal values.
///
/// IPv4-mapped IPv6 (`::ffff:192.0.2.1`, what a dual-stack socket reports) becomes IPv4, and a zone id (`fe80::1%eth0`)
/// is dropped: it names an interface of this machine, not the peer.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Family: UInt8, Sendable, Hashable {
        case v4 = 4
        case v6 = 6

        /// Bits of an address: 32 or 128.
        public var bitCount: Int { self == .v4 ? 32 : 128 }
    }

    public let family: Family
    /// The upper 64 bits of an IPv6 address; 0 for IPv4.
    let high: UInt64
    /// The lower 64 bits; an IPv4 address is in the lowest 32.
    let low: UInt64

    init(family: Family, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits, first octet highest.
    public init(v4 bits: UInt32) {
        self.init(family: .v4, high: 0, low: UInt64(bits))
    }

    /// An IPv6 address from its two halves. IPv4-mapped ones become IPv4.
    public init(v6High high: UInt64, low: UInt64) {
        if high == 0, low >> 32 == 0xffff {
            self.init(v4: UInt32(truncatingIfNeeded: low))
        } else {
            self.init(family: .v6, high: high, low: low)
        }
    }

    /// Reads the usual text forms: dotted decimal of four parts without leading zeros (they mean octal elsewhere), and
    /// RFC 4291 §2.2. nil for anything else, brackets and ports included.
    public init?(_ text: Substring) {
        var text = text
        guard let address = text.withUTF8({ Self.parse($0) }) else { return nil }
        self = address
    }

    public init?(_ text: String) {
        self.init(text[...])
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> IPAddress? {
        guard bytes.count <= maximumTextLength else { return nil }
        guard bytes.contains(UInt8(ascii: ":")) else { return parseV4(bytes).map { IPAddress(v4: $0) } }
        let end = bytes.firstIndex(of: UInt8(ascii: "%")) ?? bytes.endIndex
        return parseV6(Array(bytes[..<end])[...]).map { IPAddress(v6High: $0.high, low: $0.low) }
    }

    /// Longest text looked at: a full IPv6 address with dotted tail, and a zone of an interface's name.
    static let maximumTextLength = 64

    /// Dotted decimal, or RFC 5952.
    public var description: String {
        switch family {
        case .v4:
            return String(unsafeUninitializedCapacity: 15) { text in
                var count = 0
                for shift in [24, 16, 8, 0] as [UInt64] {
                    let part = UInt8(truncatingIfNeeded: low >> shift)
                    for (unit, least) in [(100, 100), (10, 10), (1, 0)] as [(UInt8, UInt8)] where part >= least {
                        text[count] = UInt8(ascii: "0") + part / unit % 10
                        count += 1
                    }
                    guard shift > 0 else { break }
                    text[count] = UInt8(ascii: ".")
                    count += 1
                }
                return count
            }
        case .v6:
            return Self.format(groups: groups)
        }
    }

    /// Seventeen bytes that order like the addresses of one family: the family, then the address as 16 bytes.
    /// Addresses of one network are one range of them, which an index can serve.
    public var sortKey: [UInt8] {
        var key = [family.rawValue]
        key.reserveCapacity(17)
        for half in [high, low] {
            for shift in stride(from: 56, through: 0, by: -8) {
                key.append(UInt8(truncatingIfNeeded: half >> UInt64(shift)))
            }
        }
        return key
    }

    /// The address as a number in two halves: an IPv4 address is the lower half.
    public var halves: (high: UInt64, low: UInt64) { (high, low) }

    /// The address with all bits after the first `prefix` cleared, or set.
    func masked(prefix: Int, setting: Bool = false) -> IPAddress {
        let unused = family == .v4 ? 96 : 0
        let kept = min(max(prefix, 0), family.bitCount) + unused
        let highMask = Self.mask(min(kept, 64))
        let lowMask = Self.mask(max(kept - 64, 0))
        guard setting else {
            return IPAddress(family: family, high: high & highMask, low: low & lowMask)
        }
        return IPAddress(family: family, high: high | ~highMask, low: low | ~lowMask)
    }

    /// The first `count` (0-64) of 64 bits.
    private static func mask(_ count: Int) -> UInt64 {
        count == 0 ? 0 : ~0 << UInt64(64 - count)
    }

    private var groups: [UInt16] {
        [high, low].flatMap { half in
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
    }
}

extension IPAddress {
    /// Four decimal parts of 0-255.
    static func parseV4(_ text: some Collection<UInt8>) -> UInt32? {
        var bits: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | part
                (part, digits) = (0, 0)
                dots += 1
                continue
            }
            // A zero that another digit follows is a leading one.
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits == 0 || part > 0 else { return nil }
            part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
            digits += 1
            guard part <= 255 else { return nil }
        }
        guard digits > 0, dots == 3 else { return nil }
        return bits << 8 | part
    }

    /// RFC 4291 §2.2: eight groups, one run of zeros as `::`, the last two groups perhaps in dotted decimal.
    static func parseV6(_ text: ArraySlice<UInt8>) -> (high: UInt64, low: UInt64)? {
        let colon = UInt8(ascii: ":")
        var head: [UInt16] = []
        var tail: [UInt16] = []
        if let gap = text.indices.dropLast().first(where: { text[$0] == colon && text[$0 + 1] == colon }) {
            guard let before = parseGroups(text[text.startIndex..<gap], last: false),
                let after = parseGroups(text[(gap + 2)...], last: true),
                before.count + after.count <= 7
            else { return nil }
            (head, tail) = (before, after)
        } else {
            guard let all = parseGroups(text, last: true), all.count == 8 else { return nil }
            head = all
        }
        let zeros = [UInt16](repeating: 0, count: 8 - head.count - tail.count)
        let groups = head + zeros + tail
        let halves = [groups[0..<4], groups[4..<8]].map { $0.reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
        return (halves[0], halves[1])
    }

    /// Groups between single colons; nil when one is wrong. `last`: the text ends the address, so may end in IPv4.
    private static func parseGroups(_ text: ArraySlice<UInt8>, last: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if last, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let bits = parseV4(part) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: bits >> 16))
                groups.append(UInt16(truncatingIfNeeded: bits))
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var value: UInt16 = 0
            for byte in part {
                guard let digit = Hexadecimal.value(of: byte) else { return nil }
                value = value << 4 | UInt16(digit)
            }
            groups.append(value)
        }
        return groups.count <= 8 ? groups : nil
    }

    /// RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups as `::`.
    static func format(groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !best.isEmpty else { return text(0..<groups.count) }
        return text(0..<best.lowerBound) + "::" + text(best.upperBound..<groups.count)
    }
}
