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
