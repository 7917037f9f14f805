import NIOCore

/// The state of a push session as the API shows it (`status`).
public enum PushStatus: String, Sendable, Hashable, CaseIterable {
    /// The source is not on air.
    case waiting = "Waiting"
    /// A connection is under way: name lookup, connection, handshake, publish, or waiting for the first media to be
    /// acknowledged.
    case connecting = "Connecting"
    /// The destination accepted the stream and acknowledged media.
    case connected = "Connected"
    /// The last connection failed; another follows within `push.retry_max`.
    case retrying = "Retrying"
    /// The destination refuses and waiting does not cure it; tried again every few minutes only.
    case failed = "Failed"
    /// Over.
    case disconnected = "Disconnected"
}

/// Why a push session ended for good.
public enum PushEnding: String, Sendable, Hashable, CaseIterable {
    /// `pushpublish.disconnect`.
    case disconnected
    /// The source went off the air and the session belonged to that publication (`autopush`).
    case sourceEnded
    /// `pushpublish.connect` replaced it by one with the settings as they are now.
    case replaced
    /// The server shuts down.
    case draining

    /// For the event log and people.
    public var reason: String {
        switch self {
        case .disconnected: "disconnected"
        case .sourceEnded: "the stream ended"
        case .replaced: "connected again with new settings"
        case .draining: "the server is shutting down"
        }
    }
}

/// Why a push connection failed: a code to act on and a sentence for people.
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
        /// The destination's certificate is not to be trusted.
        case certificateRefused
        /// TLS could not be agreed on for another reason.
        case tlsFailed
        /// User name or password refused, or asked for and not given.
        case loginRefused
        /// The destination refuses the stream: unknown key, wrong app, or a publisher is there already.
        case streamRefused
        /// The destination does not take the stream's codec.
        case codecRefused
        /// The destination said nothing that RTMP allows.
        case protocolError
        /// The connection broke or was closed by the destination.
        case connectionLost
        /// The destination acknowledges nothing any more although there is something to acknowledge.
        case wedged
        /// The destination takes less than the stream has, for too long.
        case tooSlow
        /// The destination ended the stream with a status of its own.
        case endedByDestination
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

/// Whether waiting can cure a failure (docs/decisions/0012-push-sessions.md).
public enum FailureClass: Sendable, Hashable {
    /// Somebody has to change something: retried every few minutes only, status `Failed`.
    case permanent
    /// Retried with back-off for as long as the source is live, status `Retrying`.
    case transient

    /// How long after an accepted stream a refusal of the same stream is taken for our own old connection, which the far
    /// end has not noticed the end of.
    public static let ghostWindow = TimeAmount.seconds(120)

    /// - Parameter sinceAccepted: how long ago the destination last had this stream from us; nil: never.
    public init(_ failure: PushFailure, sinceAccepted: TimeAmount? = nil) {
        switch failure.code {
        case .unknownHost, .addressNotAllowed, .certificateRefused, .loginRefused, .codecRefused:
            self = .permanent
        case .streamRefused:
            // A destination that still holds our broken connection says BadName, as it does to a wrong key.
            if let sinceAccepted, sinceAccepted < FailureClass.ghostWindow {
                self = .transient
            } else {
                self = .permanent
            }
        case .lookupFailed, .connectFailed, .timeout, .tlsFailed, .protocolError, .connectionLost, .wedged, .tooSlow,
            .endedByDestination:
            self = .transient
        }
    }
}
