import Foundation
import TestSupport
import Testing

@testable import Origin

@Suite("Memory that is free") struct MemoryServiceTests {
    @Test("What was freed below something that is still in use goes back to the system")
    func givesBack() async throws {
        // Again, if it must be: other tests take some of what is free before it goes.
        try await eventually("most of 256 MiB to go") {
            // Too small for mappings of their own, so they come from the heap; the last one keeps it from shrinking.
            var blocks = (0..<4_096).map { _ in [UInt8](repeating: 1, count: 64 << 10) }
            blocks.removeFirst(4_095)
            let before = try self.resident()
            await MemoryService.giveBack()
            let given = try before - self.resident()
            return given > 128 << 20 && blocks.count == 1
        }
    }

    /// VmRSS of this process, in bytes.
    private func resident() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) * 1_024
    }
}
