import Glibc
import NIOCore
import TestSupport
import Testing

@testable import PushPublish

/// A disconnect acts at once in every state and lasts.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DisconnectTests {
    /// Disconnects and sees that nothing comes back while another push goes through several attempts.
    private func expectGone(_ name: String, _ house: House, connections: () -> Int) async throws {
        #expect(try await house.disconnect(name) == [name])
        #expect(await house.report(name) == nil)
        try await expectQuiet(house, connections: connections)
        #expect(await house.report(name) == nil)
        #expect(try await house.disconnect(name) == [])
    }

    /// No connection is made while another push fails several times.
    private func expectQuiet(_ house: House, connections: () -> Int) async throws {
        let before = connections()
        let clock = try await house.push("s", to: "rtmp://127.0.0.1:1/app/clock", entryName: "clock")
        try await eventually("time passes") { await house.report(clock)?.history.count ?? 0 > 7 }
        #expect(connections() == before)
        _ = try await house.disconnect(clock)
    }

    @Test func whileTheNameIsLookedUp() async throws {
        let resolver = StubResolver { host, port throws(PushFailure) in
            if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
            // Longer than any test.
            try? await Task.sleep(for: .seconds(20))
            throw PushFailure(.lookupFailed, "")
        }
        try await House.open(resolver: resolver) { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmp://slow.example/app/key", entryName: "tv")
            #expect(await house.report(name)?.status == .connecting)
            try await expectGone(name, house) { 0 }
            publisher.end()
        }
    }

    @Test func whileTCPConnects() async throws {
        // A listener whose queue is full drops further SYNs: connecting takes minutes.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(listener) }
        let port = try #require(listen(on: listener))
        var fillers: [Int32] = []
        defer { for filler in fillers { Glibc.close(filler) } }
        for _ in 1...3 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            fillers.append(filler)
            connectLoopback(filler, port)
        }
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmp://127.0.0.1:\(port)/app/key", entryName: "tv")
            #expect(await house.report(name)?.status == .connecting)
            try await expectGone(name, house) { 0 }
            publisher.end()
        }
    }

    @Test(arguments: [FarEnd.Behaviour.neverAnswers, .neverAnswersPublish])
    func whileTheFarEndIsSilent(behaviour: FarEnd.Behaviour) async throws {
        let farEnd = try await FarEnd.start(behaviour)
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd, entryName: "tv")
            try await eventually("it is on its way") { farEnd.now.open == 1 }
            try await expectGone(name, house) { farEnd.now.connections }
            // The far end reads of our close when its event loop gets to it.
            try await eventually("the connection is closed") { farEnd.now.open == 0 }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func whileConnected() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd, entryName: "tv")
            try await house.awaitStatus(.connected, of: name)
            try await expectGone(name, house) { farEnd.now.connections }
            try await eventually("the far end was told") { farEnd.now.unpublished == 1 }
            // The far end reads of our close when its event loop gets to it.
            try await eventually("the connection is closed") { farEnd.now.open == 0 }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func whileTheFarEndTakesNothing() async throws {
        let farEnd = try await FarEnd.start(.stopsReading(after: 20_000))
        try await House.open { house in
            let publisher = try await house.publish("s", frameBytes: 50_000)
            let name = try await house.push("s", to: farEnd, entryName: "tv")
            try await eventually("it hangs") { farEnd.now.bytes >= 20_000 }
            try await expectGone(name, house) { farEnd.now.connections }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func whileItWaitsToTryAgain() async throws {
        let farEnd = try await FarEnd.start(.refusesStream)
        try await House.open { house in
            let publisher = try await house.publish("s")
            let refused = try await house.push("s", to: farEnd, entryName: "refused")
            try await house.awaitStatus(.failed, of: refused)
            try await expectGone(refused, house) { farEnd.now.connections }
            let down = try await house.push("s", to: "rtmp://127.0.0.1:1/app/key", entryName: "down")
            try await house.awaitStatus(.retrying, of: down)
            try await expectGone(down, house) { farEnd.now.connections }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func whileItWaitsForTheStream() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let name = try await house.push("s", to: farEnd, entryName: "tv")
            #expect(try await house.disconnect(name) == [name])
            let publisher = try await house.publish("s")
            try await expectQuiet(house) { farEnd.now.connections }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func drainEndsEverythingInOrder() async throws {
        let farEnd = try await FarEnd.start()
        let house = await House()
        let publisher = try await house.publish("s")
        for number in 1...5 { _ = try await house.push("s", to: farEnd, key: "key-\(number)-abcd") }
        for report in await house.supervisor.statuses(accountID: House.accountID) {
            try await house.awaitStatus(.connected, of: report.entryName)
        }
        let supervisor = house.supervisor
        try await promptly("drain") { await supervisor.drain() }
        try await eventually("all said goodbye") { farEnd.now.unpublished == 5 && farEnd.now.open == 0 }
        #expect(await house.store.events.filter { $0.kind == .unpush }.count == 5)
        publisher.end()
        await house.close()
        await farEnd.stop()
    }

    // MARK: Sockets

    private func listen(on descriptor: Int32) -> Int? {
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && Glibc.listen(descriptor, 0) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        return isListening ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    private func connectLoopback(_ descriptor: Int32, _ port: Int) {
        var address = loopback(UInt16(port))
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
