import Basics
import Testing
import Usher

@testable import PushPublish

@Suite struct AddressPolicyTests {
    @Test(
        "Addresses that are not public are refused",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1",
            "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
            "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::1", "2002:7f00:1::", "2002:0a00:0001::1", "2001:0:1::1", "2001:db8::1", "fc00::1", "fdff::1",
            "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1",
        ])
    func refusesWhatIsNotPublic(text: String) throws {
        #expect(try !AddressPolicy().permits(#require(IPAddress(text))))
    }

    @Test(
        "Public addresses are permitted",
        arguments: [
            "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
            "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255",
            "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1", "2606:4700::1111", "2a00:1450:4001::1",
            "fbff::1",
        ])
    func permitsThePublicInternet(text: String) throws {
        #expect(try AddressPolicy().permits(#require(IPAddress(text))))
    }

    @Test("The configuration allows the networks it names and no more")
    func theConfigurationAllowsWhatItNamesAndNoMore() throws {
        let policy = AddressPolicy(allowing: try [#require(IPNetwork("10.1.0.0/16")), #require(IPNetwork("::1/128"))])
        let answers = try ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "::1", "10.2.0.1", "127.0.0.1"].map {
            policy.permits(try #require(IPAddress($0)))
        }
        #expect(answers == [true, true, true, true, false, false])
    }

    @Test("Every refused network is written so that it can be read")
    func everyRefusedNetworkIsWrittenRight() {
        #expect(AddressPolicy.refused.count == 26)
    }
}
