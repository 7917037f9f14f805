import NIOCore

/// One whole RTMP message, reassembled from its chunks.
public struct RTMPMessage: Sendable, Hashable {
    public var type: RTMPMessageType
    /// The message stream it belongs to; 0 for the connection itself.
    public var streamID: UInt32
    /// The chunk stream it came on (2…65,599). Without meaning beyond that.
    public var chunkStreamID: UInt32
    /// Milliseconds modulo 2³²; see ``TimestampUnwrapper``.
    public var timestamp: UInt32
    public var body: ByteBuffer

    public init(
        type: RTMPMessageType, streamID: UInt32, chunkStreamID: UInt32? = nil, timestamp: UInt32 = 0,
        body: ByteBuffer
    ) {
        self.type = type
        self.streamID = streamID
        self.chunkStreamID = chunkStreamID ?? UInt32(type.outgoingChunkStreamID)
        self.timestamp = timestamp
        self.body = body
    }
}
