import Foundation
import Testing

/// docs/decisions and the comments that cite it.
struct DecisionTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let names: Set<String> = {
        let folder = root.appendingPathComponent("docs/decisions")
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return Set(files).subtracting(["README.md"])
    }()

    @Test("Every decision has a number of its own and is listed")
    func decisionsAreListed() throws {
        let list = try String(
            contentsOf: Self.root.appendingPathComponent("docs/decisions/README.md"), encoding: .utf8)
        #expect(!Self.names.isEmpty)
        #expect(Set(Self.names.map { $0.prefix(4) }).count == Self.names.count)
        for name in Self.names {
            #expect(list.contains("(\(name))"), "docs/decisions/README.md does not list \(name)")
        }
    }

    @Test("Comments cite decisions that exist")
    func citationsLeadSomewhere() {
        for source in RoomTests.sources {
            #expect(!source.text.contains("(decisions:"), "\(source.path) cites decisions without naming a file")
            for citation in source.text.components(separatedBy: "docs/decisions/").dropFirst() {
                let name = citation.prefix { $0.isLetter || $0.isNumber || $0 == "-" } + ".md"
                #expect(Self.names.contains(String(name)), "\(source.path) cites docs/decisions/\(name)")
            }
        }
    }
}
