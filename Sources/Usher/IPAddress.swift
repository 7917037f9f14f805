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
    public init?(_ text: some StringProtocol) {
        var bytes = Array(text.utf8.prefix(Self.maximumTextLength + 1))
        guard bytes.count <= Self.maximumTextLength else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            if let zone = bytes.firstIndex(of: UInt8(ascii: "%")) {
                bytes.removeSubrange(zone...)
            }
            guard let (high, low) = Self.parseV6(bytes[...]) else { return nil }
            self.init(v6High: high, low: low)
        } else {
            guard let bits = Self.parseV4(bytes[...]) else { return nil }
            self.init(v4: bits)
        }
    }

    /// Longest text looked at: a full IPv6 address with dotted tail, and a zone of an interface's name.
    static let maximumTextLength = 64

    /// Dotted decimal, or RFC 5952.
    public var description: String {
        switch family {
        case .v4:
            return "\(low >> 24 & 0xff).\(low >> 16 & 0xff).\(low >> 8 & 0xff).\(low & 0xff)"
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
