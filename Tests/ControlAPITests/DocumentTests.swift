import Foundation
import Testing

@testable import ControlAPI

/// The documentation has exactly what the code says of itself. After a change, run this test with
/// `PLAYHOUSE_WRITE_DOCS=1` in the environment: it writes the generated parts instead of comparing them.
struct DocumentTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/api.md")

    @Test("The generated parts of the documentation are up to date")
    func generatedPartsAreUpToDate() throws {
        var text = try String(contentsOf: Self.file, encoding: .utf8)
        let isWriting = ProcessInfo.processInfo.environment["PLAYHOUSE_WRITE_DOCS"] == "1"
        for (name, expected) in [
            ("commands", CommandRegistry.markdown), ("codes", ReplyCode.markdownTable),
        ] {
            let begin = try #require(text.range(of: "<!-- begin generated: \(name) -->\n"))
            let end = try #require(text.range(of: "\n<!-- end generated: \(name) -->"))
            try #require(begin.upperBound <= end.lowerBound)
            if isWriting {
                text.replaceSubrange(begin.upperBound..<end.lowerBound, with: expected)
            } else {
                #expect(text[begin.upperBound..<end.lowerBound] == expected, "docs/api.md: \(name) are not up to date")
            }
        }
        if isWriting { try text.write(to: Self.file, atomically: true, encoding: .utf8) }
    }

    @Test("Every command is documented in full")
    func everyCommandIsDocumentedInFull() {
        for command in CommandRegistry.descriptions {
            #expect(!command.text.isEmpty && !command.payload.isEmpty, "\(command.name)")
            #expect(Set(command.fields.map(\.name)).count == command.fields.count, "\(command.name)")
            #expect(CommandRegistry.entry(named: command.name) != nil)
        }
        for (alias, name) in CommandRegistry.aliases {
            #expect(CommandRegistry.descriptions.allSatisfy { $0.name != alias })
            #expect(CommandRegistry.descriptions.contains { $0.name == name })
        }
    }
}
