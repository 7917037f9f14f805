import Foundation
import NIOCore

/// What this process may have of the machine: all of it, or less where a control group (a container, a systemd unit) or an
/// affinity says so.
enum Machine {
    /// Gives a file's text; nil when there is no such file.
    typealias Reader = @Sendable (_ path: String) -> String?

    static let files: Reader = { try? String(contentsOfFile: $0, encoding: .utf8) }

    /// Processor cores.
    static func cores(read: Reader = files) -> Int {
        // A control group's quota, which an affinity knows nothing of.
        let count = System.coreCount
        let line = read("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        // Hexadecimal digits in groups of eight.
        let allowed = line?.dropFirst(13).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) } ?? 0
        return allowed > 0 ? min(count, allowed) : count
    }

    /// Bytes of memory. 1 GiB where the system does not say.
    static func memory(read: Reader = files) -> Int {
        let groups = (read("/proc/self/cgroup") ?? "").split(separator: "\n").flatMap { limits(group: $0, read) }
        return ([total(read)] + groups).compactMap { $0 }.min() ?? 1 << 30
    }

    /// `MemTotal:       16316412 kB`.
    private static func total(_ read: Reader) -> Int? {
        let line = read("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }

    /// The limits of a group and of those around it; the least one holds. A container sees its own group as the root.
    /// - Parameter line: of `/proc/self/cgroup`: `0::/path` (version 2) or `9:memory:/path` (version 1).
    private static func limits(group line: Substring, _ read: Reader) -> [Int] {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return [] }
        let root: String
        let file: String
        if parts[0] == "0", parts[1].isEmpty {
            (root, file) = ("/sys/fs/cgroup", "memory.max")
        } else if parts[1].split(separator: ",").contains("memory") {
            (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            return []
        }
        var limits: [Int] = []
        var path = parts[2].split(separator: "/")
        while true {
            let name = ([root] + path.map(String.init) + [file]).joined(separator: "/")
            // "max" in version 2; version 1 gives a number past any machine's memory.
            let text = read(name)?.trimmingCharacters(in: .whitespacesAndNewlines)
            if let limit = text.flatMap({ Int($0) }), limit > 0 { limits.append(limit) }
            guard path.popLast() != nil else { return limits }
        }
    }
}
