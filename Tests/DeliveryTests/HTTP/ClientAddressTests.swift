import Basics
import HTTPTypes
import Testing
import Usher

@testable import Delivery

@Suite struct ClientAddressTests {
    @Test("The field that names the client is X-Forwarded-For, not what stands in for it")
    func fieldName() {
        #expect(HTTPField.Name.xForwardedFor.rawName == "X-Forwarded-For")
    }

    private static let proxies = ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"].compactMap { IPNetwork($0) }

    @Test(
        "the client is the last address that no trusted proxy has",
        arguments: [
            ("192.0.2.1", [], "192.0.2.1"),
            ("::ffff:192.0.2.1", [], "192.0.2.1"),
            ("fe80::1%eth0", [], "fe80::1"),
            // Nobody but a proxy is believed.
            ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
            ("10.1.2.3", ["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.1.2.3", ["198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", ["::ffff:198.51.100.7"], "198.51.100.7"),
            ("2001:db8:1::5", ["2001:DB8:2:0::9"], "2001:db8:2::9"),
            // What the client wrote himself stands further left.
            ("10.1.2.3", ["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", ["203.0.113.5", "198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", ["203.0.113.5, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.1.2.3", ["198.51.100.7", "10.9.9.9, 10.8.8.8"], "198.51.100.7"),
            // All trusted: the first of the chain is a client inside.
            ("10.1.2.3", ["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
            ("10.1.2.3", [], "10.1.2.3"),
            ("10.1.2.3", ["unknown"], "10.1.2.3"),
            ("10.1.2.3", ["198.51.100.7, unknown, 10.5.5.5"], "10.5.5.5"),
            ("10.1.2.3", ["198.51.100.7,"], "10.1.2.3"),
            ("10.1.2.3", ["198.51.100.7:4711"], "198.51.100.7"),
            ("10.1.2.3", ["[2001:db8:2::9]:4711"], "2001:db8:2::9"),
            ("10.1.2.3", ["[2001:db8:2::9"], "10.1.2.3"),
        ] as [(String, [String], String)])
    func resolution(peer: String, forwardedFor: [String], expected: String) {
        let address = ClientAddress.resolve(
            peer: IPAddress(peer), forwardedFor: forwardedFor, trusted: Self.proxies)
        #expect(address?.description == expected)
    }

    @Test("without trusted proxies the header is never read")
    func noProxies() {
        let address = ClientAddress.resolve(
            peer: IPAddress("127.0.0.1"), forwardedFor: ["198.51.100.7"], trusted: [])
        #expect(address?.description == "127.0.0.1")
    }

    @Test("a long list of proxies is not followed for ever")
    func longList() {
        let list = Array(repeating: "10.0.0.1", count: 100_000).joined(separator: ",")
        let address = ClientAddress.resolve(
            peer: IPAddress("10.1.2.3"), forwardedFor: ["198.51.100.7," + list], trusted: Self.proxies)
        #expect(address?.description == "10.0.0.1")
    }
}
