import Basics
import Foundation
import HLS
import Live
import Logging
import Media
import NIOCore
import NIOEmbedded
import Storage
import Testing
import TestSupport

@testable import Delivery

/// A stage with HLS packaging on an event loop whose time stands still.
struct TestStage {
    let stage: Stage
    let outputs: OutputTable
    let memory: MemoryBudget
    let meters = DeliveryMeters()
    let loop = NIOAsyncTestingEventLoop()

    static let address = StreamAddress(app: "demo-origin", instance: "live", stream: "mystream")

    /// Segments of a second, all of them listed.
    static let segmenter = SegmenterConfiguration(segmentDuration: MediaTime(milliseconds: 1_000), window: 120)

    init(
        store: any SequenceStore & StreamStore = MemoryStore(),
        configuration: DeliveryConfiguration = DeliveryConfiguration(segmenter: segmenter),
        memory ceiling: Int = 1 << 30
    ) async {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        memory = MemoryBudget(ceiling: ceiling)
        stage = Stage(memory: memory, logger: logger, meters: meters)
        outputs = OutputTable(configuration: configuration, store: store, memory: memory, logger: logger)
        await stage.add(outputs)
    }

    func publish(_ address: StreamAddress = address, settings: HubSettings = HubSettings(reconnectWindow: .zero))
        async throws
        -> Publication
    {
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: Date())
        ) { _ in }
        return try await stage.publish(address, accountID: 1, settings: settings, publisher: publisher, on: loop)
    }

    /// Sends tags that are at or past `from` and before `until`, in milliseconds; sequence headers always.
    func send(
        _ file: FLVFile, to publication: Publication, from: Int64 = 0, until: Int64 = .max
    ) async throws {
        for tag in file.tags where tag.isHeader || (tag.timestamp >= from && tag.timestamp < until) {
            publication.send(
                StreamSample(tag.type == .video ? .video : .audio, timestamp: tag.timestamp, body: tag.body))
        }
        try await settle()
    }

    /// Bytes that HLS viewers were sent since the last call.
    func delivered() -> Int {
        var bytes = 0
        meters.take { _, hls, _ in bytes += Int(hls) }
        return bytes
    }

    /// Returns when the event loop has done what it was given.
    func settle() async throws {
        try await loop.submit {}.get()
    }

    func end(_ publication: Publication) async throws {
        publication.end(isOrderly: true)
        try await settle()
        // The stage hears of it in a task of its own.
        let address = publication.hub.address
        try await eventually { await stage.hub(at: address) == nil }
    }

    func mediaPlaylist(_ address: StreamAddress = address) -> String? {
        outputs.output(at: address)?.current.map { String(buffer: $0.snapshot.mediaPlaylist()) }
    }
}

/// The number after a playlist's tag.
func number(_ tag: String, in playlist: String?) -> Int64? {
    playlist?.split(separator: "\n").first { $0.hasPrefix("#\(tag):") }.flatMap { Int64($0.dropFirst(tag.count + 2)) }
}

/// The names of the segments in a playlist.
func segments(in playlist: String?) -> [String] {
    (playlist ?? "").split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
}
