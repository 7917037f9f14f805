import Foundation
import FuzzTargets
import Testing

/// Everything the fuzzer begins with and everything it has found, through the same functions, in every test run.
struct ReplayTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fuzz")

    private static func inputs(_ kind: String, of target: FuzzTarget) throws -> [URL] {
        let folder = folder.appendingPathComponent("\(kind)/\(target.rawValue)")
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    }

    @Test("What the fuzzer has found stays fixed", arguments: FuzzTarget.allCases)
    func keptFailures(_ target: FuzzTarget) throws {
        for file in try Self.inputs("Failures", of: target) {
            #expect(throws: Never.self, "\(file.path)") { try target.run(Array(Data(contentsOf: file))) }
        }
    }

    @Test("What the fuzzer begins with passes", arguments: FuzzTarget.allCases)
    func corpus(_ target: FuzzTarget) throws {
        let files = try Self.inputs("Corpus", of: target)
        #expect(!files.isEmpty)
        for file in files {
            #expect(throws: Never.self, "\(file.path)") { try target.run(Array(Data(contentsOf: file))) }
        }
    }
}
