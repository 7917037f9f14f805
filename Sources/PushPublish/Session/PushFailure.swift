/// Why an attempt to push failed: a code to act on and a sentence for people.
public struct PushFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The host name does not exist (NXDOMAIN).
        case unknownHost
        /// The name server did not answer, or not in time.
        case lookupFailed
        /// Every address of the host is one that pushes may not go to.
        case addressNotAllowed
        /// Nobody took the connection.
        case connectFailed
        /// TCP, TLS, RTMP handshake or the answer to publish did not come in time.
        case timeout
        /// The far end's certificate is not to be trusted.
        case certificateRefused
        /// TLS could not be agreed on for another reason.
        case tlsFailed
        /// User name or password refused, or asked for and not given.
        case loginRefused
        /// The far end refuses the stream: unknown key, wrong app, or a publisher is there already.
        case streamRefused
        /// The far end does not take the stream's codec.
        case codecRefused
        /// The far end said nothing that RTMP allows.
        case protocolError
        /// The connection broke or was closed by the far end.
        case connectionLost
        /// The far end acknowledges nothing any more although there is something to acknowledge.
        case wedged
        /// The far end takes less than the stream has, for too long.
        case tooSlow
        /// The far end ended the stream with a status of its own.
        case endedByFarEnd
    }

    public var code: Code
    /// One sentence without secrets.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
