import Media
import NIOCore
import RTMP

/// A run of messages in RTMP chunks, written once and shared by every viewer and push.
///
/// Each message begins with a full (type 0) header, so the bytes depend on nothing that a connection sent before. They are
/// made for message stream id 1 and for the stream's own timestamps, which is what nearly every peer takes; others, those who
/// take FLV among them, get a copy made for them.
public struct ChunkedMessages: Sendable {
    struct Entry: Sendable {
        var kind: TrackID.Kind
        var timestamp: UInt32
        var offset: Int
        var length: Int
        var bodyLength: Int
    }

    /// Which kinds a subscriber takes (`receiveAudio`, `receiveVideo`).
    public struct Filter: Sendable, Hashable {
        public var audio = true
        public var video = true

        public init() {}

        public var isEverything: Bool { audio && video }

        func takes(_ kind: TrackID.Kind) -> Bool {
            switch kind {
            case .audio: audio
            case .video: video
            case .data: true
            }
        }
    }

    /// For whom bytes are made.
    struct Form: Sendable, Hashable {
        var format = RTMPSubscriber.Format.chunks
        var messageStreamID: UInt32 = ChunkedMessages.messageStreamID
        var filter = Filter()
        /// Subtracted from every timestamp.
        var timeBase: UInt32 = 0

        /// The shared bytes fit as they are.
        var isShared: Bool {
            format == .chunks && messageStreamID == ChunkedMessages.messageStreamID && filter.isEverything
                && timeBase == 0
        }
    }

    static let messageStreamID: UInt32 = 1

    public private(set) var bytes: ByteBuffer
    private(set) var entries: [Entry] = []

    /// Chunks samples into storage of just the size they take. Those that have no body yet get it here.
    /// - Parameter time: instead of the samples' own.
    init(_ samples: ArraySlice<StreamSample>, at time: MediaTime? = nil) {
        var samples = samples
        for index in samples.indices where samples[index].body == nil { samples[index].makeBody() }
        let capacity = samples.reduce(0) { total, sample in
            guard let body = sample.body else { return total }
            return total
                + SharedChunks.encodedSize(
                    bodySize: body.readableBytes, timestamp: sample.rtmpTimestamp(at: time ?? sample.time),
                    chunkSize: RTMP.outgoingChunkSize)
        }
        bytes = CountedStorage.buffer(capacity: capacity)
        entries.reserveCapacity(samples.count)
        for sample in samples { append(sample, at: time ?? sample.time) }
    }

    private mutating func append(_ sample: StreamSample, at time: MediaTime) {
        guard let body = sample.body else { return }
        let offset = bytes.writerIndex
        let timestamp = sample.rtmpTimestamp(at: time)
        let isWritten = SharedChunks.encode(
            sample.rtmpType, timestamp: timestamp, messageStreamID: ChunkedMessages.messageStreamID, body: body,
            into: &bytes)
        guard isWritten else { return }
        entries.append(
            Entry(
                kind: sample.track.kind, timestamp: timestamp, offset: offset, length: bytes.writerIndex - offset,
                bodyLength: body.readableBytes))
    }

    /// What it holds in memory, by capacity.
    var heldBytes: Int {
        bytes.storageCapacity + entries.count * MemoryLayout<Entry>.stride
    }

    /// The shared bytes, or a copy in another form.
    func bytes(in form: Form) -> ByteBuffer {
        guard !form.isShared else { return bytes }
        let taken = entries.lazy.filter { form.filter.takes($0.kind) }
        let isFLV = form.format == .flv
        var copy = CountedStorage.buffer(
            capacity: taken.reduce(0) { $0 + (isFLV ? $1.bodyLength + SharedChunks.tagOverhead : $1.length) })
        for entry in taken {
            // What carries 0, such as onMetaData, or lies before the base, stays at 0.
            let isBefore = Int32(bitPattern: entry.timestamp &- form.timeBase) < 0 || entry.timestamp == 0
            let timestamp = form.timeBase == 0 ? entry.timestamp : isBefore ? 0 : entry.timestamp &- form.timeBase
            guard let message = bytes.getSlice(at: entry.offset, length: entry.length) else { continue }
            if isFLV {
                SharedChunks.copyAsTag(message, timestamp: timestamp, into: &copy)
            } else {
                SharedChunks.copy(message, timestamp: timestamp, messageStreamID: form.messageStreamID, into: &copy)
            }
        }
        return copy
    }
}
