/// The state of a push session as the API shows it (`status`).
public enum PushStatus: String, Sendable, Hashable, CaseIterable {
    /// The source is not on air.
    case waiting = "Waiting"
    /// An attempt is under way: name lookup, connection, handshake, publish, or waiting for the first media to be
    /// acknowledged.
    case connecting = "Connecting"
    /// The far end accepted the stream and acknowledged media.
    case connected = "Connected"
    /// The last attempt failed; another follows within `push.retry_max`.
    case retrying = "Retrying"
    /// The far end refuses and waiting does not cure it; tried again every few minutes only.
    case failed = "Failed"
    /// Over.
    case disconnected = "Disconnected"
}
