import ArgumentParser
import Basics
import ControlAPI
import Foundation
import Storage

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
        let (account, key) = try await StoreAccess.with(configuration) { store in
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
            let account = Account(id: accountID, user: name, created: Date())
            try await store.insertAccount(account)
            return account
        }
        // Somebody else may take the number between the look and the insertion.
        for attempt in 1... {
            let taken = Set(try await store.accounts().map(\.id.rawValue))
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

extension AccountID: ExpressibleByArgument {}
