import Basics
import Logging
import Media
import NIOCore
import NIOEmbedded
import RTMP
import Synchronization

@testable import Live

/// A hub on an embedded event loop, and somebody who publishes to it.
final class HubBench {
    let loop = EmbeddedEventLoop()
    let hub: StreamHub
    let dismissals = Dismissals()
    let endings = Counter()
    private(set) var publisher: Publisher

    init(_ settings: HubSettings = HubSettings()) {
        publisher = HubBench.publisher(dismissals)
        let endings = endings
        hub = StreamHub(
            address: StreamAddress(app: "demo-origin", instance: "live", stream: "s"), accountID: 1, settings: settings,
            eventLoop: loop, memory: MemoryBudget(ceiling: 1 << 30), logger: Logger(label: "test")
        ) { _, _ in endings.add() }
    }

    private static func publisher(_ dismissals: Dismissals) -> Publisher {
        Publisher(
            info: PublisherInfo(address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: .now)
        ) { dismissals.note($0) }
    }

    /// The first publisher, or another one.
    func publish() throws {
        publisher = HubBench.publisher(dismissals)
        try hub.begin(publisher)
    }

    /// AVC header, AAC header.
    func headers(at milliseconds: Int64 = 0, profile: UInt8 = 0x42) {
        send(.video, milliseconds, HubBench.videoHeader(profile: profile))
        send(.audio, milliseconds, HubBench.audioHeader)
    }

    static func videoHeader(profile: UInt8 = 0x42) -> ByteBuffer {
        // 128×96, one SPS and one PPS.
        TagBuilder.sequenceHeader(
            .avc,
            record: ByteBuffer(bytes: [
                1, profile, 0xC0, 0x0A, 0xFF, 0xE1, 0, 9, 0x67, profile, 0xC0, 0x0A, 0xDA, 0x08, 0x19, 0x90, 0x00, 1, 0,
                4,
                0x68, 0xCE, 0x3C, 0x80,
            ]))
    }

    static let audioHeader = TagBuilder.sequenceHeader(.aac, record: ByteBuffer(bytes: [0x12, 0x10]))

    func picture(_ milliseconds: Int64, isKeyframe: Bool = false, size: Int = 100) {
        send(frame(milliseconds, isKeyframe: isKeyframe, size: size))
    }

    func frame(_ milliseconds: Int64, isKeyframe: Bool = false, size: Int = 100) -> StreamSample {
        let unit = AccessUnit(
            codec: .video(.avc), decodeTime: .zero, isKeyframe: isKeyframe,
            payload: ByteBuffer(repeating: isKeyframe ? 1 : 2, count: size))
        return StreamSample(.video, timestamp: milliseconds, body: TagBuilder.codedFrames(unit))
    }

    /// `onMetaData`.
    func metadata(at milliseconds: Int64) {
        let message = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.object(["width": 128])])
        send(
            StreamSample(
                .data, timestamp: milliseconds, body: message.body, metadata: message.metadata.map { .object($0) }))
    }

    func sound(_ milliseconds: Int64) {
        let unit = AccessUnit(
            codec: .audio(.aac), decodeTime: .zero, isKeyframe: true, payload: ByteBuffer(repeating: 3, count: 20))
        send(.audio, milliseconds, TagBuilder.codedFrames(unit))
    }

    func send(_ kind: TrackID.Kind, _ milliseconds: Int64, _ body: ByteBuffer) {
        send(StreamSample(kind, timestamp: milliseconds, body: body))
    }

    func send(_ sample: StreamSample) {
        hub.receive(sample, from: publisher.id)
        hub.readComplete()
    }

    /// A viewer on a channel of the hub's event loop.
    /// - Parameter holdsWrites: its socket takes nothing until `letWritesGo`.
    func viewer(messageStreamID: UInt32 = 1, timestampsFromZero: Bool = false, holdsWrites: Bool = false)
        -> BenchViewer
    {
        let viewer = BenchViewer(
            loop: loop, messageStreamID: messageStreamID, timestampsFromZero: timestampsFromZero,
            holdsWrites: holdsWrites)
        viewer.isAttached = hub.add(viewer.reader)
        return viewer
    }
}

/// A viewer and what was written to it, as messages.
final class BenchViewer {
    struct Message: Equatable {
        var type: UInt8
        var timestamp: UInt32
        var isKeyframe: Bool
        var isHeader: Bool
        var streamID: UInt32
    }

    let channel: EmbeddedChannel
    let reader: RTMPSubscriber
    var isAttached = false
    private(set) var ending: RTMPSubscriber.Ending?
    private var decoder = ChunkDecoder(limits: RTMPLimits())
    private let held: HeldWrites?

    /// What a socket has not taken yet.
    private final class HeldWrites: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private var context: ChannelHandlerContext?
        private var writes: [(NIOAny, EventLoopPromise<Void>?)] = []

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
        func flush(context: ChannelHandlerContext) {}
        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            writes.append((data, promise))
        }
        func letGo() {
            for (data, promise) in writes { context?.write(data, promise: promise) }
            writes.removeAll()
            context?.flush()
        }
    }

    init(
        loop: EmbeddedEventLoop, messageStreamID: UInt32, timestampsFromZero: Bool = false, holdsWrites: Bool = false
    ) {
        channel = EmbeddedChannel(loop: loop)
        held = holdsWrites ? HeldWrites() : nil
        if let held { try? channel.pipeline.syncOperations.addHandler(held) }
        reader = RTMPSubscriber(
            role: .viewer, channel: channel, messageStreamID: messageStreamID,
            timestampsFromZero: timestampsFromZero)
        reader.onEnd = { [weak self] in self?.ending = $0 }
        // What a session says first: the chunk size that the shared bytes are made for.
        var announcement = ByteBuffer()
        var encoder = ChunkEncoder()
        encoder.setChunkSize(RTMP.outgoingChunkSize, into: &announcement)
        try? decoder.receive(announcement, now: .now())
        _ = try? decoder.next()
    }

    func letWritesGo() { held?.letGo() }

    /// The bodies of everything written since the last call.
    func bodies() throws -> [ByteBuffer] {
        var bodies: [ByteBuffer] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            try decoder.receive(bytes, now: .now())
            while let message = try decoder.next() { bodies.append(message.body) }
        }
        return bodies
    }

    /// Everything written since the last call.
    func received() throws -> [Message] {
        var messages: [Message] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            try decoder.receive(bytes, now: .now())
            while let message = try decoder.next() {
                let body = Array(message.body.readableBytesView)
                messages.append(
                    Message(
                        type: message.type.rawValue, timestamp: message.timestamp,
                        isKeyframe: message.type == .video && body[0] >> 4 == 1 && body[1] == 1,
                        isHeader: message.type == .video || message.type == .audio ? body[1] == 0 : false,
                        streamID: message.streamID))
            }
        }
        return messages
    }
}

final class Dismissals: Sendable {
    private let all = Mutex<[PublisherEnding]>([])
    func note(_ ending: PublisherEnding) { all.withLock { $0.append(ending) } }
    var list: [PublisherEnding] { all.withLock { $0 } }
}

final class Counter: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
}

/// A packager that writes down what it is told.
final class NotingPackager: StreamPackager {
    enum Note: Equatable {
        case tracks(video: Bool, audio: Bool)
        case unit(milliseconds: Int64, isVideo: Bool)
        case discontinuity, lost, ended
    }

    private let notes = Mutex<[Note]>([])
    var list: [Note] { notes.withLock { $0 } }
    private func note(_ note: Note) { notes.withLock { $0.append(note) } }

    func tracksChanged(_ tracks: TrackSet) { note(.tracks(video: tracks.video != nil, audio: tracks.audio != nil)) }
    func receive(_ sample: StreamSample, wallClock: Int64) {
        guard case .accessUnit(let unit) = sample.content else { return }
        note(.unit(milliseconds: unit.decodeTime.milliseconds, isVideo: unit.codec.isVideo))
    }
    func discontinuity() { note(.discontinuity) }
    func publisherLost() { note(.lost) }
    func streamEnded() { note(.ended) }
}
