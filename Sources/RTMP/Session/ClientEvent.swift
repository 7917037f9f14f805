import NIOCore

/// What a server does; see ``ClientSession/nextEvent()``.
public enum ClientEvent: Sendable, Hashable {
    /// The server let us in.
    case connected
    /// `NetStream.Publish.Start`: media may be sent now, on this message stream, and not before.
    case publishing(streamID: UInt32)
    /// `NetStream.Play.Start`.
    case playing(streamID: UInt32)
    /// The server does not want us, or wants us no longer. Close.
    indirect case refused(RTMPStatus)
    /// The server ended the stream or the connection without an error (`NetConnection.Connect.Closed`,
    /// `NetStream.Unpublish.Success` that we did not ask for, `NetStream.Play.Stop`). Close.
    indirect case closed(RTMPStatus)
    /// Close, and connect again with this query in ``ClientConfiguration/authenticationQuery``.
    case reconnectWithAuthentication(appQuery: String)
    /// Enhanced RTMP: connect anew (to this address, when it is given) and carry on there; this connection goes on
    /// until then.
    case reconnectRequested(tcURL: String?)
    /// The server's publisher has gone (`false`) or come (`true`) while we play.
    case published(Bool)
    /// Audio or video, while we play.
    case media(MediaMessage)
    /// `onMetaData`, while we play.
    indirect case metadata(RTMPDataMessage)
    /// Other data, while we play.
    indirect case data(RTMPDataMessage)
    /// Any other `onStatus` of level `status` or `warning`.
    indirect case status(RTMPStatus)
}
