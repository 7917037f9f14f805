import Foundation

/// How much memory this process may have: the machine's, or less where a control group (a container, a systemd unit) says
/// so.
enum MachineMemory {
    /// Bytes. 1 GiB where the system does not say.
    /// - Parameter read: gives a file's text; nil when there is no such file.
    static func available(
        read: (String) -> String? = { try? String(contentsOfFile: $0, encoding: .utf8) }
    ) -> Int {
        let groups = (read("/proc/self/cgroup") ?? "").split(separator: "\n").flatMap { limits(group: $0, read) }
        return ([total(read)] + groups).compactMap { $0 }.min() ?? 1 << 30
    }

    /// `MemTotal:       16316412 kB`.
    private static func total(_ read: (String) -> String?) -> Int? {
        let line = read("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }

    /// The limits of a group and of those around it; the least one holds. A container sees its own group as the root.
    /// - Parameter line: of `/proc/self/cgroup`: `0::/path` (version 2) or `9:memory:/path` (version 1).
    private static func limits(group line: Substring, _ read: (String) -> String?) -> [Int] {
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
