import Testing

@testable import Basics

@Suite struct IPAddressTests {
    @Test(
        "Addresses are read and written in their normal form",
        arguments: [
            ("192.0.2.1", "192.0.2.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.255"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:0201", "192.0.2.1"),
            ("0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"),
            ("::", "::"),
            ("::1", "::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1::", "1::"),
            ("fe80::1%eth0", "fe80::1"),
            ("::1.2.3.4", "::102:304"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ])
    func readsAndNormalises(text: String, normal: String) {
        #expect(IPAddress(text)?.description == normal)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.", "1.2.3.-4", "1.2.3.4%eth0", " 1.2.3.4",
            "a.b.c.d",
            ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "::g",
            "::1.2.3",
            "1.2.3.4::", "::1.2.3.4:5", "[::1]", "1.2.3.4:80", "1:", ":1",
            String(repeating: "1:", count: 500),
        ])
    func refusesEverythingElse(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "Networks are read, with the bits past the prefix cleared",
        arguments: [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("10.1.2.3/9", "10.0.0.0/9"),
            ("2001:db8:ffff::1/32", "2001:db8::/32"),
            ("2001:db8::1/64", "2001:db8::/64"),
            ("2001:db8:0:0:8000::1/65", "2001:db8:0:0:8000::/65"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ])
    func readsNetworks(text: String, normal: String) {
        #expect(IPNetwork(text)?.description == normal)
    }

    @Test(
        "What is no network is refused",
        arguments: [
            "", "/", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/08", "1.2.3.4/a", "1.2.3.4/+8", "::ffff:1.2.3.4/24",
            "fe80::1%eth0", "fe80::%eth0/64",
        ])
    func refusesOtherNetworks(text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test(
        "A network contains its addresses and no others",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/64", "2001:db8::ffff:1", true),
            ("2001:db8::/64", "2001:db8:0:1::1", false),
            ("::/0", "2001:db8::1", true),
        ])
    func networksContain(network: String, address: String, isInside: Bool) throws {
        let (network, address) = (try #require(IPNetwork(network)), try #require(IPAddress(address)))
        #expect(network.contains(address) == isInside)
    }

    @Test("A network is one range of sort keys")
    func aNetworkIsOneRangeOfSortKeys() throws {
        let (lowest, highest) = try #require(IPNetwork("10.1.0.0/16")).bounds
        #expect(lowest.description == "10.1.0.0")
        #expect(highest.description == "10.1.255.255")
        let inside = try #require(IPAddress("10.1.7.7")).sortKey
        #expect(lowest.sortKey.lexicographicallyPrecedes(inside) && inside.lexicographicallyPrecedes(highest.sortKey))
        let other = try #require(IPAddress("::a01:707")).sortKey
        #expect(!other.lexicographicallyPrecedes(highest.sortKey))
    }
}
