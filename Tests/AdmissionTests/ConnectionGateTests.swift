import Basics
import Logging
import Synchronization
import Testing

@testable import Admission

@Suite("Connection limits") struct ConnectionGateTests {
    private func gate(
        total: Int = 100, reserved: Int = 0, perAddress: Int = 1_000, exempt: [IPNetwork] = []
    ) -> ConnectionGate {
        ConnectionGate(
            total: total, reserved: reserved, perAddress: perAddress, exempt: exempt,
            log: LogLimiter(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    private func enter(
        _ gate: ConnectionGate, _ address: String, _ close: @escaping @Sendable () -> Void = {}
    ) throws -> ConnectionGate.Place {
        let place = gate.enter(IPAddress(address), close: close)
        return try #require(place)
    }

    @Test("An address that has all its places gets another one when it gives one back")
    func placesComeBack() throws {
        let gate = gate(perAddress: 2)
        let address = IPAddress("192.0.2.1")
        let entered = gate.enter(address, close: {})
        let first = try #require(entered)
        #expect(gate.enter(address, close: {}) != nil)
        #expect(gate.enter(address, close: {}) == nil)
        #expect(gate.enter(IPAddress("192.0.2.2"), close: {}) != nil)
        gate.leave(first)
        #expect(gate.enter(address, close: {}) != nil)
        #expect(gate.connections == 3)
    }

    @Test("All addresses of an IPv6 /64 count as one")
    func ipv6NetworksCountAsOne() {
        let gate = gate(perAddress: 1)
        #expect(gate.enter(IPAddress("2001:db8::1"), close: {}) != nil)
        #expect(gate.enter(IPAddress("2001:db8::2"), close: {}) == nil)
        #expect(gate.enter(IPAddress("2001:db8:0:1::1"), close: {}) != nil)
    }

    @Test("Trusted proxies are counted in all only")
    func proxiesAreExempt() throws {
        let gate = gate(total: 2, perAddress: 1, exempt: [try #require(IPNetwork("10.0.0.0/8"))])
        #expect(gate.enter(IPAddress("10.0.0.1"), close: {}) != nil)
        #expect(gate.enter(IPAddress("10.0.0.1"), close: {}) != nil)
        #expect(gate.enter(IPAddress("10.0.0.1"), close: {}) == nil)
    }

    /// What has been closed, in order.
    private final class Closed: Sendable {
        private let names = Mutex<[String]>([])

        var all: [String] { names.withLock { $0 } }

        func closer(_ name: String) -> @Sendable () -> Void {
            { self.names.withLock { $0.append(name) } }
        }
    }

    @Test(
        "Viewers cannot take the places kept for encoders and the API; these get in when viewers have filled the rest")
    func reservedPlaces() throws {
        let gate = gate(total: 6, reserved: 2)
        var viewers: [ConnectionGate.Place] = []
        for number in 1...4 {
            var place = try enter(gate, "192.0.2.\(number)")
            #expect(gate.admitViewer(&place, from: nil))
            viewers.append(place)
        }
        var fifth = try enter(gate, "192.0.2.5")
        #expect(fifth.standing == .trial)
        #expect(!gate.admitViewer(&fifth, from: nil))
        gate.leave(fifth)
        var encoder = try enter(gate, "192.0.2.6")
        gate.admitPublisher(&encoder)
        #expect(encoder.standing == .publisher)
        let call = try enter(gate, "192.0.2.7")
        #expect(gate.connections == 6)
        gate.leave(call)
        // When a viewer goes there is room for another one, who may have been on trial.
        var waiting = try enter(gate, "192.0.2.8")
        gate.leave(viewers.removeLast())
        #expect(gate.admitViewer(&waiting, from: nil))
        #expect(gate.connections == 5)
    }

    @Test("An encoder that came while there was room leaves its place to viewers")
    func publishersMakeRoom() throws {
        let gate = gate(total: 2, reserved: 1)
        var encoder = try enter(gate, "192.0.2.1")
        gate.admitPublisher(&encoder)
        var viewer = try enter(gate, "192.0.2.2")
        #expect(viewer.standing == .ordinary)
        #expect(gate.admitViewer(&viewer, from: nil))
        #expect(gate.enter(IPAddress("192.0.2.3"), close: {}) == nil)
        gate.leave(encoder)
        gate.leave(viewer)
        #expect(gate.connections == 0)
    }

    @Test("Who comes when all places are taken gets that of the oldest on trial, which is closed and counted no more")
    func theOldestOnTrialGoes() throws {
        let gate = gate(total: 3, reserved: 2)
        let closed = Closed()
        let viewer = try enter(gate, "192.0.2.1", closed.closer("viewer"))
        let first = try enter(gate, "192.0.2.2", closed.closer("first"))
        var second = try enter(gate, "192.0.2.3", closed.closer("second"))
        var third = try enter(gate, "192.0.2.4", closed.closer("third"))
        #expect(closed.all == ["first"])
        #expect(gate.connections == 3)
        gate.leave(first)
        #expect(gate.connections == 3)
        gate.admitPublisher(&second)
        gate.admitPublisher(&third)
        // Encoders and viewers keep their places.
        #expect(gate.enter(IPAddress("192.0.2.5"), close: {}) == nil)
        #expect(closed.all == ["first"])
        for place in [viewer, second, third] { gate.leave(place) }
        #expect(gate.connections == 0)
    }

    @Test("One network on trial pushes out itself and not the others")
    func trialsOfOneNetwork() throws {
        let gate = gate(total: 20, reserved: 20)
        let closed = Closed()
        _ = gate.enter(IPAddress("192.0.2.1"), close: closed.closer("other"))
        for number in 1...10 {
            #expect(gate.enter(IPAddress("2001:db8::\(number)"), close: closed.closer("\(number)")) != nil)
        }
        #expect(closed.all == ["1", "2", "3", "4", "5", "6"])
        #expect(gate.connections == 5)
    }
}
