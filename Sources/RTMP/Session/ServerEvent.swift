import NIOCore

/// What a client did; see ``ServerSession/nextEvent()``.
///
/// The big ones are boxed so that the enum which carries every frame stays small.
public enum ServerEvent: Sendable, Hashable {
    /// Answer with ``ServerSession/acceptConnect()`` or ``ServerSession/rejectConnect(code:description:)``. Nothing
    /// else comes until then.
    indirect case connectRequested(ConnectRequest)
    /// Answer with `acceptPublish` or `refusePublish`. Nothing else comes until then.
    indirect case publishRequested(PublishRequest)
    /// Answer with `acceptPlay` or `refusePlay`. Nothing else comes until then. A client that plays on this message stream
    /// already switches to another stream: ``playStopped(streamID:)`` for the old one comes right before.
    indirect case playRequested(PlayRequest)
    /// Audio or video of a stream being published.
    case media(MediaMessage)
    /// `onMetaData` of a stream being published, with `@setDataFrame` or without.
    indirect case metadata(RTMPDataMessage)
    /// Any other data of a stream being published.
    indirect case data(RTMPDataMessage)
    /// The publisher ended its stream in an orderly way (FCUnpublish, closeStream or deleteStream).
    case unpublished(streamID: UInt32)
    /// The player stopped in an orderly way, or is about to ask for another stream on the same message stream.
    case playStopped(streamID: UInt32)
    /// The player pauses or goes on, at this position in milliseconds. The session has confirmed it.
    case paused(streamID: UInt32, isPaused: Bool, milliseconds: Double)
    /// The player wants another position. Answer with `acceptSeek` or `refuseSeek`.
    case seek(streamID: UInt32, milliseconds: Double)
    /// The player does or does not want audio.
    case receiveAudio(streamID: UInt32, Bool)
    /// The player does or does not want video.
    case receiveVideo(streamID: UInt32, Bool)
    /// The player's buffer, in milliseconds.
    case bufferLength(streamID: UInt32, milliseconds: UInt32)
}

extension ServerSession {
    /// News of the stream that a player watches.
    public enum PlayNotice: Sendable, Hashable {
        /// The publisher has gone; it may come back.
        case unpublished
        /// The publisher has come (back).
        case published
        /// Nothing more will come, for live as for a file's end.
        case ended
        /// Nothing comes at the moment.
        case dry
        /// Playback is refused from here on, as when a ticket is revoked. Holds a sentence for the player.
        case failed(String)
    }
}
