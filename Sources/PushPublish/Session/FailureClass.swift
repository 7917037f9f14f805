import NIOCore

/// Whether waiting can cure a failure (docs/decisions/0012-push-sessions.md).
public enum FailureClass: Sendable, Hashable {
    /// Somebody has to change something: retried every few minutes only, status `Failed`.
    case permanent
    /// Retried with back-off for as long as the source is live, status `Retrying`.
    case transient

    /// How long after an accepted stream a refusal of the same stream is taken for our own old connection, which the far
    /// end has not noticed the end of.
    public static let ghostWindow = TimeAmount.seconds(120)

    /// - Parameter sinceAccepted: how long ago the far end last had this stream from us; nil: never.
    public init(_ failure: PushFailure, sinceAccepted: TimeAmount? = nil) {
        switch failure.code {
        case .unknownHost, .addressNotAllowed, .certificateRefused, .loginRefused, .codecRefused:
            self = .permanent
        case .streamRefused:
            // A far end that still holds our broken connection says BadName, as it does to a wrong key.
            if let sinceAccepted, sinceAccepted < FailureClass.ghostWindow {
                self = .transient
            } else {
                self = .permanent
            }
        case .lookupFailed, .connectFailed, .timeout, .tlsFailed, .protocolError, .connectionLost, .wedged, .tooSlow,
            .endedByFarEnd:
            self = .transient
        }
    }
}
