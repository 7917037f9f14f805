import Basics
import Foundation
import NIOCore
import Synchronization
import TestSupport
import Testing
import Usher

@testable import PushPublish

/// Far ends that misbehave, and what becomes of the push and of its neighbours.
@Suite(.serialized, .timeLimit(.minutes(3))) struct BadFarEndTests {
    @Test func oneWedgedPushLeavesNineteenOthersGoing() async throws {
        let good = try await FarEnd.start()
        let bad = try await FarEnd.start(.stopsReading(after: 20_000))
        try await House.open({ $0.sendTimeout = .seconds(2) }) { house in
            let publisher = try await house.publish("s", frameBytes: 20_000)
            let wedged = try await house.push("s", to: bad, entryName: "wedged")
            var names: [String] = []
            for number in 1...19 {
                names.append(try await house.push("s", to: good, key: "key-\(number)-abcd"))
            }
            for name in names { try await house.awaitStatus(.connected, of: name) }
            try await eventually("the wedged one is noticed") {
                await house.report(wedged)?.history.contains { $0.failure == .wedged } == true
            }
            let reports = await house.supervisor.statuses(accountID: House.accountID).filter { $0.entryName != wedged }
            #expect(reports.count == 19)
            #expect(reports.allSatisfy { $0.history.map(\.to) == [.connecting, .connected] })
            #expect(reports.allSatisfy { $0.droppedFrames == 0 && $0.lastError == nil })
            #expect(good.now.connections == 19)
            publisher.end()
        }
        await good.stop()
        await bad.stop()
    }

    @Test func aSlowFarEndMissesWholeGOPsAndStaysConnected() async throws {
        let farEnd = try await FarEnd.start(.slow(bytes: 16_384), keepsMessages: true)
        try await House.open { house in
            // Some 3 MB a second, for a far end that takes a tenth of that.
            let publisher = try await house.publish("s", frameBytes: 60_000)
            let name = try await house.push("s", to: farEnd)
            try await house.awaitStatus(.connected, of: name)
            farEnd.change { $0.behaviour = .slow(bytes: 65_536) }
            try await eventually("pictures are left out", within: .seconds(60)) {
                await house.report(name)?.droppedFrames ?? 0 > 0
            }
            farEnd.change { $0.behaviour = .accepts }
            let seen = farEnd.now.messages?.count ?? 0
            try await eventually("media goes on") { farEnd.now.messages?.count ?? 0 > seen + 100 }
            #expect(farEnd.now.connections == 1)
            // Wherever pictures are missing, a keyframe follows.
            var last: FarEnd.Message?
            var gaps = 0
            for message in farEnd.now.messages ?? [] where message.body.getInteger(at: 1, as: UInt8.self) == 1 {
                if let last, message.timestamp > last.timestamp + 20 {
                    gaps += 1
                    #expect(message.body.getInteger(at: 0, as: UInt8.self) == 0x17)
                }
                last = message
            }
            #expect(gaps > 0)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aResetConnectionComesBack() async throws {
        let farEnd = try await FarEnd.start(.resets(after: 30_000))
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            try await eventually("three connections") { farEnd.now.connections >= 3 }
            farEnd.change { $0.behaviour = .accepts }
            try await house.awaitStatus(.connected, of: name)
            let report = try #require(await house.report(name))
            #expect(report.reconnects >= 2)
            #expect(report.lastError?.hasPrefix("the connection broke") == true)
            #expect(report.history.allSatisfy { $0.failure == nil || $0.failure == .connectionLost })
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aRestartedFarEndIsFoundAgain() async throws {
        var farEnd = try await FarEnd.start(.resets(after: 30_000))
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            try await eventually("first connection") { farEnd.now.connections >= 1 }
            await farEnd.stop()
            try await eventually("nobody is there") {
                await house.report(name)?.history.contains { $0.failure == .connectFailed } == true
            }
            farEnd = try await FarEnd.start(port: farEnd.port)
            try await house.awaitStatus(.connected, of: name)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test(arguments: [FarEnd.Behaviour.neverAnswers, .neverAnswersPublish])
    func aSilentFarEndIsGivenUpAndTriedAgain(behaviour: FarEnd.Behaviour) async throws {
        let farEnd = try await FarEnd.start(behaviour)
        try await House.open({ $0.connectTimeout = .seconds(1) }) { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            try await eventually("a time-out") {
                await house.report(name)?.history.contains { $0.failure == .timeout && $0.to == .retrying } == true
            }
            let stage = behaviour == .neverAnswers ? "RTMP handshake" : "answer to publish"
            #expect(await house.report(name)?.lastError == "not accepted within 1 s (no \(stage))")
            farEnd.change { $0.behaviour = .accepts }
            try await house.awaitStatus(.connected, of: name)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aRefusedKeyIsNotTriedAgainSoon() async throws {
        let farEnd = try await FarEnd.start(.refusesStream)
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            try await house.awaitStatus(.failed, of: name)
            let report = try #require(await house.report(name))
            #expect(report.history.last?.failure == .streamRefused)
            let due = try #require(report.nextAttempt).timeIntervalSinceNow
            #expect((500...600).contains(due))
            #expect(farEnd.now.connections == 1)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aChallengeIsAnswered() async throws {
        let farEnd = try await FarEnd.start(.wantsLogin(user: "jo", password: "s3cret"))
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmp://jo:s3cret@127.0.0.1:\(farEnd.port)/app/key-one1")
            try await house.awaitStatus(.connected, of: name)
            let wrong = try await house.push("s", to: "rtmp://jo:wrong-one@127.0.0.1:\(farEnd.port)/app/key-two2")
            try await house.awaitStatus(.failed, of: wrong)
            let none = try await house.push("s", to: "rtmp://127.0.0.1:\(farEnd.port)/app/key-three3")
            try await house.awaitStatus(.failed, of: none)
            for name in [wrong, none] {
                #expect(await house.report(name)?.history.last?.failure == .loginRefused)
            }
            #expect(farEnd.now.published == ["app/key-one1"])
            publisher.end()
        }
        await farEnd.stop()
    }

    // MARK: Addresses and names

    @Test func loopbackIsRefusedUnlessAllowed() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open({ $0.allowPrivate = [] }) { house in
            let publisher = try await house.publish("s")
            for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"] {
                let name = try await house.push("s", to: "rtmp://\(host):\(farEnd.port)/app/key-\(host.count)")
                try await house.awaitStatus(.failed, of: name)
                #expect(await house.report(name)?.history.last?.failure == .addressNotAllowed, "\(host)")
            }
            #expect(farEnd.now.connections == 0)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func theAddressIsCheckedAgainAtEveryReconnect() async throws {
        let farEnd = try await FarEnd.start(.resets(after: 30_000))
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
        try await House.open(
            { $0.allowPrivate = [IPNetwork("127.0.0.1/32")].compactMap { $0 } }, resolver: resolver
        ) { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmp://rebinding.example:\(farEnd.port)/app/key")
            try await house.awaitStatus(.failed, of: name)
            #expect(
                await house.report(name)?.lastError
                    == "rebinding.example is at 127.0.0.2, where pushes may not go (push.allow_private)")
            #expect(farEnd.now.connections == 1)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aNameThatDoesNotExistIsPermanentAndALostLookupIsNot() async throws {
        let resolver = StubResolver { host, _ throws(PushFailure) in
            throw PushFailure(host == "gone.example" ? .unknownHost : .lookupFailed, "no \(host)")
        }
        try await House.open(resolver: resolver) { house in
            let publisher = try await house.publish("s")
            let gone = try await house.push("s", to: "rtmp://gone.example/app/key")
            let lost = try await house.push("s", to: "rtmp://lost.example/app/key")
            try await house.awaitStatus(.failed, of: gone)
            try await eventually("tried again") { await house.report(lost)?.history.count ?? 0 > 4 }
            #expect(await house.report(gone)?.history.count == 2)
            publisher.end()
        }
    }

    @Test func attemptsOnTheirWayToOneHostAreLimited() async throws {
        let farEnd = try await FarEnd.start(.neverAnswersPublish)
        try await House.open({ $0.attemptsPerHost = 3 }) { house in
            let publisher = try await house.publish("s")
            for number in 1...6 { _ = try await house.push("s", to: farEnd, key: "key-\(number)") }
            try await eventually("three are on their way") { farEnd.now.open == 3 }
            // One that gives up makes room for the next; those that are accepted do too.
            _ = try await house.disconnect("rtmp")
            try await eventually("a fourth follows") { farEnd.now.connections == 4 }
            #expect(farEnd.now.open <= 3)
            farEnd.change { $0.behaviour = .accepts }
            for name in ["rtmp_2", "rtmp_3", "rtmp_4"] { _ = try await house.disconnect(name) }
            for name in ["rtmp_5", "rtmp_6"] { try await house.awaitStatus(.connected, of: name) }
            publisher.end()
        }
        await farEnd.stop()
    }
}
