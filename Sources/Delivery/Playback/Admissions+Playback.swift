import Admission
import Live
import Usher

extension Admissions: PlaybackAdmission {
    public func offeredSession(for facts: ViewerFacts) async throws -> String? {
        try await preview(facts).sessionID
    }

    public func enteredSession(_ id: String, for facts: ViewerFacts) async throws -> String? {
        try await enter(sessionID: id, facts: facts).sessionID
    }

    public func permits(session id: String, for facts: ViewerFacts) -> Bool {
        permits(sessionID: id, facts: facts)
    }
}
