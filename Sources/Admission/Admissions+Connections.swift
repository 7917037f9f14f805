import Basics
import Storage
import Usher

extension Admissions {
    /// Lets a connection play (RTMP, SRT) and charges a use for it, whatever else runs.
    ///
    /// - Parameters:
    ///   - cdn: the account of the stream's app; nil: looked up.
    ///   - onEnd: called once, on any thread, when the ticket is revoked or runs out, perhaps before the caller has dealt with
    ///     this method's answer (`isRunning` tells). Not called after `close`.
    /// - Throws: what the store throws, and `AdmissionError`.
    public func open(
        _ facts: ViewerFacts, accountID: AccountID? = nil, onEnd: @escaping @Sendable (EndReason) -> Void
    ) async throws -> ConnectionEntry {
        let account: AccountID
        if let accountID {
            account = accountID
        } else {
            account = try await owner(ofApp: facts.app)
        }
        let request = AdmissionRequest(
            facts: facts, accountID: account, now: now(), sessionID: SessionID.make(), joinWindow: nil,
            foldingWindow: configuration.foldingWindow)
        switch try await admit(request, onEnd: onEnd) {
        case .opened: return .admitted(sessionID: request.sessionID)
        case .joined(_, let id): return .admitted(sessionID: id)
        case .refused(let reason): return .refused(reason)
        }
    }

    /// Whether the session is still good.
    public func isRunning(_ sessionID: String) -> Bool {
        let date = now()
        return state.withLock { $0.sessions.isRunning(sessionID, now: date) }
    }

    /// The connection is gone or plays no more.
    public func close(_ sessionID: String) async {
        guard state.withLock({ $0.sessions.remove(sessionID) }) != nil else { return }
        do {
            try await store.endSession(id: sessionID)
        } catch {
            // It costs nothing that the store believes it open: a connection's session is never joined.
            logger.debug("session end not stored", metadata: ["error": "\(error)"])
        }
    }
}
