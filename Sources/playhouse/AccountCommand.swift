import ArgumentParser
import Basics
import ControlAPI
import Foundation
import Storage

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Create, list, suspend, resume and delete accounts.",
        discussion: """
            These commands work on the store in storage.path, whether a server is running on it or not. What they change
            holds for a running server at once.
            """,
        subcommands: [
            AccountCreate.self, AccountList.self, AccountSuspend.self, AccountResume.self, AccountDelete.self,
        ])
}

struct AccountCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create an account and its first API key.",
        discussion: """
            The account's apps are NAME-origin (live), NAME-chorigin and NAME-vod. The private key is shown this once.

            Examples:
              playhouse account create demo
              playhouse account create demo --cdn 158 --json
              playhouse account create demo --profile ~/.config/playhouse/profile.yaml
            """)

    @Argument(help: ArgumentHelp("The user name: \(AccountName.rule)."))
    var name: String

    @Option(name: .customLong("cdn"), help: "The account's number in API calls, from 1 (default: the next free one).")
    var accountID: AccountID?

    @OptionGroup var settings: ConfigurationOption
    @OptionGroup var output: NewKeyOutput

    func validate() throws {
        guard AccountName.isValid(name) else { throw ValidationError("NAME must be \(AccountName.rule)") }
        if let accountID, !(1...Int(Int32.max)).contains(accountID.rawValue) {
            throw ValidationError("--cdn must be a number from 1 to \(Int32.max)")
        }
    }

    func run() async throws {
        let configuration = try settings.load()
        try output.prepare()
        let (account, key) = try await StoreAccess.with(configuration, creates: true) { store in
            let account = try await insert(into: store)
            let key = APIKey.generate(accountID: account.id, rights: .full, label: "first key", now: Date())
            return (account, try await store.insertKey(key))
        }
        try output.show(
            key, of: account, configuration: configuration,
            title: "Account \(account.user), CDN \(account.id), apps \(account.apps.joined(separator: ", "))")
    }

    private func insert(into store: any AccountStore) async throws -> Account {
        if let taken = try await store.account(user: name) {
            throw Failure("the account \(name) exists already, with CDN \(taken.id)")
        }
        if let accountID {
            if let taken = try await store.account(id: accountID) {
                throw Failure("CDN \(accountID) is taken by the account \(taken.user)")
            }
            if try await store.deletedAccounts(after: 0).contains(where: { $0.id == accountID }) {
                throw Failure("CDN \(accountID) was the number of an account that is deleted, and is not given again")
            }
            let account = Account(id: accountID, user: name, created: Date())
            try await store.insertAccount(account)
            return account
        }
        // Somebody else may take the number between the look and the insertion.
        for attempt in 1... {
            let taken = Set(
                (try await store.accounts().map(\.id) + (try await store.deletedAccounts(after: 0)).map(\.id))
                    .map(\.rawValue))
            let free = (1...(taken.count + 1)).first { !taken.contains($0) } ?? taken.count + 1
            let account = Account(id: AccountID(rawValue: free), user: name, created: Date())
            do {
                try await store.insertAccount(account)
                return account
            } catch let error as StoreError {
                guard case .duplicate = error, attempt < 10, try await store.account(user: name) == nil else {
                    throw error
                }
            }
        }
        throw Failure("no free CDN number was found")
    }
}

/// What an account may be called. The name begins the names of its apps (`demo-origin`), so it holds no hyphen.
enum AccountName {
    static let rule = "2 to 32 letters and digits, of which the first is a lower-case letter"

    static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (2...32).contains(bytes.count), let first = bytes.first, (0x61...0x7A).contains(first) else {
            return false
        }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
    }
}

extension AccountID: ExpressibleByArgument {}

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

struct AccountDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete an account with everything that is its own.",
        discussion: """
            Without --yes it says what would be lost and deletes nothing. A running server ends the account's streams, pushes and
            viewers within a second. Its CDN number is never given again; its name may be. There is no way back: `playhouse
            account suspend` is the one that can be lifted.

            Examples:
              playhouse account delete demo
              playhouse account delete demo --yes
            """)

    @Argument(help: "The account's user name.")
    var name: String

    @Flag(help: "Delete it.")
    var yes = false

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        try await StoreAccess.with(settings.load()) { store in
            let account = try await StoreAccess.account(named: name, in: store)
            let contents = try await store.contents(accountID: account.id)
            let counts = [
                (contents.keys, "API key"), (contents.streams, "stream"), (contents.streamUsers, "stream user"),
                (contents.tickets, "ticket"), (contents.pushes, "stored push"),
            ].map { "\($0) \($1)\($0 == 1 ? "" : $1.hasSuffix("h") ? "es" : "s")" }.joined(separator: ", ")
            guard yes else {
                Terminal.print("\(name) (CDN \(account.id)) has \(counts), and its logs and usage.")
                throw Failure(
                    "nothing was deleted; all of this goes for good with: playhouse account delete \(name) --yes")
            }
            try await store.deleteAccount(id: account.id, at: Date())
            try await store.removeDeletedAccounts()
            Terminal.print("\(name) (CDN \(account.id)) is deleted, with \(counts)")
        }
    }
}
