/// A CIDR block. Bits past the prefix are cleared: `192.0.2.7/24` is `192.0.2.0/24`.
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    public let address: IPAddress
    /// 0-32 for IPv4, 0-128 for IPv6.
    public let prefix: Int

    /// `prefix` is brought into the address family's range.
    public init(_ address: IPAddress, prefix: Int) {
        let bounded = min(max(prefix, 0), address.family.bitCount)
        self.address = address.masked(prefix: bounded)
        self.prefix = bounded
    }

    /// The network of one address alone.
    public init(_ address: IPAddress) {
        self.init(address, prefix: address.family.bitCount)
    }

    /// The network that one customer has: an IPv4 address alone, the /64 around an IPv6 address. What is limited per address
    /// is limited per this.
    public static func ofCustomer(_ address: IPAddress) -> IPNetwork {
        IPNetwork(address, prefix: address.family == .v4 ? 32 : 64)
    }

    /// `address/prefix`; without a prefix the network of that address alone. nil for anything else, an address with a zone
    /// (`fe80::1%eth0`) included: what is compared with a network has none.
    ///
    /// A block of IPv4-mapped addresses (`::ffff:192.0.2.0/120`) is the IPv4 block.
    public init?(_ text: Substring) {
        let slash = text.utf8.firstIndex(of: UInt8(ascii: "/"))
        let first = text[..<(slash ?? text.endIndex)]
        guard let address = IPAddress(first), !first.utf8.contains(UInt8(ascii: "%")) else { return nil }
        guard let slash else {
            self.init(address)
            return
        }
        guard var prefix = Self.prefix(text[text.utf8.index(after: slash)...]) else { return nil }
        if address.family == .v4, first.utf8.contains(UInt8(ascii: ":")) {
            guard prefix >= 96 else { return nil }
            prefix -= 96
        }
        guard prefix <= address.family.bitCount else { return nil }
        self.init(address, prefix: prefix)
    }

    public init?(_ text: String) {
        self.init(text[...])
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && other.masked(prefix: prefix) == address
    }

    /// The lowest and the highest address.
    public var bounds: (lowest: IPAddress, highest: IPAddress) {
        (address, address.masked(prefix: prefix, setting: true))
    }

    /// `address/prefix`, always with the prefix.
    public var description: String { "\(address)/\(prefix)" }

    /// One to three decimal digits without a leading zero.
    public static func prefix(_ text: Substring) -> Int? {
        let digits = text.utf8
        guard (1...3).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0"),
            digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
        else { return nil }
        return Int(text)
    }
}
