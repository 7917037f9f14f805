import NIOCore

/// What a client of ours does; see ``ServerSession/nextEvent()``.
///
/// The big ones are boxed so that the enum which carries every frame stays small.
public enum ServerEvent: Sendable, Hashable {
    /// Answer with ``ServerSession/acceptConnect()`` or ``ServerSession/rejectConnect(code:description:)``. Nothing
    /// else comes until then.
    indirect case connectRequested(ConnectRequest)
    /// Answer with `acceptPublish` or `refusePublish`. Nothing else comes until then.
    indirect case publishRequested(PublishRequest)
    /// Answer with `acceptPlay` or `refusePlay`. Nothing else comes until then.
    indirect case playRequested(PlayRequest)
    /// Audio or video of a stream being published.
    case media(MediaMessage)
    /// `onMetaData` of a stream being published, with `@setDataFrame` or without.
    indirect case metadata(RTMPDataMessage)
    /// Any other data of a stream being published.
    indirect case data(RTMPDataMessage)
    /// The publisher ended its stream in an orderly way (FCUnpublish, closeStream or deleteStream).
    case unpublished(streamID: UInt32)
    /// The player stopped in an orderly way.
    case playStopped(streamID: UInt32)
    /// The player pauses or goes on, at this position in milliseconds. It has been told that it is so.
    case paused(streamID: UInt32, isPaused: Bool, milliseconds: Double)
    /// The player wants another position. Answer with `acceptSeek` or `refuseSeek`.
    case seek(streamID: UInt32, milliseconds: Double)
    /// The player does or does not want sound.
    case receiveAudio(streamID: UInt32, Bool)
    /// The player does or does not want pictures.
    case receiveVideo(streamID: UInt32, Bool)
    /// The player's buffer, in milliseconds.
    case bufferLength(streamID: UInt32, milliseconds: UInt32)
}
