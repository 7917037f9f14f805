import Basics
import Live
import NIOCore
import RTMP
import Storage
import Synchronization
import TestSupport
import Testing

@testable import PushPublish

@Suite(.serialized, .timeLimit(.minutes(2))) struct PushSupervisorTests {
    @Test("A push is connected when the destination has media")
    func aPushIsConnectedWhenTheTestDestinationHasMedia() async throws {
        let destination = try await TestDestination.start(keepsMessages: true)
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            #expect(name == "rtmp")
            try await rig.awaitStatus(.connected, of: name)
            try await eventually("media") { destination.now.bytes > 50_000 }
            let report = try #require(await rig.report(name))
            #expect(report.bytesSent > 50_000)
            #expect(report.destination == "rtmp://127.0.0.1:\(destination.port)/app/****1234")
            #expect(report.history.map(\.to) == [.connecting, .connected])
            #expect(destination.now.published == ["app/abcd-efgh-1234"])
            // Headers first, then a keyframe.
            let first = try #require(destination.now.messages?.prefix(2))
            #expect(first.first?.body == TestPublisher.header)
            #expect(first.last?.body.getInteger(at: 0, as: UInt8.self) == 0x17)
            #expect(first.last?.timestamp == first.first?.timestamp)

            #expect(try await rig.disconnect(name) == [name])
            try await eventually("goodbye") { destination.now.unpublished == 1 && destination.now.open == 0 }
            #expect(await rig.supervisor.statuses(accountID: PushRig.accountID).isEmpty)
            let ended = try #require(await rig.supervisor.endedSessions(accountID: PushRig.accountID).first)
            #expect(ended.status == .disconnected)
            #expect(ended.bytesSent >= report.bytesSent)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A push is not connected before media is acknowledged, however little it is")
    func aPushIsNotConnectedBeforeMediaIsAcknowledgedHoweverLittleItIs() async throws {
        let (destination, other) = (try await TestDestination.start(), try await TestDestination.start())
        try await PushRig.open { rig in
            let silent = try await rig.publish("silent", frameBytes: nil)
            let running = try await rig.publish("running")
            let name = try await rig.push("silent", to: destination)
            try await eventually("accepted") { destination.now.published.count == 1 }
            // Another push goes all the way meanwhile.
            try await rig.awaitStatus(.connected, of: rig.push("running", to: other))
            #expect(await rig.report(name)?.status == .connecting)
            // One frame of sound.
            silent.publication.send(
                StreamSample(
                    .audio, timestamp: 0, body: ByteBuffer(bytes: [0xAF, 1, 0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C])))
            silent.publication.readComplete()
            try await rig.awaitStatus(.connected, of: name)
            #expect(destination.now.bytes == 8)
            silent.end()
            running.end()
        }
        await destination.stop()
        await other.stop()
    }

    @Test("An encoder's metadata goes out byte for byte as it came, not decoded and encoded again")
    func metadata() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            var body = ByteBuffer()
            let metadata = AMFValue.object(["width": 640])
            AMF0Encoder.encode("onMetaData", into: &body)
            AMF0Encoder.encode(metadata, into: &body)
            publisher.publication.send(StreamSample(.data, timestamp: 0, body: body, metadata: metadata))
            let name = try await rig.push("s", to: destination)
            try await rig.awaitStatus(.connected, of: name)
            // As @setDataFrame, and as the encoder's own message.
            try await eventually("metadata") { destination.now.metadata.count >= 2 }
            #expect(destination.now.metadata.allSatisfy { $0 == body })
            publisher.end()
        }
        await destination.stop()
    }

    @Test("Events go to the log without secrets")
    func eventsGoToTheLogWithoutSecrets() async throws {
        let destination = try await TestDestination.start()
        let rig = await PushRig()
        let publisher = try await rig.publish("s")
        let row = await rig.store(destination, name: "main", stream: "s")
        let name = try await rig.supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
        try await rig.awaitStatus(.connected, of: name)
        _ = try await rig.disconnect(name)
        destination.change { $0.behaviour = .refusesStream }
        let again = try await rig.push("s", to: destination, key: "other-key-99")
        try await rig.awaitStatus(.failed, of: again)
        publisher.end()
        await rig.close()
        let events = await rig.store.events
        #expect(events.map(\.kind) == [.push, .unpush, .push])
        #expect(events.first?.metadata["entry_name"] == "main")
        #expect(events.first?.metadata["push_service_id"] == "\(row.id)")
        #expect(events.first?.address == "127.0.0.1")
        #expect(events.dropFirst().first?.metadata["reason"] == "disconnected")
        #expect(
            events.last?.metadata["error"]
                == "the destination refuses the stream (NetStream.Publish.BadName: ****y-99 is not a key of ours.)")
        #expect(!events.contains { "\($0)".contains("abcd-efgh") || "\($0)".contains("other-key") })
        await destination.stop()
    }

    @Test("A push waits for its stream and its return")
    func aPushWaitsForItsStreamAndItsReturn() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let name = try await rig.push("s", to: destination)
            #expect(await rig.report(name)?.status == .waiting)
            let first = try await rig.publish("s")
            try await rig.awaitStatus(.connected, of: name)
            first.end()
            try await rig.awaitStatus(.waiting, of: name)
            try await eventually("goodbye") { destination.now.open == 0 && destination.now.unpublished == 1 }
            let second = try await rig.publish("s")
            try await rig.awaitStatus(.connected, of: name)
            #expect(await rig.report(name)?.reconnects == 1)
            #expect(destination.now.published.count == 2)
            second.end()
        }
        await destination.stop()
    }

    @Test("Pushes stay while the encoder may return")
    func pushesStayWhileTheEncoderMayReturn() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let first = try await rig.publish("s")
            let name = try await rig.push("s", to: destination)
            try await rig.awaitStatus(.connected, of: name)
            first.end(isOrderly: false)
            let bytes = destination.now.bytes
            let second = try await rig.publish("s")
            try await eventually("more media") { destination.now.bytes > bytes + 10_000 }
            #expect(destination.now.connections == 1)
            #expect(await rig.report(name)?.history.map(\.to) == [.connecting, .connected])
            second.end()
        }
        await destination.stop()
    }

    @Test("Autopush comes with the publish, and a disconnect lasts until the next publish")
    func autopushComesWithThePublishAndADisconnectLastsUntilTheNext() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            _ = await rig.store(destination, name: "auto", autopush: true)
            let first = try await rig.publish("s")
            try await rig.awaitStatus(.connected, of: "auto")
            #expect(try await rig.disconnect("auto") == ["auto"])

            // The encoder drops and returns: still the same publish.
            first.end(isOrderly: false)
            let returned = try await rig.publish("s")
            try await eventually("gone") { destination.now.open == 0 }
            #expect(await rig.supervisor.statuses(accountID: PushRig.accountID).isEmpty)

            returned.end()
            try await eventually("off air") { await rig.stage.hub(at: PushRig.address("s")) == nil }
            let next = try await rig.publish("s")
            try await rig.awaitStatus(.connected, of: "auto")
            next.end()
            try await eventually("ended with its publication") {
                await rig.supervisor.statuses(accountID: PushRig.accountID).isEmpty
            }
            try await eventually("no connection is left") { destination.now.open == 0 }
            #expect(destination.now.published.count == 2)
        }
        await destination.stop()
    }

    @Test("Autopush survives a publish that overtakes the last end")
    func autopushSurvivesAPublishThatOvertakesTheLastEnd() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            _ = await rig.store(destination, name: "auto", autopush: true)
            for round in 1...5 {
                let publisher = try await rig.publish("s")
                try await rig.awaitStatus(.connected, of: "auto")
                #expect(await rig.supervisor.statuses(accountID: PushRig.accountID).map(\.entryName) == ["auto"])
                #expect(destination.now.published.count == round)
                publisher.end()
            }
        }
        await destination.stop()
    }

    @Test("Names of push sessions are unique on their instance")
    func namesAreUniqueOnTheirInstance() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let names = [
                try await rig.push("s", to: destination, key: "key-one1"),
                try await rig.push("s", to: destination, key: "key-two2"),
                try await rig.push("t", to: destination, key: "key-three3"),
                try await rig.push("t", to: destination, key: "key-four4", entryName: "tv"),
                try await rig.push("t", to: destination, key: "key-five5", entryName: "tv"),
            ]
            #expect(names == ["rtmp", "rtmp_2", "rtmp_3", "tv", "tv_2"])
            #expect(try await rig.disconnect("rtmp_2") == ["rtmp_2"])
            #expect(try await rig.push("s", to: destination, key: "key-six6") == "rtmp_2")
            #expect(try await rig.disconnect("nobody") == [])
            #expect(try await rig.disconnect("*") == ["rtmp", "rtmp_2", "rtmp_3", "tv", "tv_2"])
            #expect(await rig.supervisor.statuses(accountID: PushRig.accountID).isEmpty)
        }
        await destination.stop()
    }

    @Test("All sessions of an instance are ended by one word, or those of one of its streams")
    func allSessionsOfAStream() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let supervisor = rig.supervisor
            for stream in ["s", "t"] {
                let row = await rig.store(destination, stream: stream)
                _ = try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            }
            func end(_ stream: String?) async -> Int {
                await supervisor.disconnect(
                    entryName: "*", app: PushRig.app, instance: "live", stream: stream, accountID: PushRig.accountID
                ).count
            }
            #expect(await end("u") == 0)
            #expect(await end("s") == 1)
            #expect(await supervisor.statuses(accountID: PushRig.accountID).map(\.source.stream) == ["t"])
            #expect(await end(nil) == 1)
        }
    }

    @Test("Push sessions belong to their account")
    func sessionsBelongToTheirAccount() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let row = await rig.store(destination, stream: "s")
            let name = try await rig.supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            let supervisor = rig.supervisor
            #expect(await supervisor.statuses(accountID: 9).isEmpty)
            #expect(await supervisor.disconnect(pushServiceID: row.id, accountID: 9) == [])
            #expect(await supervisor.disconnect(entryName: "*", app: PushRig.app, instance: "live", accountID: 9) == [])
            await #expect(throws: PushError.notFound(row.id)) {
                try await supervisor.connect(pushServiceID: row.id, accountID: 9)
            }
            // Another account's push never gets this one's stream.
            let publisher = try await rig.publish("s")
            let thief = try await supervisor.connect(
                PushRequest(
                    accountID: 9, source: PushRig.address("s"), service: "rtmp",
                    fields: ["url": "rtmp://127.0.0.1:\(destination.port)/app/thief"]))
            try await rig.awaitStatus(.connected, of: name)
            #expect(await supervisor.statuses(accountID: 9).map(\.status) == [.waiting])
            #expect(await supervisor.statuses(accountID: 9).map(\.entryName) == [thief])
            #expect(destination.now.published == ["app/abcd-efgh-1234"])
            // Of an account that is deleted they go with it.
            await supervisor.disconnect(accounts: [PushRig.accountID, 10])
            #expect(await supervisor.statuses(accountID: PushRig.accountID).isEmpty)
            #expect(await supervisor.statuses(accountID: 9).map(\.status) == [.waiting])
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A stored push is disconnected by its id, and by its name when it was removed")
    func aStoredPushIsDisconnectedByItsIdAndByItsNameWhenItWasRemoved() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let supervisor = rig.supervisor
            let row = await rig.store(destination, name: "tv", stream: "s")
            for _ in 1...2 {
                _ = try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
                try await rig.awaitStatus(.connected, of: "tv")
                #expect(
                    await supervisor.disconnect(pushServiceID: row.id, accountID: PushRig.accountID, stream: "other")
                        == [])
                #expect(
                    await supervisor.disconnect(
                        pushServiceID: row.id, accountID: PushRig.accountID, app: PushRig.app, instance: "live",
                        stream: "s")
                        == [
                            PushSessionName(
                                app: PushRig.app, instance: "live", entryName: "tv", pushServiceID: row.id)
                        ])
            }
            _ = try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            _ = await rig.store.removePush(id: row.id, accountID: PushRig.accountID)
            try await rig.awaitStatus(.connected, of: "tv")
            #expect(try await rig.disconnect("tv") == ["tv"])
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A running push is not connected twice, and a failed one takes the new settings")
    func aRunningPushIsNotConnectedTwiceAndAFailedOneTakesTheNewSettings() async throws {
        let destination = try await TestDestination.start(.refusesStream)
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            var row = await rig.store(destination, name: "tv", stream: "s")
            let supervisor = rig.supervisor
            _ = try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            try await rig.awaitStatus(.failed, of: "tv")

            destination.change { $0.behaviour = .accepts }
            row.destination["url"] = "rtmp://127.0.0.1:\(destination.port)/app/right-key"
            _ = await rig.store.updatePush(row)
            #expect(await rig.report("tv")?.status == .failed)
            #expect(try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID) == "tv")
            try await rig.awaitStatus(.connected, of: "tv")
            #expect(destination.now.published == ["app/right-key"])
            await #expect(throws: PushError.alreadyConnected(entryName: "tv")) {
                try await supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            }
            await #expect(throws: PushError.alreadyConnected(entryName: "tv")) {
                try await rig.push("s", to: destination, key: "right-key", entryName: "other")
            }
            publisher.end()
        }
        await destination.stop()
    }

    @Test("Wrong requests are refused at once")
    func wrongRequestsAreRefusedAtOnce() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open({ $0.maxPerAccount = 1 }) { rig in
            let row = await rig.store(destination)
            await #expect(
                throws: PushError.invalid(FieldProblems([.missing("stream")]))
            ) {
                try await rig.supervisor.connect(pushServiceID: row.id, accountID: PushRig.accountID)
            }
            await #expect(throws: PushError.self) { try await rig.push("s", to: destination, entryName: "*") }
            await #expect(throws: PushError.self) { try await rig.push("../s", to: destination) }
            await #expect(throws: PushError.self) { try await rig.push("s", to: "rtmp://") }
            _ = try await rig.push("s", to: destination, key: "one")
            await #expect(throws: PushError.tooMany(limit: 1)) {
                try await rig.push("s", to: destination, key: "two")
            }
            await rig.supervisor.drain()
            await #expect(throws: PushError.draining) { try await rig.push("s", to: destination, key: "three") }
        }
        await destination.stop()
    }
}
