import Basics
import Foundation
import NIOCore
import Synchronization
import TestSupport
import Testing
import Usher

@testable import PushPublish

/// Destinations that misbehave, and what becomes of the push and of its neighbours.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BadDestinationTests {
    @Test("One wedged push leaves nineteen others going")
    func oneWedgedPushLeavesNineteenOthersGoing() async throws {
        let good = try await TestDestination.start()
        let bad = try await TestDestination.start(.stopsReading(after: 20_000))
        try await PushRig.open({ $0.sendTimeout = .seconds(5) }) { rig in
            let publisher = try await rig.publish("s", frameBytes: 20_000)
            let wedged = try await rig.push("s", to: bad, entryName: "wedged")
            var names: [String] = []
            for number in 1...19 {
                names.append(try await rig.push("s", to: good, key: "key-\(number)-abcd"))
            }
            for name in names { try await rig.awaitStatus(.connected, of: name) }
            try await eventually("the wedged one is noticed") {
                await rig.report(wedged)?.history.contains { $0.failure == .wedged } == true
            }
            let reports = await rig.supervisor.statuses(accountID: PushRig.accountID).filter { $0.entryName != wedged }
            #expect(reports.count == 19)
            #expect(reports.allSatisfy { $0.history.map(\.to) == [.connecting, .connected] })
            #expect(reports.allSatisfy { $0.droppedFrames == 0 && $0.lastError == nil })
            #expect(good.now.connections == 19)
            publisher.end()
        }
        await good.stop()
        await bad.stop()
    }

    @Test("A slow destination misses whole GOPs and stays connected")
    func aSlowTestDestinationMissesWholeGOPsAndStaysConnected() async throws {
        let destination = try await TestDestination.start(.slow(bytes: 16_384), keepsMessages: true)
        try await PushRig.open { rig in
            // Some 3 MB a second, for a destination that takes a tenth of that.
            let publisher = try await rig.publish("s", frameBytes: 60_000)
            let name = try await rig.push("s", to: destination)
            try await rig.awaitStatus(.connected, of: name)
            destination.change { $0.behaviour = .slow(bytes: 65_536) }
            try await eventually("pictures are left out", within: .seconds(60)) {
                await rig.report(name)?.droppedFrames ?? 0 > 0
            }
            destination.change { $0.behaviour = .accepts }
            let seen = destination.now.messages?.count ?? 0
            try await eventually("media goes on") { destination.now.messages?.count ?? 0 > seen + 100 }
            #expect(destination.now.connections == 1)
            // Wherever pictures are missing, a keyframe follows.
            var last: TestDestination.Message?
            var gaps = 0
            for message in destination.now.messages ?? [] where message.body.getInteger(at: 1, as: UInt8.self) == 1 {
                if let last, message.timestamp > last.timestamp + 20 {
                    gaps += 1
                    #expect(message.body.getInteger(at: 0, as: UInt8.self) == 0x17)
                }
                last = message
            }
            #expect(gaps > 0)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push whose connection was reset comes back")
    func aResetConnectionComesBack() async throws {
        let destination = try await TestDestination.start(.resets(after: 30_000))
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            try await eventually("three connections") { destination.now.connections >= 3 }
            destination.change { $0.behaviour = .accepts }
            try await rig.awaitStatus(.connected, of: name)
            let report = try #require(await rig.report(name))
            #expect(report.reconnects >= 2)
            #expect(report.lastError?.hasPrefix("the connection broke") == true)
            #expect(report.history.allSatisfy { $0.failure == nil || $0.failure == .connectionLost })
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A destination that was restarted is found again")
    func aRestartedTestDestinationIsFoundAgain() async throws {
        var destination = try await TestDestination.start(.resets(after: 30_000))
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            try await eventually("first connection") { destination.now.connections >= 1 }
            await destination.stop()
            try await eventually("nobody is there") {
                await rig.report(name)?.history.contains { $0.failure == .connectFailed } == true
            }
            destination = try await TestDestination.start(port: destination.port)
            try await rig.awaitStatus(.connected, of: name)
            publisher.end()
        }
        await destination.stop()
    }

    @Test(
        "A silent destination is given up and tried again",
        arguments: [TestDestination.Behaviour.neverAnswers, .neverAnswersPublish])
    func aSilentTestDestinationIsGivenUpAndTriedAgain(behaviour: TestDestination.Behaviour) async throws {
        let destination = try await TestDestination.start(behaviour)
        try await PushRig.open({ $0.connectTimeout = .seconds(1) }) { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            try await eventually("a time-out") {
                await rig.report(name)?.history.contains { $0.failure == .timeout && $0.to == .retrying } == true
            }
            let stage = behaviour == .neverAnswers ? "RTMP handshake" : "answer to publish"
            // One try may have got less far than another.
            try await eventually("the stage that gets no answer") {
                await rig.report(name)?.lastError == "not accepted within 1 s (no \(stage))"
            }
            destination.change { $0.behaviour = .accepts }
            try await rig.awaitStatus(.connected, of: name)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A refused stream key is not tried again soon")
    func aRefusedKeyIsNotTriedAgainSoon() async throws {
        let destination = try await TestDestination.start(.refusesStream)
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            try await rig.awaitStatus(.failed, of: name)
            let report = try #require(await rig.report(name))
            #expect(report.history.last?.failure == .streamRefused)
            let due = try #require(report.nextConnection).timeIntervalSinceNow
            #expect((500...600).contains(due))
            #expect(destination.now.connections == 1)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A destination's challenge is answered")
    func aChallengeIsAnswered() async throws {
        let destination = try await TestDestination.start(.wantsLogin(user: "jo", password: "s3cret"))
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmp://jo:s3cret@127.0.0.1:\(destination.port)/app/key-one1")
            try await rig.awaitStatus(.connected, of: name)
            let wrong = try await rig.push("s", to: "rtmp://jo:wrong-one@127.0.0.1:\(destination.port)/app/key-two2")
            try await rig.awaitStatus(.failed, of: wrong)
            let none = try await rig.push("s", to: "rtmp://127.0.0.1:\(destination.port)/app/key-three3")
            try await rig.awaitStatus(.failed, of: none)
            for name in [wrong, none] {
                #expect(await rig.report(name)?.history.last?.failure == .loginRefused)
            }
            #expect(destination.now.published == ["app/key-one1"])
            publisher.end()
        }
        await destination.stop()
    }

    // MARK: Addresses and names

    @Test("A push to an address that pushes may not go to is refused at once, and one to such a name fails")
    func loopbackIsRefusedUnlessAllowed() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open({ $0.allowPrivate = [] }) { rig in
            let publisher = try await rig.publish("s")
            for host in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"] {
                let url = "rtmp://\(host.contains(":") ? "[\(host)]" : host):\(destination.port)/app/key"
                await #expect(throws: PushError.addressNotAllowed(host)) { try await rig.push("s", to: url) }
            }
            let name = try await rig.push("s", to: "rtmp://localhost:\(destination.port)/app/key")
            try await rig.awaitStatus(.failed, of: name)
            #expect(await rig.report(name)?.history.last?.failure == .addressNotAllowed)
            #expect(destination.now.connections == 0)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("The address is checked again at every reconnect")
    func theAddressIsCheckedAgainAtEveryReconnect() async throws {
        let destination = try await TestDestination.start(.resets(after: 30_000))
        let asked = Mutex(0)
        let resolver = StubResolver { _, port throws(PushFailure) in
            let isFirst = asked.withLock { count in
                count += 1
                return count == 1
            }
            guard let address = try? SocketAddress(ipAddress: isFirst ? "127.0.0.1" : "127.0.0.2", port: port) else {
                throw PushFailure(.lookupFailed, "")
            }
            return [address]
        }
        try await PushRig.open(
            { $0.allowPrivate = [IPNetwork("127.0.0.1/32")].compactMap { $0 } }, resolver: resolver
        ) { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmp://rebinding.example:\(destination.port)/app/key")
            try await rig.awaitStatus(.failed, of: name)
            #expect(
                await rig.report(name)?.lastError
                    == "rebinding.example is at 127.0.0.2, where pushes may not go (push.allow_private)")
            #expect(destination.now.connections == 1)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A name that does not exist is a permanent failure, a lookup that got no answer is not")
    func aNameThatDoesNotExistIsPermanentAndALostLookupIsNot() async throws {
        let resolver = StubResolver { host, _ throws(PushFailure) in
            throw PushFailure(host == "gone.example" ? .unknownHost : .lookupFailed, "no \(host)")
        }
        try await PushRig.open(resolver: resolver) { rig in
            let publisher = try await rig.publish("s")
            let gone = try await rig.push("s", to: "rtmp://gone.example/app/key")
            let lost = try await rig.push("s", to: "rtmp://lost.example/app/key")
            try await rig.awaitStatus(.failed, of: gone)
            try await eventually("tried again") { await rig.report(lost)?.history.count ?? 0 > 4 }
            #expect(await rig.report(gone)?.history.count == 2)
            publisher.end()
        }
    }

    @Test("Connections on their way to one host are limited")
    func attemptsOnTheirWayToOneHostAreLimited() async throws {
        let destination = try await TestDestination.start(.neverAnswersPublish)
        try await PushRig.open({ $0.connectingPerEndpoint = 3 }) { rig in
            let publisher = try await rig.publish("s")
            for number in 1...6 { _ = try await rig.push("s", to: destination, key: "key-\(number)") }
            try await eventually("three are on their way") { destination.now.open == 3 }
            // One that gives up makes room for the next; those that are accepted do too.
            _ = try await rig.disconnect("rtmp")
            try await eventually("a fourth follows") { destination.now.connections == 4 }
            try await eventually("three at a time") { destination.now.open == 3 }
            destination.change { $0.behaviour = .accepts }
            for name in ["rtmp_2", "rtmp_3", "rtmp_4"] { _ = try await rig.disconnect(name) }
            for name in ["rtmp_5", "rtmp_6"] { try await rig.awaitStatus(.connected, of: name) }
            publisher.end()
        }
        await destination.stop()
    }
}
