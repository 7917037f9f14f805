import ArgumentParser
import Basics
import ControlAPI
import Foundation
import Origin
import Settings
import Storage

/// How a command hands over a new key: on the terminal, as JSON, or in a profile file. It is shown this once.
struct NewKeyOutput: ParsableArguments {
    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Write URL and keys to a new file, readable by you alone, for `playhouse call`.", valueName: "file"))
    var profile: String?

    @Option(help: "The URL of the API for --profile (default: made from http.listen).")
    var url: String?

    @Flag(help: "Let --profile replace a file that is there.")
    var overwrite = false

    /// Fails before anything is created when the profile could not be written.
    func prepare() throws {
        if overwrite || profile.map(FileManager.default.fileExists(atPath:)) != true { return }
        throw Failure("\(profile ?? "") exists already; give --overwrite to replace it")
    }

    /// `extra` are further lines and members, after the four that every new key has.
    func show(
        _ key: APIKey, of account: Account, configuration: PlayhouseConfiguration, title: String,
        extra: JSONObject = [:]
    ) throws {
        let address = url ?? Profile.standardURL(for: configuration.http.listen)
        let content = Profile(url: address, accountID: account.id, apiKey: key.apiKey, privateKey: key.privateKey)
        let saving = Swift.Result { try profile.map { try content.write(to: $0) } }
        if json {
            var object: JSONObject = [
                "cdn": .int(account.id.rawValue), "user": .string(account.user), "api_key": .string(key.apiKey),
                "private_key": .string(key.privateKey),
            ]
            for member in extra.members { object[member.name] = member.value }
            Terminal.print(Terminal.json(.object(object)))
        } else {
            Terminal.print(title)
            if let profile, case .success = saving {
                Terminal.print("  api key      \(key.apiKey)")
                Terminal.print("The keys are in \(profile). Try: playhouse call app.list --profile \(profile)")
            } else {
                Terminal.print("  api key      \(key.apiKey)\n  private key  \(key.privateKey)")
                Terminal.print("Keep the private key: it is not shown again.")
            }
        }
        // After the keys, so that they are not lost with the file.
        _ = try saving.get()
    }
}
