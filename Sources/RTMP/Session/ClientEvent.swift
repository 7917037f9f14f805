import NIOCore

/// What a server does; see ``ClientSession/nextEvent()``.
public enum ClientEvent: Sendable, Hashable {
    /// The server accepted `connect`.
    case connected
    /// `NetStream.Publish.Start`: media may be sent now, on this message stream, and not before.
    case publishing(streamID: UInt32)
    /// `NetStream.Play.Start`.
    case playing(streamID: UInt32)
    /// The server refused a request or ended the stream with an error. Close.
    indirect case refused(RTMPStatus)
    /// The server ended the stream or the connection without an error (`NetConnection.Connect.Closed`,
    /// `NetStream.Unpublish.Success` that was not asked for, `NetStream.Play.Stop`). Close.
    indirect case closed(RTMPStatus)
    /// Close, and connect again with this query in ``ClientConfiguration/authenticationQuery``.
    case reconnectWithAuthentication(appQuery: String)
    /// Enhanced RTMP: connect anew (to this address, when it is given) and carry on there; this connection goes on
    /// until then.
    case reconnectRequested(tcURL: String?)
    /// The publisher of the stream being played has gone (`false`) or come (`true`).
    case published(Bool)
    /// Audio or video of the stream being played.
    case media(MediaMessage)
    /// `onMetaData` of the stream being played.
    indirect case metadata(RTMPDataMessage)
    /// Other data of the stream being played.
    indirect case data(RTMPDataMessage)
    /// Any other `onStatus` of level `status` or `warning`.
    indirect case status(RTMPStatus)
}
