import Basics
import Foundation
import Live
import Media
import NIOCore
import RTMP
import Storage
import Synchronization
import Testing
import TestSupport

@testable import RTMPServer

@Suite("RTMP connections", .serialized) struct RTMPServerTests {
    // MARK: Publishing

    @Test("A message of two tracks is two samples for packagers, and two messages for players")
    func severalTracks() async throws {
        let observer = PackagingObserver()
        try await ServerScene.run(observer: observer) { scene in
            let encoder = try await scene.encoder("tracks")
            let player = try await scene.player("tracks")
            // Keyframes of avc1, tracks 0 and 1.
            let several = ByteBuffer(
                bytes: [0x96, 0x11] + Array("avc1".utf8) + [0, 0, 0, 4, 0, 0, 0, 0xAA, 1, 0, 0, 4, 0, 0, 0, 0xBB])
            await encoder.send(RTMPMessage(type: .video, streamID: 1, timestamp: 40, body: several))
            let first = ByteBuffer(bytes: [0x91] + Array("avc1".utf8) + [0, 0, 0, 0xAA])
            let second = ByteBuffer(bytes: [0x96, 0x01] + Array("avc1".utf8) + [1, 0, 0, 0, 0xBB])
            try await eventually("both: \(player.videos)") { player.videos.suffix(2) == [first, second] }
            #expect(
                observer.packager.units.suffix(2) == [
                    .init(track: .video, milliseconds: 40, bytes: [0xAA]),
                    .init(track: TrackID(.video, number: 1), milliseconds: 40, bytes: [0xBB]),
                ])
        }
    }

    @Test(
        "What has come of a message that is not whole is counted by what it takes, until it is whole or its sender goes"
    )
    func undecodedInput() async throws {
        try await ServerScene.run { scene in
            let peer = try await scene.peer()
            try await eventually("nothing held") { scene.memory.used == 0 }
            await peer.send(ProtocolControlMessage.setChunkSize(8 << 20).message)
            let message = TestPeer.bytes(
                RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 100)))
            // The header of a message of 4 MiB, and three of them.
            var begun = ByteBuffer(bytes: message.readableBytesView.prefix(12))
            begun.setBytes([0x40, 0, 0], at: 4)
            begun.writeRepeatingByte(0, count: 3 << 20)
            await peer.send(begun)
            try await eventually("three mebibytes held: \(scene.memory.used)") { scene.memory.used >= 3 << 20 }
            #expect(scene.memory.used <= 8 << 20)
            // Another one's input is its own.
            let other = try await scene.peer()
            await other.send(ByteBuffer(bytes: begun.readableBytesView.prefix(1 << 20)))
            await peer.send(ByteBuffer(repeating: 0, count: 1 << 20))
            try await eventually("given back: \(scene.memory.used)") { scene.memory.used < 3 << 20 }
            await other.close()
            await peer.close()
            try await eventually("all given back: \(scene.memory.used)") { scene.memory.used == 0 }
        }
    }

    // MARK: Playing

    @Test("A player that switches to another stream gets that stream alone, and has left the first")
    func switching() async throws {
        try await ServerScene.run { scene in
            let first = try await scene.encoder("first")
            let second = try await scene.encoder("second")
            let player = try await scene.player("first")
            await player.command("play", "second", stream: 1)
            try await eventually("the second stream") { player.has("NetStream.Play.Start", times: 2) }
            let before = player.videos.count
            await first.keyframe(at: 40, mark: 1)
            await first.keyframe(at: 80, mark: 1)
            await second.keyframe(at: 40, mark: 2)
            try await eventually("its video") { player.videos.contains { $0.getBytes(at: 5, length: 1) == [2] } }
            #expect(!player.videos[before...].contains { $0.getBytes(at: 5, length: 1) == [1] })
            try await eventually("the first left") { await scene.report("first")?.viewers == 0 }
            #expect(await scene.report("second")?.viewers == 1)

            // The end of the first stream is no end for who plays the second.
            await first.command("deleteStream", 1)
            try await eventually("the first stream's end") { await scene.report("first") == nil }
            await second.keyframe(at: 80, mark: 3)
            try await eventually("more video") { player.videos.contains { $0.getBytes(at: 5, length: 1) == [3] } }
            #expect(!player.has("NetStream.Play.Stop"))
            await player.close()
            try await eventually("nobody left") { await scene.report("second")?.viewers == 0 }
        }
    }

    @Test("A connection that plays in a loop is one viewer with one session, and none when it goes")
    func playingInALoop() async throws {
        try await ServerScene.run { scene in
            let encoder = try await scene.encoder("paid")
            let ticket = try await scene.ticket("k", for: "paid")
            let player = try await scene.player("paid" + ticket)
            for round in 2...8 {
                await player.command("play", .string("paid" + ticket), stream: 1)
                try await eventually("play \(round): \(player.codes)") {
                    player.has("NetStream.Play.Start", times: round)
                }
            }
            try await eventually("one viewer") { await scene.report("paid")?.viewers == 1 }
            try await eventually("one session") { scene.admissions.sessionCount == 1 }
            await player.close()
            try await eventually("no viewer") { await scene.report("paid")?.viewers == 0 }
            try await eventually("no session") { scene.admissions.sessionCount == 0 }
            #expect(!encoder.isClosed)
        }
    }

    @Test("The ticket of a stream that a player has left takes nothing from it")
    func revocationOfALeftStream() async throws {
        try await ServerScene.run { scene in
            let encoder = try await scene.encoder("paid1")
            let other = try await scene.encoder("paid2")
            let tickets = (try await scene.ticket("k1", for: "paid1"), try await scene.ticket("k2", for: "paid2"))
            let player = try await scene.player("paid1" + tickets.0)
            await player.command("play", .string("paid2" + tickets.1), stream: 1)
            try await eventually("the switch") { player.has("NetStream.Play.Start", times: 2) }
            var left = try #require(try await scene.store.ticket(key: "k1"))
            left.isActive = false
            left.revision += 1
            scene.admissions.ticketChanged(left)
            await other.keyframe(at: 40, mark: 2)
            try await eventually("video") { player.videos.contains { $0.getBytes(at: 5, length: 1) == [2] } }
            #expect(!player.isClosed && !player.has("NetStream.Play.Failed") && !encoder.isClosed)
        }
    }

    // MARK: Peers that do not read

    /// Commands whose answers are longer than themselves: the name stands in them in its first 256 bytes.
    private static let questions: ByteBuffer = {
        let question = TestPeer.bytes(
            RTMPCommand("FCPublish", transactionID: 1, arguments: [.string(String(repeating: "x", count: 256))])
                .message(streamID: 0))
        var questions = ByteBuffer()
        for _ in 0..<16 { questions.writeImmutableBuffer(question) }
        return questions
    }()

    @Test("A peer that asks and does not read is closed, and little waits for it until then")
    func repliesAreBounded() async throws {
        try await ServerScene.run(slowPeer: .seconds(5), farewell: .zero) { scene in
            let peer = try await scene.peer(reads: false)
            try await eventually("its connection") { scene.server.connectionCount == 1 }
            // Answers of 8 MB: more than the kernel takes for it.
            for _ in 0..<1_250 { peer.offer(Self.questions) }
            var most = 0
            try await eventually("its end") {
                most = max(most, scene.memory.used)
                return scene.server.connectionCount == 0
            }
            #expect(most > 0)
            #expect(most <= 2 * ReplyBacklog.limit, "\(most)")
            #expect(scene.memory.used == 0)
            // Until here it has not gone by itself.
            await peer.close()
        }
    }

    @Test("A viewer that does not read is counted with what waits for it, and closed")
    func viewersThatDoNotRead() async throws {
        try await ServerScene.run(slowPeer: .seconds(5)) { scene in
            let encoder = try await scene.encoder("show")
            let viewer = try await scene.peer(reads: false)
            await viewer.command("createStream", transaction: 2)
            await viewer.command("play", "show", stream: 1)
            try await eventually("the viewer") { await scene.report("show")?.viewers == 1 }
            let streamAlone = scene.memory.used(by: 7)
            var time: UInt32 = 0
            // Until it is closed it is given more than it takes.
            var most = 0
            try await eventually("its end") {
                time += 40
                await encoder.keyframe(at: time, size: 50_000)
                most = max(most, scene.memory.used(by: 7))
                return await scene.report("show")?.viewers == 0
            }
            #expect(most > streamAlone)
            #expect(!encoder.isClosed)
        }
    }

    @Test("Replies that wait are counted, stop the reading, and are too much at last")
    func backlog() {
        var backlog = ReplyBacklog()
        let start = NIODeadline.uptimeNanoseconds(1)
        backlog.add(100, now: start)
        #expect(!backlog.stopsReading && !backlog.isOverLimit)
        // An encoder that never reads gets an acknowledgement now and then; that is no reason to leave it.
        #expect(!backlog.isStuck(for: .seconds(20), now: start + .hours(10)))
        backlog.add(ReplyBacklog.readingStops, now: start + .seconds(1))
        #expect(backlog.stopsReading && !backlog.isOverLimit)
        #expect(!backlog.isStuck(for: .seconds(20), now: start + .seconds(20)))
        #expect(backlog.isStuck(for: .seconds(20), now: start + .seconds(21)))
        backlog.remove(200)
        #expect(!backlog.stopsReading && !backlog.isStuck(for: .seconds(20), now: start + .seconds(60)))
        backlog.add(ReplyBacklog.limit, now: start)
        #expect(backlog.isOverLimit)
    }

    @Test("An encoder that never reads does not make acknowledgements pile up")
    func acknowledgements() throws {
        var session = ServerSession(now: .uptimeNanoseconds(1))
        func receive(_ bytes: ByteBuffer, acknowledges: Bool) throws -> ServerEvent? {
            try session.receive(bytes, now: .uptimeNanoseconds(2), acknowledges: acknowledges)
            return try session.nextEvent()
        }
        let handshake = ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 3_072))
        #expect(try receive(handshake, acknowledges: true) == nil)
        let connect = RTMPCommand("connect", transactionID: 1, object: .object(["app": "demo-origin"]))
        #expect(try receive(TestPeer.bytes(connect.message(streamID: 0)), acknowledges: true) != nil)
        session.acceptConnect()
        _ = session.takeOutput()
        let video = TestPeer.bytes(
            RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 100_000)))
        for _ in 0..<20 { #expect(try receive(video, acknowledges: false) == nil) }
        #expect(session.takeOutput() == nil)
        #expect(try receive(video, acknowledges: true) == nil)
        #expect(session.takeOutput() != nil)
    }

    // MARK: The last word

    @Test("An encoder that goes on sending while it is sent away reads why, and meets no reset")
    func dismissedWhileSending() async throws {
        try await ServerScene.run { scene in
            let encoder = try BlockingPeer(port: scene.server.port)
            encoder.send(BlockingPeer.publishing("show"))
            encoder.send(BlockingPeer.keyframe)
            try await eventually("the stream") { await scene.report("show")?.bytesReceived ?? 0 > 0 }
            #expect(await scene.stage.close(StreamAddress(app: "demo-origin", instance: "live", stream: "show")))
            // It is in the middle of sending and looks at answers later.
            let isTaken = (0..<40).allSatisfy { _ in encoder.send(BlockingPeer.keyframe) }
            #expect(isTaken)
            #expect(encoder.receiveToTheEnd().contains("NetStream.Unpublish.Success"))
        }
    }

    @Test("An encoder that sends before it hears that it is refused reads why, and meets no reset")
    func refusedWhileSending() async throws {
        try await ServerScene.run { scene in
            let encoder = try BlockingPeer(port: scene.server.port)
            encoder.send(BlockingPeer.publishing("no such name"))
            try await eventually("the answer") { encoder.hasSomethingToRead(of: "NetStream.Publish.BadName") }
            let isTaken = (0..<40).allSatisfy { _ in encoder.send(BlockingPeer.keyframe) }
            #expect(isTaken)
            #expect(encoder.receiveToTheEnd().contains("NetStream.Publish.BadName"))
        }
    }

    // MARK: Coming and going at the same time

    /// Does something to a stream while its encoder is being let in.
    private struct WhileEntering: StageObserver {
        let act: @Sendable (StreamHub) async -> Void

        func hubOpened(_ hub: StreamHub) async {}
        func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async { await act(hub) }
        func unpublished(_ hub: StreamHub, last publisher: Publisher) async {}
    }

    private final class Box<Value: Sendable>: Sendable {
        private let value = Mutex<Value?>(nil)
        func set(_ new: Value) { value.withLock { $0 = new } }
        var get: Value? { value.withLock { $0 } }
    }

    @Test("An encoder that is sent away while it is being let in hears of it")
    func dismissedWhileEntering() async throws {
        let stage = Box<Stage>()
        let observer = WhileEntering { hub in _ = await stage.get?.close(hub.address) }
        try await ServerScene.run(observer: observer) { scene in
            stage.set(scene.stage)
            let encoder = try await scene.peer()
            await encoder.command("createStream", transaction: 2)
            await encoder.command("publish", "show", "live", stream: 1)
            try await eventually("the end") { encoder.isClosed }
            #expect(!encoder.has("NetStream.Publish.Start"))
            #expect(encoder.has("NetStream.Unpublish.Success"), "\(encoder.codes)")
        }
    }

    /// Publishes with the login of the stream `mine`.
    private func publishMine(_ scene: ServerScene) async throws -> TestPeer {
        let peer = try await scene.peer()
        await peer.command("createStream", transaction: 2)
        await peer.command("publish", "mine?user=encoder&pass=secret", "live", stream: 1)
        try await eventually("an answer") { peer.codes.contains { $0.hasPrefix("NetStream.Publish") } }
        return peer
    }

    @Test("While an encoder sends, another one with its login is a second encoder, and is refused")
    func secondEncoder() async throws {
        try await ServerScene.run { scene in
            let first = try await publishMine(scene)
            await first.keyframe(at: 0)
            #expect(try await publishMine(scene).has("NetStream.Publish.BadName"))
            #expect(first.has("NetStream.Publish.Start") && !first.isClosed)
        }
    }

    @Test("An encoder that comes back replaces its own silent predecessor")
    func returningEncoder() async throws {
        try await ServerScene.run(returnAfter: .milliseconds(1)) { scene in
            let first = try await publishMine(scene)
            #expect(first.has("NetStream.Publish.Start"))
            // Silent for so long it is only a connection that the encoder has lost.
            try await eventually("the replacement") { try await publishMine(scene).has("NetStream.Publish.Start") }
            try await eventually("the first one's end") { first.isClosed }
            #expect(first.has("NetStream.Publish.BadName"))
        }
    }

    // MARK: Limits on what is written down

    @Test("A refused publish with long texts leaves a short row")
    func refusedWithLongTexts() async throws {
        try await ServerScene.run { scene in
            // A stream's name with its query may have 4 KiB.
            let long = String(repeating: "x", count: 2_000)
            let encoder = try await scene.peer(connect: ["flashVer": String(repeating: "x", count: 60_000)])
            await encoder.command("createStream", transaction: 2)
            await encoder.command("publish", .string(long + "?user=\(long)&pass=p"), "live", stream: 1)
            try await eventually("the refusal") { encoder.isClosed }
            #expect(encoder.has("NetStream.Publish.BadName"))
            func written() async throws -> OriginEvent? {
                try await scene.store.events(
                    accountID: 7, app: "demo-origin", stream: nil, limit: 10, offset: 0
                ).first
            }
            try await eventually("the row") { try await written() != nil }
            let row = try #require(try await written())
            #expect(row.stream.utf8.count <= 256 && row.user.utf8.count <= 256)
            #expect(row.metadata.values.allSatisfy { $0.utf8.count <= 256 })
        }
    }

    // MARK: Shutting down

    @Test("Clients that can are asked to connect anew before anybody is closed; the others are closed")
    func shutdown() async throws {
        try await ServerScene.run { scene in
            let encoder = try await scene.encoder("show")
            let enhanced = try await scene.peer(connect: ["capsEx": "1"])
            await scene.server.announceShutdown()
            await scene.stage.drain()
            async let count = scene.server.endConnections(within: .seconds(60))
            try await eventually("the request") { enhanced.has("NetConnection.Connect.ReconnectRequest") }
            try await eventually("the encoder's end") { encoder.isClosed }
            #expect(!enhanced.isClosed)
            await enhanced.close()
            // The encoder may have gone before the counting.
            #expect(await count >= 1)
        }
    }
}

/// Attaches a packager to every stream.
private struct PackagingObserver: StageObserver {
    let packager = UnitNotes()

    func hubOpened(_ hub: StreamHub) async { hub.attach(packager) }
    func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {}
    func unpublished(_ hub: StreamHub, last publisher: Publisher) async {}
}

/// A packager that notes the access units it gets.
private final class UnitNotes: StreamPackager {
    struct Unit: Equatable {
        var track: TrackID
        var milliseconds: Int64
        var bytes: [UInt8]
    }

    private let noted = Mutex<[Unit]>([])
    var units: [Unit] { noted.withLock { $0 } }

    func receive(_ sample: StreamSample, wallClock: Int64) {
        guard case .accessUnit(let unit) = sample.content else { return }
        let noted = Unit(
            track: sample.track, milliseconds: unit.decodeTime.milliseconds,
            bytes: Array(unit.payload.readableBytesView))
        self.noted.withLock { $0.append(noted) }
    }

    func tracksChanged(_ tracks: TrackSet) {}
    func discontinuity() {}
    func publisherLost() {}
    func streamEnded() {}
}
