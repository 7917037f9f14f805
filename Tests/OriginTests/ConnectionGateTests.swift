import Admission
import Basics
import Logging
import Testing

@testable import Origin

@Suite("Connection limits") struct ConnectionGateTests {
    private func gate(total: Int = 100, perAddress: Int, exempt: [IPNetwork] = []) -> ConnectionGate {
        ConnectionGate(
            total: total, perAddress: perAddress, exempt: exempt,
            log: LogLimiter(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("An address that has all its places gets another one when it gives one back")
    func placesComeBack() throws {
        let gate = gate(perAddress: 2)
        let address = IPAddress("192.0.2.1")
        let first = try #require(gate.enter(address))
        #expect(gate.enter(address) != nil)
        #expect(gate.enter(address) == nil)
        #expect(gate.enter(IPAddress("192.0.2.2")) != nil)
        gate.leave(first)
        #expect(gate.enter(address) != nil)
        #expect(gate.connections == 3)
    }

    @Test("All addresses of an IPv6 /64 count as one")
    func ipv6NetworksCountAsOne() {
        let gate = gate(perAddress: 1)
        #expect(gate.enter(IPAddress("2001:db8::1")) != nil)
        #expect(gate.enter(IPAddress("2001:db8::2")) == nil)
        #expect(gate.enter(IPAddress("2001:db8:0:1::1")) != nil)
    }

    @Test("Trusted proxies are counted in all only")
    func proxiesAreExempt() throws {
        let gate = gate(total: 2, perAddress: 1, exempt: [try #require(IPNetwork("10.0.0.0/8"))])
        #expect(gate.enter(IPAddress("10.0.0.1")) != nil)
        #expect(gate.enter(IPAddress("10.0.0.1")) != nil)
        #expect(gate.enter(IPAddress("10.0.0.1")) == nil)
    }
}
