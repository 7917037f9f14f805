import Basics
import NIOCore
import RTMP
import Storage
import Synchronization
import TestSupport
import Testing

@testable import PushPublish

@Suite(.serialized, .timeLimit(.minutes(2))) struct PushSupervisorTests {
    @Test func aPushIsConnectedWhenTheFarEndHasMedia() async throws {
        let farEnd = try await FarEnd.start(keepsMessages: true)
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            #expect(name == "rtmp")
            try await house.awaitStatus(.connected, of: name)
            try await eventually("media") { farEnd.now.bytes > 50_000 }
            let report = try #require(await house.report(name))
            #expect(report.bytesSent > 50_000)
            #expect(report.destination == "rtmp://127.0.0.1:\(farEnd.port)/app/****1234")
            #expect(report.history.map(\.to) == [.connecting, .connected])
            #expect(farEnd.now.published == ["app/abcd-efgh-1234"])
            // Headers first, then a keyframe.
            let first = try #require(farEnd.now.messages?.prefix(2))
            #expect(first.first?.body == TestPublisher.header)
            #expect(first.last?.body.getInteger(at: 0, as: UInt8.self) == 0x17)
            #expect(first.last?.timestamp == first.first?.timestamp)

            #expect(try await house.disconnect(name) == [name])
            try await eventually("goodbye") { farEnd.now.unpublished == 1 && farEnd.now.open == 0 }
            #expect(await house.supervisor.statuses(accountID: House.accountID).isEmpty)
            let ended = try #require(await house.supervisor.endedSessions(accountID: House.accountID).first)
            #expect(ended.status == .disconnected)
            #expect(ended.bytesSent >= report.bytesSent)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aPushIsNotConnectedBeforeMediaIsAcknowledgedHoweverLittleItIs() async throws {
        let (farEnd, other) = (try await FarEnd.start(), try await FarEnd.start())
        try await House.open { house in
            let silent = try await house.publish("silent", frameBytes: nil)
            let running = try await house.publish("running")
            let name = try await house.push("silent", to: farEnd)
            try await eventually("accepted") { farEnd.now.published.count == 1 }
            // Another push goes all the way meanwhile.
            try await house.awaitStatus(.connected, of: house.push("running", to: other))
            #expect(await house.report(name)?.status == .connecting)
            // One frame of sound.
            silent.publication.send(
                .audio, timestamp: 0, body: ByteBuffer(bytes: [0xAF, 1, 0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C]))
            silent.publication.readComplete()
            try await house.awaitStatus(.connected, of: name)
            #expect(farEnd.now.bytes == 8)
            silent.end()
            running.end()
        }
        await farEnd.stop()
        await other.stop()
    }

    @Test func metadataIsSentWhenThePushBegins() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let publisher = try await house.publish("s")
            var body = ByteBuffer()
            let metadata = AMFValue.ecmaArray(["width": 640])
            AMF0Encoder.encode("onMetaData", into: &body)
            AMF0Encoder.encode(metadata, into: &body)
            publisher.publication.send(.data, timestamp: 0, body: body, metadata: metadata)
            let name = try await house.push("s", to: farEnd)
            try await house.awaitStatus(.connected, of: name)
            // As @setDataFrame, and as the encoder's own message.
            try await eventually("metadata") { farEnd.now.metadata >= 2 }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func eventsGoToTheLogWithoutSecrets() async throws {
        let farEnd = try await FarEnd.start()
        let house = await House()
        let publisher = try await house.publish("s")
        let row = await house.store(farEnd, name: "main", stream: "s")
        let name = try await house.supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
        try await house.awaitStatus(.connected, of: name)
        _ = try await house.disconnect(name)
        farEnd.change { $0.behaviour = .refusesStream }
        let again = try await house.push("s", to: farEnd, key: "other-key-99")
        try await house.awaitStatus(.failed, of: again)
        publisher.end()
        await house.close()
        let events = await house.store.events
        #expect(events.map(\.kind) == [.push, .unpush, .push])
        #expect(events.first?.metadata["entry_name"] == "main")
        #expect(events.first?.metadata["push_service_id"] == "\(row.id)")
        #expect(events.first?.address == "127.0.0.1")
        #expect(events.dropFirst().first?.metadata["reason"] == "disconnected")
        #expect(
            events.last?.metadata["error"]
                == "the far end refuses the stream (NetStream.Publish.BadName: ****y-99 is not a key of ours.)")
        #expect(!events.contains { "\($0)".contains("abcd-efgh") || "\($0)".contains("other-key") })
        await farEnd.stop()
    }

    @Test func aPushWaitsForItsStreamAndItsReturn() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let name = try await house.push("s", to: farEnd)
            #expect(await house.report(name)?.status == .waiting)
            let first = try await house.publish("s")
            try await house.awaitStatus(.connected, of: name)
            first.end()
            try await house.awaitStatus(.waiting, of: name)
            try await eventually("goodbye") { farEnd.now.open == 0 && farEnd.now.unpublished == 1 }
            let second = try await house.publish("s")
            try await house.awaitStatus(.connected, of: name)
            #expect(await house.report(name)?.reconnects == 1)
            #expect(farEnd.now.published.count == 2)
            second.end()
        }
        await farEnd.stop()
    }

    @Test func pushesStayWhileTheEncoderMayReturn() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open({ $0.sendTimeout = .seconds(1) }) { house in
            let first = try await house.publish("s")
            let name = try await house.push("s", to: farEnd)
            try await house.awaitStatus(.connected, of: name)
            first.end(isOrderly: false)
            // Longer than the send time-out: silence is no failure.
            try await Task.sleep(for: .seconds(2))
            let bytes = farEnd.now.bytes
            let second = try await house.publish("s")
            try await eventually("more media") { farEnd.now.bytes > bytes + 10_000 }
            #expect(farEnd.now.connections == 1)
            #expect(await house.report(name)?.history.map(\.to) == [.connecting, .connected])
            second.end()
        }
        await farEnd.stop()
    }

    @Test func autopushComesWithThePublishAndADisconnectLastsUntilTheNext() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            _ = await house.store(farEnd, name: "auto", autopush: true)
            let first = try await house.publish("s")
            try await house.awaitStatus(.connected, of: "auto")
            #expect(try await house.disconnect("auto") == ["auto"])

            // The encoder drops and returns: still the same publish.
            first.end(isOrderly: false)
            let returned = try await house.publish("s")
            try await eventually("gone") { farEnd.now.open == 0 }
            #expect(await house.supervisor.statuses(accountID: House.accountID).isEmpty)

            returned.end()
            try await eventually("off air") { await house.stage.hub(at: House.address("s")) == nil }
            let next = try await house.publish("s")
            try await house.awaitStatus(.connected, of: "auto")
            next.end()
            try await eventually("ended with its publication") {
                await house.supervisor.statuses(accountID: House.accountID).isEmpty
            }
            try await eventually("no connection is left") { farEnd.now.open == 0 }
            #expect(farEnd.now.published.count == 2)
        }
        await farEnd.stop()
    }

    @Test func autopushSurvivesAPublishThatOvertakesTheLastEnd() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            _ = await house.store(farEnd, name: "auto", autopush: true)
            for round in 1...5 {
                let publisher = try await house.publish("s")
                try await house.awaitStatus(.connected, of: "auto")
                #expect(await house.supervisor.statuses(accountID: House.accountID).map(\.entryName) == ["auto"])
                #expect(farEnd.now.published.count == round)
                publisher.end()
            }
        }
        await farEnd.stop()
    }

    @Test func namesAreUniqueOnTheirInstance() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let names = [
                try await house.push("s", to: farEnd, key: "key-one1"),
                try await house.push("s", to: farEnd, key: "key-two2"),
                try await house.push("t", to: farEnd, key: "key-three3"),
                try await house.push("t", to: farEnd, key: "key-four4", entryName: "tv"),
                try await house.push("t", to: farEnd, key: "key-five5", entryName: "tv"),
            ]
            #expect(names == ["rtmp", "rtmp_2", "rtmp_3", "tv", "tv_2"])
            #expect(try await house.disconnect("rtmp_2") == ["rtmp_2"])
            #expect(try await house.push("s", to: farEnd, key: "key-six6") == "rtmp_2")
            #expect(try await house.disconnect("nobody") == [])
            #expect(try await house.disconnect("*") == ["rtmp", "rtmp_2", "rtmp_3", "tv", "tv_2"])
            #expect(await house.supervisor.statuses(accountID: House.accountID).isEmpty)
        }
        await farEnd.stop()
    }

    @Test func sessionsBelongToTheirAccount() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let row = await house.store(farEnd, stream: "s")
            let name = try await house.supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
            let supervisor = house.supervisor
            #expect(await supervisor.statuses(accountID: 9).isEmpty)
            #expect(await supervisor.disconnect(pushServiceID: row.id, accountID: 9) == [])
            #expect(await supervisor.disconnect(entryName: "*", app: House.app, instance: "live", accountID: 9) == [])
            await #expect(throws: PushError.notFound(row.id)) {
                try await supervisor.connect(pushServiceID: row.id, accountID: 9)
            }
            // Another account's push never gets this one's stream.
            let publisher = try await house.publish("s")
            let thief = try await supervisor.connect(
                PushRequest(
                    accountID: 9, source: House.address("s"), service: "rtmp",
                    fields: ["url": "rtmp://127.0.0.1:\(farEnd.port)/app/thief"]))
            try await house.awaitStatus(.connected, of: name)
            #expect(await supervisor.statuses(accountID: 9).map(\.status) == [.waiting])
            #expect(await supervisor.statuses(accountID: 9).map(\.entryName) == [thief])
            #expect(farEnd.now.published == ["app/abcd-efgh-1234"])
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aStoredPushIsDisconnectedByItsIdAndByItsNameWhenItWasRemoved() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let publisher = try await house.publish("s")
            let supervisor = house.supervisor
            let row = await house.store(farEnd, name: "tv", stream: "s")
            for _ in 1...2 {
                _ = try await supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
                try await house.awaitStatus(.connected, of: "tv")
                #expect(
                    await supervisor.disconnect(pushServiceID: row.id, accountID: House.accountID, stream: "other")
                        == [])
                #expect(
                    await supervisor.disconnect(
                        pushServiceID: row.id, accountID: House.accountID, app: House.app, instance: "live", stream: "s"
                    )
                        == ["tv"])
            }
            _ = try await supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
            _ = await house.store.removePush(id: row.id, accountID: House.accountID)
            try await house.awaitStatus(.connected, of: "tv")
            #expect(try await house.disconnect("tv") == ["tv"])
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aRunningPushIsNotConnectedTwiceAndAFailedOneTakesTheNewSettings() async throws {
        let farEnd = try await FarEnd.start(.refusesStream)
        try await House.open { house in
            let publisher = try await house.publish("s")
            var row = await house.store(farEnd, name: "tv", stream: "s")
            let supervisor = house.supervisor
            _ = try await supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
            try await house.awaitStatus(.failed, of: "tv")

            farEnd.change { $0.behaviour = .accepts }
            row.destination["url"] = "rtmp://127.0.0.1:\(farEnd.port)/app/right-key"
            _ = await house.store.updatePush(row)
            #expect(await house.report("tv")?.status == .failed)
            #expect(try await supervisor.connect(pushServiceID: row.id, accountID: House.accountID) == "tv")
            try await house.awaitStatus(.connected, of: "tv")
            #expect(farEnd.now.published == ["app/right-key"])
            await #expect(throws: PushError.alreadyConnected(entryName: "tv")) {
                try await supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
            }
            await #expect(throws: PushError.alreadyConnected(entryName: "tv")) {
                try await house.push("s", to: farEnd, key: "right-key", entryName: "other")
            }
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func wrongRequestsAreRefusedAtOnce() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open({ $0.maxPerAccount = 1 }) { house in
            let row = await house.store(farEnd)
            await #expect(
                throws: PushError.invalid(FieldProblems([.missing("stream")]))
            ) {
                try await house.supervisor.connect(pushServiceID: row.id, accountID: House.accountID)
            }
            await #expect(throws: PushError.self) { try await house.push("s", to: farEnd, entryName: "*") }
            await #expect(throws: PushError.self) { try await house.push("../s", to: farEnd) }
            await #expect(throws: PushError.self) { try await house.push("s", to: "rtmp://") }
            _ = try await house.push("s", to: farEnd, key: "one")
            await #expect(throws: PushError.tooMany(limit: 1)) {
                try await house.push("s", to: farEnd, key: "two")
            }
            await house.supervisor.drain()
            await #expect(throws: PushError.draining) { try await house.push("s", to: farEnd, key: "three") }
        }
        await farEnd.stop()
    }
}
