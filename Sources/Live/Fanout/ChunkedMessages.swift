import Media
import NIOCore
import RTMP

/// A run of messages in RTMP chunks, written once and shared by every viewer and push.
///
/// Each message begins with a full (type 0) header, so the bytes depend on nothing that a connection sent before. They are
/// made for message stream id 1, which is what nearly every peer uses; others get a patched copy.
public struct ChunkedMessages: Sendable {
    public struct Entry: Sendable {
        public var kind: TrackID.Kind
        public var offset: Int
        public var length: Int
    }

    /// Which kinds a viewer takes (`receiveAudio`, `receiveVideo`).
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

    public static let messageStreamID: UInt32 = 1
    /// Where a type 0 header holds the message stream id (§5.3.1.2.1): basic header 1, timestamp 3, length 3, type 1.
    private static let messageStreamIDOffset = 8

    public private(set) var bytes: ByteBuffer
    public private(set) var entries: [Entry]

    public init(capacity: Int = 0, messages: Int = 0) {
        bytes = ByteBufferAllocator().buffer(capacity: capacity)
        entries = []
        entries.reserveCapacity(messages)
    }

    public mutating func append(_ message: StreamSample, timestamp: MediaTime? = nil) {
        let offset = bytes.writerIndex
        let isWritten = SharedChunks.encode(
            message.type, timestamp: UInt32(truncatingIfNeeded: (timestamp ?? message.timestamp).milliseconds),
            messageStreamID: ChunkedMessages.messageStreamID, body: message.body, into: &bytes)
        guard isWritten else { return }
        entries.append(Entry(kind: message.kind, offset: offset, length: bytes.writerIndex - offset))
    }

    /// The shared bytes, or a copy made for another message stream id or without what the filter leaves out.
    public func bytes(messageStreamID: UInt32, filter: Filter) -> ByteBuffer {
        guard messageStreamID != ChunkedMessages.messageStreamID || !filter.isEverything else { return bytes }
        var copy = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
        for entry in entries where filter.takes(entry.kind) {
            guard let slice = bytes.getSlice(at: entry.offset, length: entry.length) else { continue }
            let start = copy.writerIndex
            copy.writeImmutableBuffer(slice)
            copy.setInteger(
                messageStreamID, at: start + ChunkedMessages.messageStreamIDOffset, endianness: .little, as: UInt32.self
            )
        }
        return copy
    }
}
