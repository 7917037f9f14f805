import Admission
import Basics
import CMalloc
import Delivery
import Foundation
import Live
import Logging
import PushPublish
import RTMPServer
import ServiceLifecycle
import Storage
import TLS

/// The RTMP servers as a service: they accept until the origin shuts down, then say goodbye in order.
struct RTMPService: Service {
    /// Plain, and inside TLS.
    let servers: [RTMPServer]
    let stage: Stage
    let pushes: PushSupervisor
    /// Publications that the next process goes on with; nil: those that are published anew are others.
    let outputs: OutputTable?
    let patience: Patience
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        await drain()
    }

    /// No new connections; pushes end first, so that their destinations hear an orderly end; then everybody is told, streams
    /// end, and who does not go is closed.
    private func drain() async {
        for server in servers { await server.stopAccepting() }
        await pushes.drain()
        await outputs?.continueElsewhere()
        for server in servers { await server.announceShutdown() }
        // Those who can have been told where to go on; what others send until they are closed is not lost.
        if !patience.socketsStay { await stage.drain() }
        let count = await withTaskGroup(of: Int.self) { group in
            for server in servers { group.addTask { await server.endConnections(within: patience.ofRTMP) } }
            return await group.reduce(0, +)
        }
        await stage.drain()
        logger.info("RTMP drained", metadata: ["connections": "\(count)"])
    }
}

/// The HTTP listeners as a service: they accept until the origin shuts down, then let requests in progress be answered.
struct HTTPService: Service {
    /// Plain, and inside TLS.
    let listeners: [HTTPListener]
    let readiness: Readiness
    let outputs: OutputTable
    let patience: Patience

    func run() async throws {
        try? await gracefulShutdown()
        readiness.shutDown()
        let time = patience.ofHTTP
        // Who waits for a stream without a publisher gets what there is, and waits at the next process.
        let last = Task {
            try await Task.sleep(for: time * 3 / 4)
            outputs.letHeldRequestsGo()
        }
        await withTaskGroup { group in
            for listener in listeners { group.addTask { await listener.drain(within: time) } }
        }
        last.cancel()
    }
}

/// How long a shutdown waits for peers.
struct Patience: Sendable {
    let replacement: Replacement
    /// `server.drain_timeout`.
    let drain: Duration
    /// `server.upgrade_timeout`.
    let upgrade: Duration

    /// Whoever comes during the shutdown waits for the next process.
    var socketsStay: Bool { replacement.socketsStay }
    var ofHTTP: Duration { socketsStay ? min(upgrade, drain) : drain }
    /// Encoders that were asked to connect anew do so at once, or keep sending until the new connection works, which it does not
    /// before they are closed here.
    var ofRTMP: Duration { socketsStay ? min(.milliseconds(250), drain) : drain }
}

/// Reads certificates again when their files were replaced.
struct CertificateService: Service {
    let certificates: [ServerCertificates]
    var interval = Duration.seconds(1)

    func run() async throws {
        guard !certificates.isEmpty else {
            try? await gracefulShutdown()
            return
        }
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: interval)
                for certificates in certificates { await refresh(certificates) }
            }
        }
    }

    /// On a thread of its own: a disk may take its time.
    private func refresh(_ certificates: ServerCertificates) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                certificates.refresh()
                continuation.resume()
            }
        }
    }
}

/// Watches over tickets and sessions for as long as the origin runs.
struct AdmissionService: Service {
    let admissions: Admissions

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await admissions.run()
        }
        await admissions.writeUses()
    }
}

/// Counts what viewers are sent for as long as the origin runs, and writes the rest at the end.
struct UsageService: Service {
    let usage: UsageLog
    let viewers: UsageLog.ViewerCount

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await usage.run(viewers: viewers)
        }
        await usage.end(viewers: viewers)
    }
}

/// Ends what runs for accounts that were deleted: their streams, pushes and viewers.
struct DeletedAccounts: Service {
    /// Asks for those that were deleted after a position.
    let deletions: @Sendable (_ position: Int64) async throws -> [DeletedAccount]
    let stage: Stage
    let admissions: Admissions
    let pushes: PushSupervisor
    let outputs: OutputTable
    let logger: Logger
    var interval = Duration.milliseconds(400)
    /// Longer than anything that was asked of the store before is remembered: an account's name, a stream's protection.
    var grace = Duration.seconds(15)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var watch = Watch()
            while !Task.isCancelled {
                await sweep(&watch, now: .now)
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// What is known of deletions.
    struct Watch: Sendable {
        /// Of the newest that is known.
        fileprivate var position: Int64 = 0
        /// Since when accounts are known to be deleted.
        fileprivate var seen: [AccountID: ContinuousClock.Instant] = [:]
    }

    /// - Returns: the accounts of which what runs was ended.
    @discardableResult
    func sweep(_ watch: inout Watch, now: ContinuousClock.Instant) async -> Set<AccountID> {
        // Another task of the origin says it when the store does not answer.
        for deleted in (try? await deletions(watch.position)) ?? [] {
            watch.seen[deleted.id] = now
            watch.position = max(watch.position, deleted.position)
        }
        watch.seen = watch.seen.filter { now - $0.value < grace }
        let recent = Set(watch.seen.keys)
        guard !recent.isEmpty else { return [] }
        await pushes.disconnect(accounts: recent)
        // While their streams are there: the connections of viewers are closed, not left to wait for another stream.
        admissions.end(accounts: recent)
        for hub in await stage.onAir() where recent.contains(hub.accountID) {
            guard await stage.close(hub.address) else { continue }
            logger.info("stream ended, its account was deleted", metadata: ["stream": "\(hub.address)"])
        }
        outputs.remove(accounts: recent)
        return recent
    }
}

/// Gives the system back what a rush of viewers or encoders has left behind. glibc keeps the pages of freed memory for as long
/// as anything lives above them, so without this the process stays as large as it ever was.
struct MemoryService: Service {
    var interval = Duration.seconds(60)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: interval)
                await MemoryService.giveBack()
            }
        }
    }

    /// On a thread of its own: it takes some milliseconds, in which others who allocate may have to wait for one of the arenas.
    static func giveBack() async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                malloc_trim(0)
                continuation.resume()
            }
        }
    }
}

/// Reads ahead what questions about attempts will read, which after a start of the machine is not in its cache. Ends when it is
/// cancelled only.
struct AttemptReadAheadService: Service {
    let store: SQLiteStore
    /// Bytes to read at most.
    let limit: Int
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await store.readAttemptsAhead(limit: limit) { bytes in
                logger.debug("the log of attempts was read ahead", metadata: ["bytes": "\(bytes)"])
            }
        }
    }
}

/// Removes what has outlived its time: attempts, sessions, tickets, origin events, usage, remembered replies.
struct Housekeeping: Service {
    let store: SQLiteStore
    let attemptRetention: Duration
    let eventRetention: Duration
    let usageRetention: Duration
    let viewerRetention: Duration
    /// `hls.session_timeout`: a session that was not used for this long is over.
    let sessionTimeout: Duration
    let logger: Logger
    var interval = Duration.seconds(60)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                await sweep(now: Date())
                try await Task.sleep(for: interval)
            }
        }
    }

    func sweep(now: Date) async {
        do {
            try await store.removeReplays(expiredBefore: now)
            try await store.removeDeletedAccounts()
            // The store hears of a session's use with some delay.
            try await store.removeEndedSessions(before: now - max(3_600, 2 * sessionTimeout.timeInterval))
            if attemptRetention > .zero {
                try await store.removeAttempts(before: now - attemptRetention.timeInterval)
                try await store.removeTickets(expiredBefore: now - attemptRetention.timeInterval)
            }
            if eventRetention > .zero {
                try await store.removeEvents(before: now - eventRetention.timeInterval)
            }
            if usageRetention > .zero {
                try await store.removeUsage(before: now - usageRetention.timeInterval)
            }
            if viewerRetention > .zero {
                try await store.removeViewers(before: now - viewerRetention.timeInterval)
            }
        } catch is CancellationError {
            // The origin ends.
        } catch {
            logger.warning("housekeeping failed", metadata: ["error": "\(error)"])
        }
    }
}
