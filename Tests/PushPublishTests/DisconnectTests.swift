import Glibc
import NIOCore
import TestSupport
import Testing

@testable import PushPublish

/// A disconnect acts at once in every state and lasts.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DisconnectTests {
    /// Disconnects and sees that nothing comes back while another push goes through several attempts.
    private func expectGone(_ name: String, _ rig: PushRig, connections: () -> Int) async throws {
        #expect(try await rig.disconnect(name) == [name])
        #expect(await rig.report(name) == nil)
        try await expectQuiet(rig, connections: connections)
        #expect(await rig.report(name) == nil)
        #expect(try await rig.disconnect(name) == [])
    }

    /// No connection is made while another push fails several times.
    private func expectQuiet(_ rig: PushRig, connections: () -> Int) async throws {
        let before = connections()
        let clock = try await rig.push("s", to: "rtmp://127.0.0.1:1/app/clock", entryName: "clock")
        try await eventually("time passes") { await rig.report(clock)?.history.count ?? 0 > 7 }
        #expect(connections() == before)
        _ = try await rig.disconnect(clock)
    }

    @Test("A push is disconnected while the name is looked up")
    func whileTheNameIsLookedUp() async throws {
        let resolver = StubResolver { host, port throws(PushFailure) in
            if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
            // Longer than any test.
            try? await Task.sleep(for: .seconds(3_600))
            throw PushFailure(.lookupFailed, "")
        }
        try await PushRig.open(resolver: resolver) { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmp://slow.example/app/key", entryName: "tv")
            #expect(await rig.report(name)?.status == .connecting)
            try await expectGone(name, rig) { 0 }
            publisher.end()
        }
    }

    @Test("A push is disconnected while TCP connects")
    func whileTCPConnects() async throws {
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
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmp://127.0.0.1:\(port)/app/key", entryName: "tv")
            #expect(await rig.report(name)?.status == .connecting)
            try await expectGone(name, rig) { 0 }
            publisher.end()
        }
    }

    @Test(
        "A push is disconnected while the destination is silent",
        arguments: [TestDestination.Behaviour.neverAnswers, .neverAnswersPublish])
    func whileTheTestDestinationIsSilent(behaviour: TestDestination.Behaviour) async throws {
        let destination = try await TestDestination.start(behaviour)
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination, entryName: "tv")
            try await eventually("it is on its way") { destination.now.open == 1 }
            try await expectGone(name, rig) { destination.now.connections }
            // The destination reads of our close when its event loop gets to it.
            try await eventually("the connection is closed") { destination.now.open == 0 }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push is disconnected while it is connected")
    func whileConnected() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination, entryName: "tv")
            try await rig.awaitStatus(.connected, of: name)
            try await expectGone(name, rig) { destination.now.connections }
            try await eventually("the destination was told") { destination.now.unpublished == 1 }
            // The destination reads of our close when its event loop gets to it.
            try await eventually("the connection is closed") { destination.now.open == 0 }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push is disconnected while the destination takes nothing")
    func whileTheTestDestinationTakesNothing() async throws {
        let destination = try await TestDestination.start(.stopsReading(after: 20_000))
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s", frameBytes: 50_000)
            let name = try await rig.push("s", to: destination, entryName: "tv")
            try await eventually("it hangs") { destination.now.bytes >= 20_000 }
            try await expectGone(name, rig) { destination.now.connections }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push is disconnected while it waits to try again")
    func whileItWaitsToTryAgain() async throws {
        let destination = try await TestDestination.start(.refusesStream)
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let refused = try await rig.push("s", to: destination, entryName: "refused")
            try await rig.awaitStatus(.failed, of: refused)
            try await expectGone(refused, rig) { destination.now.connections }
            let down = try await rig.push("s", to: "rtmp://127.0.0.1:1/app/key", entryName: "down")
            try await rig.awaitStatus(.retrying, of: down)
            try await expectGone(down, rig) { destination.now.connections }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push is disconnected while it waits for its stream")
    func whileItWaitsForTheStream() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let name = try await rig.push("s", to: destination, entryName: "tv")
            #expect(try await rig.disconnect(name) == [name])
            let publisher = try await rig.publish("s")
            try await expectQuiet(rig) { destination.now.connections }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("Draining ends all pushes in order")
    func drainEndsEverythingInOrder() async throws {
        let destination = try await TestDestination.start()
        let rig = await PushRig()
        let publisher = try await rig.publish("s")
        for number in 1...5 { _ = try await rig.push("s", to: destination, key: "key-\(number)-abcd") }
        for report in await rig.supervisor.statuses(accountID: PushRig.accountID) {
            try await rig.awaitStatus(.connected, of: report.entryName)
        }
        let supervisor = rig.supervisor
        try await promptly("drain") { await supervisor.drain() }
        try await eventually("all said goodbye") { destination.now.unpublished == 5 && destination.now.open == 0 }
        #expect(await rig.store.events.filter { $0.kind == .unpush }.count == 5)
        publisher.end()
        await rig.close()
        await destination.stop()
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
