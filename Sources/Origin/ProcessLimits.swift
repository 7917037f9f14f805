import CMalloc
import Foundation

/// What the process sets for itself before it does anything.
enum ProcessLimits {
    /// - Every viewer is a file descriptor: the soft limit goes up to the hard one.
    /// - glibc keeps an arena a thread that it never gives back; two are enough for threads that mostly share buffers
    ///   (a Swift server was seen at 39 GiB with the default and at 1.8 GiB without it).
    /// - A parent may have blocked signals for its children; the ones that end us must come through.
    static func apply() {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        if getrlimit(files, &limit) == 0, limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            setrlimit(files, &limit)
        }
        mallopt(M_ARENA_MAX, 2)
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGUSR2)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        // It would end a process that does not listen for it yet.
        signal(SIGUSR2, SIG_IGN)
    }

    /// How many files the process may have open (`ulimit -n`).
    static var files: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        return Int(clamping: limit.rlim_cur)
    }

    /// Files that are not connections of peers: the database and its side files for each reader, event loops, the log, pushes
    /// and lookups of names.
    static let otherFiles = 200

    /// `limits.connections`, or as many as there can be: past the system's limit accepting fails, for encoders as well.
    static func connections(_ wanted: Int, files: Int) -> Int {
        min(wanted, max(1, files - otherFiles))
    }
}
