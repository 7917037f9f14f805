import Foundation
import NIOCore

/// What this program can do, and whether it was itself too slow to judge a server by.
struct OwnLimits {
    /// How late the event loop was.
    private(set) var lag = Histogram()
    private var before = Schedule()
    private var since: NIODeadline
    private(set) var cpu = 0.0
    private(set) var cpuWait = 0.0
    private var portsWereUsedUp = false
    private var filesWereUsedUp = false

    /// Nanoseconds of one thread on a processor, and in the queue for one (`/proc/thread-self/schedstat`).
    struct Schedule {
        var running: Int64 = 0
        var waiting: Int64 = 0

        /// Of the thread that asks.
        static func current() -> Schedule {
            guard let text = try? String(contentsOfFile: "/proc/thread-self/schedstat", encoding: .utf8) else {
                return Schedule()
            }
            let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }
            return numbers.count >= 2 ? Schedule(running: numbers[0], waiting: numbers[1]) : Schedule()
        }
    }

    /// - Parameter schedule: of the event loop's thread.
    init(now: NIODeadline, schedule: Schedule) {
        since = now
        before = schedule
    }

    /// Begins anew, when all run.
    mutating func beginMeasurement(now: NIODeadline, schedule: Schedule) {
        lag = Histogram()
        since = now
        before = schedule
    }

    mutating func add(lag: TimeAmount) {
        self.lag.add(max(.zero, lag))
    }

    mutating func look(now: NIODeadline, schedule: Schedule) {
        let passed = Double((now - since).nanoseconds)
        guard passed > 0 else { return }
        cpu = Double(schedule.running - before.running) / passed
        cpuWait = Double(schedule.waiting - before.waiting) / passed
    }

    /// A connection could not be opened.
    mutating func couldNotConnect(_ code: CInt) {
        switch code {
        case EADDRNOTAVAIL: portsWereUsedUp = true
        case EMFILE, ENFILE: filesWereUsedUp = true
        default: break
        }
    }

    /// What is to be said about this program, worst first.
    /// - Parameter wait: the delay that is measured (p99), beside which the own lag has to be small.
    func report(wait: TimeAmount?) -> LoadOwnReport {
        var limits: [String] = []
        if filesWereUsedUp { limits.append("it could open no more files (ulimit -n)") }
        if portsWereUsedUp {
            limits.append("it had no more local ports for this server (net.ipv4.ip_local_port_range)")
        }
        if cpu > 0.9 { limits.append("its event loop used \(Self.percent(cpu)) of a processor") }
        if cpuWait > 0.1 {
            limits.append("its event loop waited \(Self.percent(cpuWait)) of the time for a processor")
        }
        if let late = lag.quantile(0.99), let wait, late > .milliseconds(5), late.nanoseconds * 2 > wait.nanoseconds {
            limits.append("its event loop was up to \(late.milliseconds) ms late (p99), which is in the delays")
        } else if let late = lag.quantile(0.99), wait == nil, late > .milliseconds(100) {
            limits.append("its event loop was up to \(late.milliseconds) ms late (p99)")
        }
        return LoadOwnReport(
            cpu: (cpu * 1_000).rounded() / 1_000, cpuWait: (cpuWait * 1_000).rounded() / 1_000,
            lag: LoadDelays(lag), limits: limits)
    }

    private static func percent(_ part: Double) -> String {
        "\(Int((part * 100).rounded())) %"
    }

    /// Files that are not connections: event loop, standard streams, the recording.
    static let otherFiles = 40

    /// Raises the limit of open files as far as it goes, and says when it is not enough.
    /// - Throws: ``LoadProblem``.
    static func makeRoom(for connections: Int) throws {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            setrlimit(files, &limit)
        }
        let places = max(0, Int(clamping: limit.rlim_cur) - otherFiles)
        guard connections <= places else {
            throw LoadProblem(
                """
                \(connections) connections are needed, and this process may have \(places) (ulimit -n is \(limit.rlim_cur)); raise \
                the limit, or let several machines make the load
                """)
        }
    }

    /// Says when there are fewer local ports than connections to one server.
    static func checkPorts(for connections: Int) throws {
        guard let text = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8) else {
            return
        }
        let ends = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard ends.count == 2, connections > ends[1] - ends[0] else { return }
        throw LoadProblem(
            """
            \(connections) connections to one server are needed, and there are \(ends[1] - ends[0] + 1) local ports \
            (net.ipv4.ip_local_port_range); widen the range, or let several machines make the load
            """)
    }
}
