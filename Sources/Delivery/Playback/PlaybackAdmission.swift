import Storage
import Usher

/// What playback asks of the door: `Admissions`, or a stand-in in tests. Every method may be called from any task.
public protocol PlaybackAdmission: Sendable {
    /// How viewers are let in to a stream.
    func protection(app: String, stream: String) async throws -> Protection

    /// Whether the viewer would be let in now. Nothing is charged; a refusal is an attempt.
    ///
    /// - Returns: the session to play under, a running one or one on offer; nil when refused.
    func offeredSession(for facts: ViewerFacts) async throws -> String?

    /// Lets the viewer in, or keeps the session going: called for each media playlist that is given out. A session's
    /// first call charges its use.
    ///
    /// - Returns: the session that plays now, which is another one when nobody offered `id`; nil when refused.
    func enteredSession(_ id: String, for facts: ViewerFacts) async throws -> String?

    /// Whether a session runs and may be used by this viewer for this stream. For every segment, so it never waits.
    func permits(session id: String, for facts: ViewerFacts) -> Bool
}
