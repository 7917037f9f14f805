import Basics
import Foundation
import HLS
import Live
import NIOCore
import TestSupport
import Testing

@testable import Delivery

/// Streams that one process packages and another goes on with.
@Suite struct SavedStreamsTests {
    private let address = TestStage.address
    private let file: FLVFile

    init() throws {
        file = try FLVFile.sample()
    }

    /// What a process leaves, as the next one reads it.
    private func leave(_ test: TestStage) async throws -> (SavedStreams, ByteBuffer) {
        await test.outputs.continueElsewhere()
        await test.stage.drain()
        var pieces: [ByteBuffer] = []
        let saved = test.outputs.save(blobs: &pieces)
        var blobs = ByteBuffer()
        for piece in pieces { blobs.writeImmutableBuffer(piece) }
        return (try JSONDecoder().decode(SavedStreams.self, from: JSONEncoder().encode(saved)), blobs)
    }

    private func restore(_ left: (SavedStreams, ByteBuffer), in test: TestStage) async throws -> Int {
        try await test.outputs.restore(
            left.0, blobs: left.1, on: test.loop, meters: test.meters, window: .seconds(30))
    }

    @Test("a stream whose publisher comes back to the next process goes on in its playlist")
    func goesOn() async throws {
        let store = MemoryStore()
        let first = await TestStage(store: store)
        try await first.send(file, to: try await first.publish(), until: 3_500)
        let left = try await leave(first)
        let before = try #require(first.mediaPlaylist())
        #expect(!before.contains("ENDLIST") && segments(in: before).count == 4)

        let second = await TestStage(store: store)
        #expect(try await restore(left, in: second) == 1)
        #expect(second.mediaPlaylist() == before)
        #expect(second.outputs.file(.segment(2, .fragmentedMP4), at: address) != nil)
        #expect(second.memory.used > 30_000)
        // Whoever waits for what comes next has it with the publisher's return.
        let part = Alarm()
        let identity: ObjectIdentifier
        do {
            let output = try #require(second.outputs.output(at: address))
            identity = ObjectIdentifier(output)
            let hint = try #require(output.current?.snapshot.open?.hint)
            output.held.add(.file(hint), on: second.loop, for: .seconds(10), limit: 10, current: { output.current }) {
                part.ring()
            }
        }
        await second.loop.advanceTime(by: .seconds(9))
        let publication = try await second.publish()
        try await second.send(file, to: publication, until: 2_500)
        await part.wait()
        let after = try #require(second.mediaPlaylist())
        #expect(segments(in: after) == (1...6).map { "media_\($0).m4s" })
        // The first one stands before the stream's first segment.
        #expect(after.components(separatedBy: "#EXT-X-DISCONTINUITY\n").count == 3)
        #expect(number("EXT-X-MEDIA-SEQUENCE", in: after) == 1)
        #expect(second.outputs.output(at: address).map { ObjectIdentifier($0) } == identity)
        // Nobody waits for it any more.
        await second.loop.advanceTime(by: .seconds(60))
        #expect(second.outputs.output(at: address)?.isEnded == false)
        try await second.end(publication)
        #expect(second.mediaPlaylist()?.hasSuffix("#EXT-X-ENDLIST\n") == true)
        await second.loop.advanceTime(by: .seconds(120))
        #expect(second.outputs.count == 0)
        try await eventually { second.memory.used == 0 }
        // The numbers are still those that the store knows.
        #expect(store.reserved("hls/\(address)") == 1_000)
    }

    @Test(
        "a stream whose publisher does not come back ends when his time is over, and stays for as long as any that has ended"
    )
    func staysAway() async throws {
        let first = await TestStage()
        try await first.send(file, to: try await first.publish(), until: 3_500)
        let left = try await leave(first)
        let second = await TestStage()
        #expect(try await restore(left, in: second) == 1)
        await second.loop.advanceTime(by: .seconds(29))
        #expect(second.mediaPlaylist()?.contains("ENDLIST") == false)
        await second.loop.advanceTime(by: .seconds(2))
        #expect(second.mediaPlaylist()?.hasSuffix("#EXT-X-ENDLIST\n") == true)
        await second.loop.advanceTime(by: .seconds(58))
        #expect(second.outputs.count == 1)
        await second.loop.advanceTime(by: .seconds(3))
        #expect(second.outputs.count == 0)
    }

    @Test("a process that ends before the publisher has come back leaves the stream to the one after it")
    func twice() async throws {
        let first = await TestStage()
        try await first.send(file, to: try await first.publish(), until: 3_500)
        let before = first.mediaPlaylist()
        let second = await TestStage()
        #expect(try await restore(try await leave(first), in: second) == 1)
        let third = await TestStage()
        #expect(try await restore(try await leave(second), in: third) == 1)
        let publication = try await third.publish()
        try await third.send(file, to: publication, until: 1_500)
        #expect(segments(in: third.mediaPlaylist()).count == segments(in: before).count + 2)
    }

    @Test(
        "a stream that has ended is there for the next process's viewers, and another account's publication is another one"
    )
    func endedAndOthers() async throws {
        let other = StreamAddress(app: "demo-origin", instance: "live", stream: "other")
        let first = await TestStage()
        let publication = try await first.publish()
        try await first.send(file, to: publication, until: 2_500)
        try await first.end(publication)
        let ended = first.mediaPlaylist()
        try await first.send(file, to: try await first.publish(other), until: 2_500)
        let left = try await leave(first)

        let second = await TestStage()
        #expect(try await restore(left, in: second) == 1)
        #expect(second.mediaPlaylist() == ended)
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: Date())
        ) { _ in }
        let taken = try await second.stage.publish(
            other, accountID: 2, settings: HubSettings(reconnectWindow: .zero), publisher: publisher, on: second.loop)
        #expect(second.outputs.output(at: other)?.current == nil)
        try await second.send(file, to: taken, until: 1_500)
        #expect(number("EXT-X-MEDIA-SEQUENCE", in: second.mediaPlaylist(other)) ?? 0 >= 4)
    }

    @Test("when it is to be packaged in another way the stream begins anew, past all numbers that were used")
    func anotherConfiguration() async throws {
        let store = MemoryStore()
        let first = await TestStage(store: store)
        try await first.send(file, to: try await first.publish(), until: 3_500)
        let left = try await leave(first)
        let longer = SegmenterConfiguration(segmentDuration: .init(milliseconds: 2_000), window: 120)
        let second = await TestStage(store: store, configuration: DeliveryConfiguration(segmenter: longer))
        #expect(try await restore(left, in: second) == 0)
        #expect(second.outputs.count == 0)
        try await eventually { second.memory.used == 0 }
        try await second.send(file, to: try await second.publish(), until: 3_500)
        #expect(number("EXT-X-MEDIA-SEQUENCE", in: second.mediaPlaylist()) == 1_001)
    }
}
