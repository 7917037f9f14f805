import Basics

/// The addresses a ticket is good for: its `ip` field, parsed.
///
/// Entries are separated by `|`; any one that fits admits. An `auto` entry stands empty until the first admitted session
/// from an address that nothing else covers claims it (docs/decisions/0005-tickets.md).
public struct AddressRule: Sendable, Hashable {
    public enum Entry: Sendable, Hashable {
        case address(IPAddress)
        /// `0.0.0.0/0` and `::/0` mean anybody, of either family, as customers write the first for "unrestricted".
        case network(IPNetwork)
        /// `auto` (nil): the whole address of who comes first. `auto/N`: the network of N bits around it.
        case auto(prefix: Int?)
    }

    public enum Match: Sendable, Hashable {
        case allowed
        /// The address may come in if the `auto` entry at `entry` becomes `network`.
        case claims(entry: Int, network: IPNetwork)
        case denied
    }

    public let entries: [Entry]

    /// Longest text, in bytes, and most entries of a rule.
    public static let maximumLength = 4096
    public static let maximumEntries = 128

    /// Spaces around entries are ignored. The error says which entry is wrong and what was expected.
    public init(_ text: String) throws(FieldProblem) {
        guard text.utf8.count <= Self.maximumLength else {
            throw FieldProblem.invalid("ip", expected: "must be at most \(Self.maximumLength) bytes")
        }
        let parts = text.utf8.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        guard parts.count <= Self.maximumEntries else {
            throw FieldProblem.invalid("ip", expected: "must be at most \(Self.maximumEntries) entries")
        }
        var entries: [Entry] = []
        for part in parts {
            entries.append(try Self.entry(Substring(part).trimmingSpaces))
        }
        self.entries = entries
    }

    private static func entry(_ text: Substring) throws(FieldProblem) -> Entry {
        if text == "auto" { return .auto(prefix: nil) }
        if text.utf8.starts(with: "auto/".utf8) {
            guard let prefix = IPNetwork.prefix(text.dropFirst(5)), (1...128).contains(prefix) else {
                throw FieldProblem.invalid("ip", value: text, expected: "must be auto/N with N from 1 to 128")
            }
            return .auto(prefix: prefix)
        }
        if text.utf8.contains(UInt8(ascii: "/")) {
            guard let network = IPNetwork(text) else {
                throw FieldProblem.invalid(
                    "ip", value: text, expected: "must be a CIDR block such as 192.0.2.0/24 or 2001:db8::/32")
            }
            return .network(network)
        }
        // A zone names an interface of one machine, and a ticket is good for several.
        guard !text.utf8.contains(UInt8(ascii: "%")) else {
            throw FieldProblem.invalid("ip", value: text, expected: "must be an address without a zone such as %eth0")
        }
        guard let address = IPAddress(text) else {
            throw FieldProblem.invalid(
                "ip", value: text,
                expected: "must be an IPv4 or IPv6 address, a CIDR block, auto or auto/N, several separated by |")
        }
        return .address(address)
    }

    /// Whether `address` may come in, when the `auto` entries claimed so far are `claimed`, in the order of claiming:
    /// the first claim filled the first `auto` entry, and so on.
    ///
    /// A claim that cannot be read still fills its entry, so that damage closes a ticket rather than opens it.
    public func match(_ address: IPAddress, claimed: [String]) -> Match {
        if coveringNetwork(address, claimed: claimed) != nil { return .allowed }
        var taken = claimed.count
        for (index, entry) in entries.enumerated() {
            guard case .auto(let prefix) = entry else { continue }
            if taken == 0 { return .claims(entry: index, network: Self.claim(address, prefix: prefix)) }
            taken -= 1
        }
        return .denied
    }

    /// The narrowest network of the rule, fixed or claimed, that holds `address`; nil when none does.
    public func coveringNetwork(_ address: IPAddress, claimed: [String]) -> IPNetwork? {
        var narrowest: IPNetwork?
        func consider(_ network: IPNetwork) {
            guard network.contains(address), network.prefix > narrowest?.prefix ?? -1 else { return }
            narrowest = network
        }
        for network in claimed { IPNetwork(network).map(consider) }
        for entry in entries {
            switch entry {
            case .address(let fixed): consider(IPNetwork(fixed))
            case .network(let network) where network.prefix == 0: consider(IPNetwork(address, prefix: 0))
            case .network(let network): consider(network)
            case .auto: break
            }
        }
        return narrowest
    }

    /// The network an `auto` entry becomes for `address`.
    ///
    /// A prefix of 1-31 is meant for IPv4 ("the first subnet"); an IPv6 viewer then gets the /64 that is one network
    /// there, where /24 would be a whole provider. 33-127 is meant for IPv6; an IPv4 viewer then gets a /24, the usual
    /// subnet. 32, 128 and plain `auto` are the whole address of either family.
    static func claim(_ address: IPAddress, prefix: Int?) -> IPNetwork {
        switch (prefix, address.family) {
        case (nil, _), (32, _), (128, _): IPNetwork(address)
        case (let prefix?, .v4): IPNetwork(address, prefix: prefix < 32 ? prefix : 24)
        case (let prefix?, .v6): IPNetwork(address, prefix: prefix > 32 ? prefix : 64)
        }
    }
}

extension Substring {
    /// Without spaces and tabs at either end.
    var trimmingSpaces: Substring {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let bytes = utf8
        var (start, end) = (bytes.startIndex, bytes.endIndex)
        while start < end, isSpace(bytes[start]) { start = bytes.index(after: start) }
        while start < end {
            let last = bytes.index(before: end)
            guard isSpace(bytes[last]) else { break }
            end = last
        }
        return self[start..<end]
    }
}
