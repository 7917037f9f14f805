import Foundation
import TestSupport

/// A documented PHP sample, run as it stands in `Fixtures` but for four values.
enum SeedProgram {
    /// Address, CDN, API key and private key are the origin's; nothing else changes.
    static func run(_ fixture: String, as account: TestAccount) async throws -> ProgramResult {
        var text = try Fixture.text(fixture)
        for (documented, ours) in [
            ("https://api.scaleengine.net/stable/", account.url),
            ("APX4GKLM0RKQLSP2FBO1ROPKSSW47DZE", account.keys.apiKey),
            ("8fc8c48da81e6a2a06a9556379bf798af508dc0792497c678b4c3532ba8b637f", account.keys.privateKey),
            ("'cdn' => 158,", "'cdn' => \(account.keys.accountID),"),
        ] {
            guard text.contains(documented) else {
                throw ProgramFailure(description: "\(fixture) does not hold \(documented)")
            }
            text = text.replacing(documented, with: ours)
        }
        let folder = try Folder()
        return try await ForeignProgram.run(["php", try folder.write(text, to: fixture)])
    }

    /// What the sample prints for a reply: its members in order, by PHP's `print_r`. The last is left out after its name:
    /// it is a time.
    static func printed(_ members: [(String, String)]) -> String {
        "Array\n(\n" + members.map { "    [\($0.0)] => \($0.1)\n" }.joined() + "    [handle_time] => "
    }
}

enum Fixture {
    static func path(_ name: String) -> String {
        Places.repository + "/Tests/EndToEndTests/Fixtures/" + name
    }

    static func text(_ name: String) throws -> String {
        try String(contentsOfFile: path(name), encoding: .utf8)
    }
}
