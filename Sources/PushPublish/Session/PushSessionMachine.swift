import NIOCore

/// What a push session does next: events and the time in, actions out.
///
/// It opens one attempt at a time; an attempt is the whole way from the name lookup to streaming media. Events of an
/// attempt that is not the current one come too late and change nothing, so a stop always wins over whatever is under way.
struct PushSessionMachine: Sendable {
    enum Event: Sendable, Equatable {
        /// The source is on air.
        case sourceOnAir
        /// The source is off the air for good (not merely waiting for its encoder to return).
        case sourceGone
        /// The far end accepted the stream.
        case accepted(attempt: Int)
        /// The far end acknowledged the first media.
        case flowing(attempt: Int)
        case failed(attempt: Int, PushFailure)
        case retryDue(attempt: Int)
        case stop(PushEnding)
    }

    enum Action: Sendable, Equatable {
        case open(attempt: Int)
        /// Says goodbye where it can, then closes.
        case close(attempt: Int)
        /// Send `retryDue` with that number then.
        case scheduleRetry(attempt: Int, at: NIODeadline)
        case cancelRetry
        /// The status changed, or an attempt failed again.
        case changed(from: PushStatus, to: PushStatus, reason: String, failure: PushFailure?)
        /// For the event log: the stream goes out, or did not because of `error`.
        case logPush(error: PushFailure?)
        /// For the event log: the stream went out and does so no more.
        case logUnpush(reason: String)
        /// Nothing more will come.
        case finished
    }

    private enum Phase: Sendable, Equatable {
        case waiting
        case attempting
        case backingOff
        case ended
    }

    private let endsWithSource: Bool
    private var phase = Phase.waiting
    private var backOff: BackOff
    private var attempt = 0
    private var isSourceOnAir = false
    /// When the far end last had the stream.
    private(set) var lastAccepted: NIODeadline?
    private var isAccepted = false
    private var connectedAt: NIODeadline?
    private var loggedFailure: PushFailure.Code?
    private(set) var status = PushStatus.waiting
    /// How often the stream was connected again after it had been.
    private(set) var reconnects = 0
    private var hasBeenConnected = false

    /// - Parameters:
    ///   - endsWithSource: for `autopush`: over when the source goes off the air, instead of waiting for it.
    ///   - lastAccepted: when an earlier session had the same destination accept the stream.
    init(limits: BackOff.Limits, endsWithSource: Bool, lastAccepted: NIODeadline? = nil) {
        self.backOff = BackOff(limits: limits)
        self.endsWithSource = endsWithSource
        self.lastAccepted = lastAccepted
    }

    var isEnded: Bool { phase == .ended }

    /// - Parameter jitter: evenly drawn from 0..<1, for the back-off.
    mutating func handle(_ event: Event, now: NIODeadline, jitter: Double = 0.5) -> [Action] {
        guard phase != .ended else { return [] }
        switch event {
        case .sourceOnAir: return sourceOnAir()
        case .sourceGone: return sourceGone(now: now)
        case .accepted(attempt): return accepted(now: now)
        case .flowing(attempt): return flowing(now: now)
        case .failed(attempt, let failure): return failed(failure, now: now, jitter: jitter)
        case .retryDue(attempt) where phase == .backingOff: return open(reason: "trying again")
        case .stop(let ending): return end(ending, now: now)
        case .accepted, .flowing, .failed, .retryDue: return []
        }
    }

    private mutating func sourceOnAir() -> [Action] {
        isSourceOnAir = true
        guard phase == .waiting else { return [] }
        return open(reason: "the stream is on air")
    }

    private mutating func sourceGone(now: NIODeadline) -> [Action] {
        isSourceOnAir = false
        guard !endsWithSource else { return end(.sourceEnded, now: now) }
        var actions = leave(reason: PushEnding.sourceEnded.reason, now: now)
        if status != .waiting {
            actions.append(change(to: .waiting, reason: PushEnding.sourceEnded.reason))
        }
        phase = .waiting
        return actions
    }

    private mutating func accepted(now: NIODeadline) -> [Action] {
        guard phase == .attempting else { return [] }
        isAccepted = true
        lastAccepted = now
        return []
    }

    private mutating func flowing(now: NIODeadline) -> [Action] {
        guard phase == .attempting, isAccepted, connectedAt == nil else { return [] }
        connectedAt = now
        loggedFailure = nil
        if hasBeenConnected { reconnects &+= 1 }
        hasBeenConnected = true
        return [change(to: .connected, reason: "the far end takes the stream"), .logPush(error: nil)]
    }

    private mutating func failed(_ failure: PushFailure, now: NIODeadline, jitter: Double) -> [Action] {
        guard phase == .attempting else { return [] }
        let connectedFor = connectedAt.map { now - $0 }
        noteEndOfAttempt(now: now)
        let failureClass = FailureClass(failure, sinceAccepted: lastAccepted.map { now - $0 })
        let pause = backOff.pause(after: failureClass, connectedFor: connectedFor, jitter: jitter)
        phase = .backingOff
        var actions = [
            change(to: failureClass == .permanent ? .failed : .retrying, reason: failure.message, failure: failure)
        ]
        if connectedFor != nil {
            actions.append(.logUnpush(reason: failure.message))
        } else if loggedFailure != failure.code {
            // A far end that stays away is told of once, not at every attempt.
            loggedFailure = failure.code
            actions.append(.logPush(error: failure))
        }
        actions.append(.scheduleRetry(attempt: attempt, at: now + pause))
        return actions
    }

    private mutating func open(reason: String) -> [Action] {
        attempt &+= 1
        phase = .attempting
        isAccepted = false
        connectedAt = nil
        return [change(to: .connecting, reason: reason), .open(attempt: attempt)]
    }

    private mutating func end(_ ending: PushEnding, now: NIODeadline) -> [Action] {
        var actions = leave(reason: ending.reason, now: now)
        phase = .ended
        actions.append(change(to: .disconnected, reason: ending.reason))
        actions.append(.finished)
        return actions
    }

    /// Leaves whatever is under way.
    private mutating func leave(reason: String, now: NIODeadline) -> [Action] {
        switch phase {
        case .attempting:
            let wasConnected = connectedAt != nil
            noteEndOfAttempt(now: now)
            return [.close(attempt: attempt)] + (wasConnected ? [.logUnpush(reason: reason)] : [])
        case .backingOff:
            return [.cancelRetry]
        case .waiting, .ended:
            return []
        }
    }

    private mutating func noteEndOfAttempt(now: NIODeadline) {
        if isAccepted { lastAccepted = now }
        isAccepted = false
        connectedAt = nil
    }

    private mutating func change(to next: PushStatus, reason: String, failure: PushFailure? = nil) -> Action {
        defer { status = next }
        return .changed(from: status, to: next, reason: reason, failure: failure)
    }
}
