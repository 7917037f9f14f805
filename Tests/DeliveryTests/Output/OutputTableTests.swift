import Basics
import HLS
import Live
import Media
import NIOCore
import Storage
import Testing
import TestSupport

@testable import Delivery

@Suite struct OutputTableTests {
    private let address = TestStage.address
    private let file: FLVFile

    init() throws {
        file = try FLVFile.sample()
    }

    @Test("a stream is there at once, its playlist from the first segment on, and grows")
    func growth() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        let output = try #require(test.outputs.output(at: address))
        #expect(output.current == nil)
        try await test.send(file, to: publication, until: 900)
        #expect(output.current == nil)
        try await test.send(file, to: publication, from: 900, until: 1_100)
        #expect(segments(in: test.mediaPlaylist()) == ["media_1.m4s"])
        try await test.send(file, to: publication, from: 1_100, until: 3_100)
        #expect(segments(in: test.mediaPlaylist()) == ["media_1.m4s", "media_2.m4s", "media_3.m4s"])
        #expect(test.memory.used > 0)
    }

    @Test("an ended stream stays with its ENDLIST, then goes, and its memory with it")
    func linger() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        try await test.send(file, to: publication)
        try await test.end(publication)
        let playlist = try #require(test.mediaPlaylist())
        #expect(segments(in: playlist).count == 8)
        #expect(playlist.hasSuffix("#EXT-X-ENDLIST\n"))
        #expect(test.outputs.file(.segment(8, .fragmentedMP4), at: address) != nil)
        #expect(test.memory.used > 80_000)
        await test.loop.advanceTime(by: .seconds(59))
        #expect(test.outputs.output(at: address) != nil)
        await test.loop.advanceTime(by: .seconds(2))
        #expect(test.outputs.output(at: address) == nil)
        #expect(test.outputs.file(.segment(8, .fragmentedMP4), at: address) == nil)
        #expect(test.outputs.count == 0)
        try await eventually { test.memory.used == 0 }
    }

    @Test("a stream that ends without a segment leaves nothing")
    func empty() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        try await test.end(publication)
        #expect(test.outputs.count == 0)
    }

    @Test("a stream published again goes on with its numbers; the life before stays fetchable for its time")
    func republish() async throws {
        let test = await TestStage()
        let first = try await test.publish()
        try await test.send(file, to: first, until: 3_100)
        try await test.end(first)
        #expect(segments(in: test.mediaPlaylist()) == (1...4).map { "media_\($0).m4s" })
        let second = try await test.publish()
        #expect(test.mediaPlaylist() == nil)
        try await test.send(file, to: second, until: 2_100)
        let playlist = test.mediaPlaylist()
        #expect(segments(in: playlist) == ["media_5.m4s", "media_6.m4s"])
        #expect(number("EXT-X-MEDIA-SEQUENCE", in: playlist) == 5)
        #expect(playlist?.contains("#EXT-X-DISCONTINUITY\n") == true)
        #expect(playlist?.contains("ENDLIST") == false)
        #expect(test.outputs.file(.segment(2, .fragmentedMP4), at: address) != nil)
        await test.loop.advanceTime(by: .seconds(61))
        #expect(test.outputs.file(.segment(2, .fragmentedMP4), at: address) == nil)
        #expect(test.outputs.file(.segment(5, .fragmentedMP4), at: address) != nil)
    }

    @Test("media and discontinuity sequence never go back over a restart")
    func restart() async throws {
        let store = MemoryStore()
        var last: (media: Int64, discontinuity: Int64) = (0, 0)
        for _ in 0..<3 {
            let test = await TestStage(store: store)
            let publication = try await test.publish()
            try await test.send(file, to: publication)
            let playlist = test.mediaPlaylist()
            let media = try #require(number("EXT-X-MEDIA-SEQUENCE", in: playlist))
            let discontinuity = try #require(number("EXT-X-DISCONTINUITY-SEQUENCE", in: playlist))
            #expect(media > last.media)
            #expect(discontinuity > last.discontinuity)
            // Seven segments are in it and a discontinuity stands before the first.
            last = (media + 6, discontinuity + 1)
        }
        #expect(store.reserved("hls/demo-origin/live/mystream") == 3_000)
    }

    @Test("the next numbers are reserved in the background at half of the first")
    func secondBlock() async throws {
        let store = MemoryStore()
        let test = await TestStage(
            store: store, configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, sequenceBlock: 10))
        let publication = try await test.publish()
        try await test.send(file, to: publication, until: 3_100)
        #expect(store.reserved("hls/demo-origin/live/mystream") == 10)
        try await test.send(file, to: publication, from: 3_100)
        try await eventually { store.reserved("hls/demo-origin/live/mystream") == 20 }
    }

    @Test("when the store cannot give numbers it is asked again, and the stream is packaged from then on")
    func storeFails() async throws {
        let store = MemoryStore()
        store.failReservations(1)
        let test = await TestStage(store: store)
        let publication = try await test.publish()
        try await test.send(file, to: publication, until: 1_100)
        try await eventually { store.reserved("hls/demo-origin/live/mystream") == 1_000 }
        // The answer comes back to the event loop after the store has it.
        try await eventually {
            try? await test.send(file, to: publication, from: 1_900, until: 3_100)
            return test.mediaPlaylist() != nil
        }
        #expect(segments(in: test.mediaPlaylist()).first == "media_1.m4s")
    }

    @Test("a stream's own playlist length goes before the configured one")
    func playlistCount() async throws {
        let store = MemoryStore()
        _ = try await store.upsertStream(
            StreamSettings(
                accountID: 1, app: address.app, stream: address.stream, playlistCount: 4, created: .distantPast))
        let test = await TestStage(store: store)
        let publication = try await test.publish()
        try await test.send(file, to: publication)
        #expect(segments(in: test.mediaPlaylist()) == (4...7).map { "media_\($0).m4s" })
    }

    @Test("the number of streams is bounded: ended ones give way, live ones do not")
    func bound() async throws {
        let test = await TestStage(
            configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, maximumOutputs: 1))
        let other = StreamAddress(app: "demo-origin", instance: "live", stream: "other")
        let first = try await test.publish()
        try await test.send(file, to: first)
        let refused = try await test.publish(other)
        #expect(test.outputs.output(at: other) == nil)
        try await test.end(refused)
        try await test.end(first)
        _ = try await test.publish(other)
        #expect(test.outputs.output(at: other) != nil)
        #expect(test.outputs.output(at: address) == nil)
    }

    @Test("when memory is short, ended streams go before their time")
    func memory() async throws {
        let test = await TestStage(memory: 1)
        let publication = try await test.publish()
        try await test.send(file, to: publication)
        #expect(test.outputs.count == 1)
        try await test.end(publication)
        #expect(test.outputs.count == 0)
        try await eventually { test.memory.used == 0 }
    }

    @Test("a publisher that is lost leaves viewers all there was, and goes on after a discontinuity")
    func recovery() async throws {
        let test = await TestStage()
        let settings = HubSettings(reconnectWindow: .seconds(30))
        let first = try await test.publish(settings: settings)
        try await test.send(file, to: first, until: 1_500)
        #expect(segments(in: test.mediaPlaylist()).count == 1)
        first.end(isOrderly: false)
        try await test.settle()
        #expect(segments(in: test.mediaPlaylist()).count == 2)
        #expect(test.mediaPlaylist()?.contains("ENDLIST") == false)
        let second = try await test.publish(settings: settings)
        try await test.send(file, to: second, until: 1_100)
        let playlist = test.mediaPlaylist()
        #expect(segments(in: playlist) == (1...3).map { "media_\($0).m4s" })
        #expect(playlist?.contains("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME") == true)
    }

    @Test("A segment that a reader still holds is counted until the reader lets go of it")
    func heldByAReader() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        try await test.send(file, to: publication)
        var held = test.outputs.file(.segment(1, .fragmentedMP4), at: address)?.bytes.getSlice(at: 0, length: 188)
        let size = try #require(test.outputs.file(.segment(1, .fragmentedMP4), at: address)?.bytes.readableBytes)
        try await test.end(publication)
        await test.loop.advanceTime(by: .seconds(61))
        #expect(test.outputs.count == 0)
        try await eventually { test.memory.used == size }
        #expect(held?.readableBytes == 188)
        held = nil
        try await eventually { test.memory.used == 0 }
    }

    @Test("What is kept of a stream costs no more memory than its bytes and the segment being written")
    func ownSize() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        try await test.send(file, to: publication)
        let playlist = try #require(test.outputs.output(at: address)?.current)
        let storage = playlist.snapshot.listed.reduce(0) { $0 + $1.bytes.storageCapacity }
        let bytes = playlist.snapshot.listed.reduce(0) { $0 + $1.bytes.readableBytes }
        #expect(storage == bytes)
        #expect(test.memory.used(by: 1) >= bytes)
    }

    @Test("When memory is short, a live playlist becomes as short as it may be, and longer again afterwards")
    func shortPlaylist() async throws {
        let ceiling = 1 << 30
        let test = await TestStage(memory: ceiling)
        let publication = try await test.publish()
        try await test.send(file, to: publication, until: 5_100)
        #expect(segments(in: test.mediaPlaylist()).count == 5)
        let others = ceiling / 100 * 92
        test.memory.change(by: others)
        try await test.send(file, to: publication, from: 5_100, until: 6_100)
        // Three segments of a second are three target durations. (The headers that are sent again break no segment.)
        #expect(segments(in: test.mediaPlaylist()) == (4...6).map { "media_\($0).m4s" })
        #expect(test.outputs.file(.segment(2, .fragmentedMP4), at: address) == nil)
        test.memory.change(by: -others)
        try await test.send(file, to: publication, from: 6_100, until: 7_100)
        #expect(segments(in: test.mediaPlaylist()) == (4...7).map { "media_\($0).m4s" })
    }
}
