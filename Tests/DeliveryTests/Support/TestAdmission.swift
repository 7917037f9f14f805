import Admission
import Basics
import Foundation
import Storage
import Synchronization
import Usher

/// One ticket, `k` with pass `p`, for every stream that is protected; it remembers what was asked of it.
final class TestAdmission: ViewerAdmission {
    struct Failure: Error {}

    struct State {
        var isProtected = true
        var isFailing = false
        var isRevoked = false
        /// Sessions that may be used, and by whom.
        var sessions: [String: String] = [:]
        var charged = 0
        /// Bytes by session.
        var sent: [String: Int] = [:]
        /// Sessions that were used, as often as they were.
        var used: [String] = []
        var previews = 0
        /// Of known protections.
        var questions = 0
        var knowsAll = false
        var entered = 0
        var lastFacts: ViewerFacts?
    }

    private let state: Mutex<State>

    init(isProtected: Bool = true) {
        state = Mutex(State(isProtected: isProtected))
    }

    var now: State { state.withLock { $0 } }

    func set(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
    }

    func protection(app: String, stream: String, account: AccountID?) async throws -> Protection {
        try state.withLock { state in
            guard !state.isFailing else { throw Failure() }
            return state.isProtected ? .sevu : .open
        }
    }

    /// Every other time, unless told otherwise, so that the same question is answered with and without a wait.
    func knownProtection(app: String, stream: String, account: AccountID?) -> Protection? {
        state.withLock { state in
            state.questions += 1
            guard !state.isFailing, state.knowsAll || state.questions.isMultiple(of: 2) else { return nil }
            return state.isProtected ? .sevu : .open
        }
    }

    private func isGood(_ facts: ViewerFacts, _ state: State) -> Bool {
        facts.key == "k" && facts.pass == "p" && !state.isRevoked
    }

    func offer(_ facts: ViewerFacts) async throws -> Verdict<String> {
        state.withLock { state in
            state.previews += 1
            state.lastFacts = facts
            guard isGood(facts, state) else { return .refused(.unknownTicket) }
            return .granted(state.sessions.first { $0.value == facts.address }?.key ?? SessionID.make())
        }
    }

    func admit(_ facts: ViewerFacts, session: String?) async throws -> Verdict<String> {
        state.withLock { state in
            state.entered += 1
            state.lastFacts = facts
            guard !state.isRevoked else { return .refused(.revoked) }
            let id = session ?? SessionID.make()
            if state.sessions[id] == facts.address { return .granted(id) }
            guard isGood(facts, state) else { return .refused(.unknownTicket) }
            if let running = state.sessions.first(where: { $0.value == facts.address }) { return .granted(running.key) }
            state.sessions[id] = facts.address
            state.charged += 1
            return .granted(id)
        }
    }

    func admit(
        connection facts: ViewerFacts, account: AccountID?, onEnd: @escaping @Sendable (EndReason) -> Void
    ) async throws -> Verdict<String> {
        state.withLock { state in
            guard !state.isProtected || isGood(facts, state) else { return .refused(.unknownTicket) }
            let id = SessionID.make()
            state.sessions[id] = facts.address
            if state.isProtected { state.charged += 1 }
            return .granted(id)
        }
    }

    func isRunning(_ session: String) -> Bool { state.withLock { $0.sessions[session] != nil } }

    func close(_ session: String) async { state.withLock { $0.sessions[session] = nil } }

    func sent(_ bytes: Int, session id: String) {
        state.withLock { $0.sent[id, default: 0] += bytes }
    }

    func sessionCookie(for facts: ViewerFacts) async throws -> (text: String, expires: Date)? { nil }

    func permits(_ viewer: SessionViewer, session id: String) -> Bool {
        state.withLock { state in
            guard !state.isRevoked, state.sessions[id] == viewer.address?.description else { return false }
            state.used.append(id)
            return true
        }
    }
}
