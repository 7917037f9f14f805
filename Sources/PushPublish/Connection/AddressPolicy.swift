import Basics
import Usher

/// Which addresses pushes may go to: public unicast ones, and what the configuration allows besides.
///
/// Asked after every name lookup, for the very address that is then connected to, so that a name which changes its address
/// between check and connection gains nothing.
public struct AddressPolicy: Sendable {
    private let allowed: [IPNetwork]

    /// - Parameter allowed: `push.allow_private`.
    public init(allowing allowed: [IPNetwork] = []) {
        self.allowed = allowed
    }

    public func permits(_ address: IPAddress) -> Bool {
        if allowed.contains(where: { $0.contains(address) }) { return true }
        if AddressPolicy.refused.contains(where: { $0.contains(address) }) { return false }
        // NAT64 and 6to4 carry an IPv4 address: it decides.
        if let inner = AddressPolicy.embedded(in: address) { return permits(inner) }
        return true
    }

    /// The special-purpose registries of IANA (RFC 6890 and its successors), and multicast.
    static let refused: [IPNetwork] = [
        "0.0.0.0/8",  // this network, unspecified
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  // private
        "100.64.0.0/10",  // carrier-grade NAT
        "127.0.0.0/8",  // loopback
        "169.254.0.0/16",  // link-local, cloud metadata
        "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  // protocol assignments, documentation
        "192.88.99.0/24",  // former 6to4 relays
        "198.18.0.0/15",  // benchmarks
        "224.0.0.0/4", "240.0.0.0/4",  // multicast, reserved, broadcast
        "::/96",  // unspecified, loopback, IPv4-compatible
        "64:ff9b:1::/48",  // local NAT64
        "100::/64",  // discard
        "2001::/23",  // protocol assignments, Teredo
        "2001:db8::/32", "3fff::/20",  // documentation
        "5f00::/16",  // segment routing
        "fc00::/7",  // unique local
        "fe80::/10", "fec0::/10",  // link-local, former site-local
        "ff00::/8",  // multicast
    ].compactMap { IPNetwork($0) }

    private static let nat64 = IPNetwork("64:ff9b::/96")
    private static let sixToFour = IPNetwork("2002::/16")

    private static func embedded(in address: IPAddress) -> IPAddress? {
        // The address's 16 bytes follow one for the family.
        let bytes = address.sortKey.dropFirst()
        let inner: ArraySlice<UInt8>
        if nat64?.contains(address) == true {
            inner = bytes.suffix(4)
        } else if sixToFour?.contains(address) == true {
            inner = bytes.dropFirst(2).prefix(4)
        } else {
            return nil
        }
        return IPAddress(v4: inner.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }
}
