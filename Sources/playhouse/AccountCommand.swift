import ArgumentParser
import ControlAPI
import Foundation
import Storage

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Create, list, suspend and resume accounts.",
        discussion: """
            These commands work on the store in storage.path, whether a server is running on it or not. What they change
            holds for a running server at once.
            """,
        subcommands: [AccountCreate.self, AccountList.self, AccountSuspend.self, AccountResume.self])
}

struct AccountList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the accounts, by CDN number.")

    @OptionGroup var settings: ConfigurationOption

    @Flag(help: "Print [{\"cdn\",\"user\",\"suspension\",\"created\"}].")
    var json = false

    func run() async throws {
        let accounts = try await StoreAccess.with(settings.load()) { try await $0.accounts() }
        if json {
            let rows = accounts.map { account in
                JSONValue.object([
                    "cdn": .int(account.id.rawValue), "user": .string(account.user),
                    "suspension": account.suspension.map(JSONValue.string) ?? .null,
                    "created": .string(Terminal.date(account.created)),
                ])
            }
            return Terminal.print(Terminal.json(.array(rows)))
        }
        guard !accounts.isEmpty else { return Terminal.complain("No accounts yet: playhouse account create NAME") }
        let rows = accounts.map { account in
            [
                String(account.id.rawValue), account.user, Terminal.date(account.created),
                account.suspension.map { "suspended: \($0)" } ?? "active",
            ]
        }
        Terminal.print(Terminal.table([["CDN", "USER", "CREATED", "STATE"]] + rows))
    }
}

struct AccountSuspend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend",
        abstract: "Refuse an account's API calls, with a reason its owner sees.",
        discussion: """
            Streams that are running go on. `playhouse account resume` lifts it.

            Example:
              playhouse account suspend demo --reason "The invoice of May is unpaid"
            """)

    @Argument(help: "The account's user name.")
    var name: String

    @Option(help: "What API replies say.")
    var reason: String

    @OptionGroup var settings: ConfigurationOption

    func validate() throws {
        guard !reason.allSatisfy(\.isWhitespace), reason.utf8.count <= 500 else {
            throw ValidationError("the reason must be a sentence of at most 500 bytes")
        }
    }

    func run() async throws {
        try await StoreAccess.with(settings.load()) { store in
            let account = try await StoreAccess.account(named: name, in: store)
            try await store.setSuspension(accountID: account.id, reason)
        }
        Terminal.print("\(name) is suspended")
    }
}

struct AccountResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Accept a suspended account's API calls again.")

    @Argument(help: "The account's user name.")
    var name: String

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        try await StoreAccess.with(settings.load()) { store in
            let account = try await StoreAccess.account(named: name, in: store)
            try await store.setSuspension(accountID: account.id, nil)
        }
        Terminal.print("\(name) is active")
    }
}
