import ArgumentParser
import ControlAPI
import Foundation
import Storage

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Create, list and revoke an account's API keys.",
        subcommands: [KeyCreate.self, KeyList.self, KeyRevoke.self])
}

extension KeyRights: ExpressibleByArgument {}

struct KeyCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create another API key; its private key is shown this once.",
        discussion: """
            Rights:
              full     every command
              read     commands that change nothing
              tickets  tickets and the log of attempts only

            Examples:
              playhouse key create demo --label "web shop" --rights tickets
              playhouse key create demo --json
            """)

    @Argument(help: "The account's user name.")
    var name: String

    @Option(help: "What the key may do.")
    var rights = KeyRights.full

    @Option(help: "What it is for, in your words.")
    var label = ""

    @OptionGroup var settings: ConfigurationOption
    @OptionGroup var output: NewKeyOutput

    func validate() throws {
        guard label.utf8.count <= 200 else { throw ValidationError("--label must be at most 200 bytes") }
    }

    func run() async throws {
        let configuration = try settings.load()
        try output.prepare()
        let (account, key) = try await StoreAccess.with(configuration) { store in
            let account = try await StoreAccess.account(named: name, in: store)
            let key = APIKey.generate(accountID: account.id, rights: rights, label: label, now: Date())
            return (account, try await store.insertKey(key))
        }
        try output.show(
            key, of: account, configuration: configuration,
            title: "New key of \(account.user), CDN \(account.id), rights \(rights.rawValue)",
            extra: ["rights": .string(rights.rawValue), "label": .string(label)])
    }
}

struct KeyList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List an account's API keys; private keys are never shown again.")

    @Argument(help: "The account's user name.")
    var name: String

    @OptionGroup var settings: ConfigurationOption

    @Flag(help: "Print [{\"api_key\",\"rights\",\"label\",\"created\",\"revoked\"}].")
    var json = false

    func run() async throws {
        let keys = try await StoreAccess.with(settings.load()) { store in
            try await store.keys(accountID: StoreAccess.account(named: name, in: store).id)
        }
        if json {
            let rows = keys.map { key in
                JSONValue.object([
                    "api_key": .string(key.apiKey), "rights": .string(key.rights.rawValue), "label": .string(key.label),
                    "created": .string(Terminal.date(key.created)),
                    "revoked": key.revoked.map { .string(Terminal.date($0)) } ?? .null,
                ])
            }
            return Terminal.print(Terminal.json(.array(rows)))
        }
        let rows = keys.map { key in
            [
                key.apiKey, key.rights.rawValue, Terminal.date(key.created),
                key.revoked.map { "revoked \(Terminal.date($0))" } ?? "valid", key.label,
            ]
        }
        Terminal.print(Terminal.table([["API KEY", "RIGHTS", "CREATED", "STATE", "LABEL"]] + rows))
    }
}

struct KeyRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Make an API key invalid for good.",
        discussion: """
            Example:
              playhouse key revoke APX0123456789ABCDEFGHIJKLMNOPQRS
            """)

    @Argument(help: "The public API key.")
    var apiKey: String

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let isRevoked = try await StoreAccess.with(settings.load()) { store in
            try await store.revokeKey(apiKey: apiKey, at: Date())
        }
        guard isRevoked else { throw Failure("there is no API key \(apiKey), or it is revoked already") }
        Terminal.print("\(apiKey) is revoked")
    }
}
