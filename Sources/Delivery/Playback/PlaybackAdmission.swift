import Live
import Storage
import Usher

/// What playback asks of admission; `Admissions` answers. Every method may be called from any task.
public protocol PlaybackAdmission: Sendable {
    /// How viewers are let in to a stream.
    func protection(app: String, stream: String) async throws -> Protection

    /// Whether the viewer would be let in now. Nothing is charged; a refusal is logged as an attempt.
    ///
    /// - Returns: the id under which the viewer may enter, a running session's or a new one; nil when refused.
    func preview(_ facts: ViewerFacts) async throws -> String?

    /// Lets the viewer in, or keeps the session going: called for each media playlist that is given out. A session's
    /// first call charges its use.
    ///
    /// - Returns: the id of the session that plays now, another one where `sessionID` was unknown; nil when refused.
    func enter(sessionID: String, facts: ViewerFacts) async throws -> String?

    /// Whether a session runs and may be used by the viewer for this stream. Synchronous, for every segment.
    func permits(sessionID: String, facts: ViewerFacts) -> Bool
}
