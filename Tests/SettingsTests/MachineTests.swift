import Testing

@testable import Settings

@Suite("What the machine has") struct MachineTests {
    private static let machine = "MemTotal:       16777216 kB\nMemFree: 1 kB\n"

    @Test(
        "The least of machine and control groups holds",
        arguments: [
            ([:], 1 << 30),
            (["/proc/meminfo": machine], 16 << 30),
            (
                ["/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"],
                16 << 30
            ),
            (
                ["/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n"],
                512 << 20
            ),
            (
                [
                    "/proc/meminfo": machine, "/proc/self/cgroup": "0::/system.slice/playhouse.service\n",
                    "/sys/fs/cgroup/system.slice/memory.max": "2147483648\n",
                    "/sys/fs/cgroup/system.slice/playhouse.service/memory.max": "max\n",
                ], 2 << 30
            ),
            (
                [
                    "/proc/meminfo": machine, "/proc/self/cgroup": "9:cpu,cpuacct:/x\n8:memory:/docker/1\n0::/x\n",
                    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                    "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "1073741824\n",
                ], 1 << 30
            ),
        ] as [([String: String], Int)])
    func least(files: [String: String], bytes: Int) {
        #expect(Machine.memory { files[$0] } == bytes)
    }

    @Test(
        "As many cores as the affinity allows, and no more than there are",
        arguments: [("Cpus_allowed:\t1\n", 1), ("Name:\tx\nCpus_allowed:\t0000,00010000\nCpus_allowed_list:\t16\n", 1)])
    func affinity(status: String, cores: Int) {
        #expect(Machine.cores { $0 == "/proc/self/status" ? status : nil } == cores)
        #expect(Machine.cores { _ in "Cpus_allowed:\tffffffff,ffffffff\n" } == Machine.cores { _ in nil })
    }

    @Test("The default of limits.memory is a word, so that the printed default is the same on every machine")
    func word() throws {
        let key = try #require(ConfigurationKey.all.first { $0.name == "limits.memory" })
        #expect(key.defaultValue == .scalar("auto"))
    }
}
