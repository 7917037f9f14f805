import NIOCore

/// One coded video frame, or one coded audio frame, as the encoder made it.
public struct AccessUnit: Sendable, Equatable {
    /// The track it belongs to.
    public var track: TrackID
    public var codec: Codec
    /// When it is decoded, on the stream's unwrapped timeline.
    public var decodeTime: MediaTime
    /// Presentation time minus decode time; signed, zero for audio and for video without reordering.
    public var compositionOffset: MediaTime
    /// Whether a decoder may start on this unit; always true for audio.
    public var isKeyframe: Bool
    /// The coded bytes, shared with everyone who holds them:
    /// AVC and HEVC as length-prefixed NAL units (the length's size is in the configuration), AV1 as low-overhead OBUs,
    /// AAC as a raw_data_block without ADTS, MP3, FLAC, AC-3 and Enhanced AC-3 as whole frames
    /// with their headers, Opus as one packet.
    public var payload: ByteBuffer

    /// - Parameter track: the default track of the codec's kind when it is not given.
    @inlinable
    public init(
        track: TrackID? = nil, codec: Codec, decodeTime: MediaTime, compositionOffset: MediaTime = .zero,
        isKeyframe: Bool,
        payload: ByteBuffer
    ) {
        self.track = track ?? (codec.isVideo ? .video : .audio)
        self.codec = codec
        self.decodeTime = decodeTime
        self.compositionOffset = compositionOffset
        self.isKeyframe = isKeyframe
        self.payload = payload
    }

    @inlinable
    public var presentationTime: MediaTime {
        decodeTime + compositionOffset
    }
}
