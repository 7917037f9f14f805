import Foundation
import Testing

@testable import Origin

@Suite("Memory that is free") struct MemoryServiceTests {
    /// In a process of its own, in which nobody else allocates.
    @Test(
        "What was freed below something that is still in use goes back to the system",
        .enabled(
            if: ProcessInfo.processInfo.environment["ASAN_OPTIONS"] == nil, "sanitizers have an allocator of their own")
    )
    func givesBack() async throws {
        await #expect(processExitsWith: .success) {
            // Too small for mappings of their own, so they come from the heap; the last one keeps it from shrinking.
            var blocks = (0..<4_096).map { _ in [UInt8](repeating: 1, count: 64 << 10) }
            blocks.removeFirst(4_095)
            let before = try MemoryServiceTests.resident()
            await MemoryService.giveBack()
            let given = try before - MemoryServiceTests.resident()
            // Of 256 MiB that were free most are gone.
            exit(given > 192 << 20 && blocks.count == 1 ? 0 : 1)
        }
    }

    /// VmRSS of this process, in bytes.
    private static func resident() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) * 1_024
    }
}
