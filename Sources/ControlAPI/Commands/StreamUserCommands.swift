import Basics
import Foundation
import RTMP
import Storage

/// Who may publish, by id or by app, stream and user.
struct StreamUserSelector: Sendable {
    private static let id = CommandField.optional("streamuser_id", .id, "The user's id; or else:")
    private static let app = StreamFields.app.saying("The application,")
    private static let stream = CommandField.optional("stream", .streamName(allowsStar: true), "the stream")
    private static let user = CommandField.optional(
        "user", .text, "and the user's name (null where publishing is open).")

    static let descriptions = [CommandDescription.Field].list(id, app, stream, user)

    private enum Selection: Sendable {
        case id(Int64)
        case name(app: String, stream: String, user: String?)
    }

    private let selection: Selection

    init?(_ fields: inout Fields) {
        if fields.isGiven(Self.id) {
            guard let id = fields.read(Self.id) else { return nil }
            selection = .id(id)
            return
        }
        if !fields.has(Self.app.name), !fields.has(Self.stream.name), !fields.has(Self.user.name) {
            fields.missing(Self.id)
            return nil
        }
        let app = fields.read(Self.app, isRequired: true)
        let stream = fields.read(Self.stream, isRequired: true)
        let user = fields.isNull(Self.user.name) ? nil : fields.read(Self.user, isRequired: true)
        guard let app, let stream else { return nil }
        selection = .name(app: app, stream: stream, user: user)
    }

    /// Throws code 2140 when the account has no such user.
    func find(_ context: CommandContext) async throws -> StreamUser {
        switch selection {
        case .id(let id):
            if let user = try await context.store.streamUser(id: id), user.accountID == context.account.id {
                context.touched.concern(.streamUser(app: user.app, stream: user.stream, user: user.user))
                return user
            }
        case .name(let app, let stream, let name):
            context.touched.concern(.streamUser(app: app, stream: stream, user: name))
            let users = try await context.store.streamUsers(accountID: context.account.id, app: app, stream: stream)
            if let user = users.first(where: { $0.user == name }) { return user }
        }
        throw CommandFailure(.streamUserNotFound)
    }
}

extension CommandContext {
    /// The account's settings row of exactly this stream, not one that it inherits from.
    func settings(
        app: String, stream: String, in transaction: any StoreTransaction
    ) throws -> StreamSettings? {
        try transaction.streamSettings(app: app, stream: stream).first {
            $0.stream == stream && $0.accountID == account.id
        }
    }

    /// The reply says what is in force for a stream, which it may inherit.
    func concernSettings(app: String, stream: String) {
        for name in StreamSettings.inheritance(of: stream) { touched.concern(.stream(app: app, stream: name)) }
    }

    /// Gives a user who logs in what checks an answer to a challenge.
    func setVerifier(
        _ password: String, of user: inout StreamUser, in transaction: any StoreTransaction
    ) throws {
        let name = user.user ?? ""
        // The challenge comes before the stream's name does, so an app's users of one name share a salt.
        let namesakes = try transaction.streamUsers(accountID: account.id, app: user.app, stream: nil)
        let salt =
            namesakes.first { $0.user == name }?.challengeSalt ?? String(UInt64.random(in: .min ... .max), radix: 16)
        let verifier = AdobeAuthentication.verifier(user: name, salt: salt, password: password)
        user.challengeSalt = salt
        try user.setChallengeVerifier(verifier, with: environment.secret)
    }

    /// The settings in force for a row's stream.
    func describe(_ row: StreamSettings) async throws -> JSONObject {
        let rows = try await store.streamSettings(app: row.app, stream: row.stream)
        return describe(row, inheriting: rows)
    }

    /// - Parameter rows: what the stream's settings come from, itself included.
    func describe(_ row: StreamSettings, inheriting rows: [StreamSettings]) -> JSONObject {
        let rule = environment.admissions.rule(app: row.app, stream: row.stream, settings: rows)
        return JSONObject(
            row, inheriting: rows, protection: rule.protection, tokens: environment.admissions.tokenRule(rows))
    }

    /// A stream user with its stream's settings in force and its addresses. Passwords are never given back.
    func describe(_ user: StreamUser, _ settings: JSONObject) -> JSONObject {
        var object: JSONObject = [
            "streamuser_id": .integer(user.id), "stream_id": .integer(user.streamID), "app": .string(user.app),
            "stream": .string(user.stream), "user": user.user.map { .string($0) } ?? .null,
            "authentication": .bool(user.passwordHash != nil), "created": .string(ReplyDate.text(user.created)),
        ]
        for member in settings.members where object[member.name] == nil {
            object[member.name] = member.value
        }
        let addresses = environment.addresses
        object["origin_url"] = .string(addresses.publishURL(app: user.app))
        object["playback_url"] = .string(addresses.playlistURL(app: user.app, stream: user.stream))
        return object
    }
}

/// `sevu.addstreamuser`: somebody who may publish.
struct AddStreamUser: StoreCommand {
    private static let app = StreamFields.app
    private static let stream = CommandField.required(
        "stream", .streamName(allowsStar: true), "The stream's name; `*` for every stream of the app.")
    private static let user = CommandField.required("user", .text(maximum: 128), "The encoder's user name, or null.")
    private static let pass = CommandField.required(
        "pass", .text(maximum: 72), "Its password, at most 72 bytes, or null. It is kept as a bcrypt hash.")

    static let description = CommandDescription(
        name: "sevu.addstreamuser", isMutating: true,
        text:
            "Lets an encoder publish a stream, and sets the stream up. With `user` and `pass` both null "
            + "anybody may publish it, but the name must be one that was added.",
        fields: .list(app, stream, user, pass) + StreamSettingsFields.descriptions,
        payload:
            "`streamuser_id`, `stream_id`, `protection` (what is in force), `origin_url`, `playback_url` (of a stream "
            + "called `STREAM` for `*`); `warnings`, a list, where viewers cannot be let in as the settings say.")

    private let app, stream: String
    private let login: (user: String, pass: String)?
    private let settings: StreamSettingsFields

    init?(_ fields: inout Fields) {
        let app = fields.read(Self.app)
        let stream = fields.read(Self.stream)
        settings = StreamSettingsFields(&fields)
        var login: (String, String)?
        if !(fields.isNull(Self.user.name) && fields.isNull(Self.pass.name)) {
            let user = fields.read(Self.user)
            let pass = fields.read(Self.pass)
            if let user, let pass { login = (user, pass) }
        }
        self.login = login
        guard let app, let stream else { return nil }
        (self.app, self.stream) = (app, stream)
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.streamUser(app: app, stream: stream, user: login?.user))
        var user = StreamUser(
            accountID: context.account.id, app: app, stream: stream, user: login?.user, passwordHash: nil,
            created: context.environment.now())
        if let login { user.passwordHash = try await context.environment.hash(login.pass) }
        return StoreEffect { [user] transaction in
            StoreEffect.Outcome(reply: try add(user, context, in: transaction)) {
                await context.environment.admissions.streamSettingsChanged()
            }
        }
    }

    private func add(
        _ user: StreamUser, _ context: CommandContext, in transaction: any StoreTransaction
    ) throws -> Reply {
        var user = user
        let users = try transaction.streamUsers(accountID: context.account.id, app: app, stream: stream)
        guard !users.contains(where: { $0.user == user.user }) else { throw CommandFailure(.streamUserExists) }
        if let login { try context.setVerifier(login.pass, of: &user, in: transaction) }
        let known = try context.settings(app: app, stream: stream, in: transaction)
        var row = known ?? StreamSettings(accountID: user.accountID, app: app, stream: stream, created: user.created)
        try settings.apply(to: &row, sealing: context.environment.secret)
        let hasChanged = row != known
        row = try transaction.upsertStream(row)
        if hasChanged { context.touched.change(.stream(app: app, stream: stream)) }
        user.streamID = row.id
        user = try transaction.insertStreamUser(user)
        context.touched.change(.streamUser(app: app, stream: stream, user: user.user))
        context.concernSettings(app: app, stream: stream)
        let rows = try transaction.streamSettings(app: app, stream: stream)
        let all = context.describe(user, context.describe(row, inheriting: rows))
        var payload = JSONObject()
        for name in ["streamuser_id", "stream_id", "protection", "origin_url", "playback_url"] {
            payload[name] = all[name]
        }
        payload.add(warnings: context.environment.admissions.warnings(app: app, stream: stream, settings: rows))
        return Reply(.streamUserAdded, payload: payload)
    }
}

/// `sevu.liststreamusers`.
struct ListStreamUsers: Command {
    private static let app = StreamFields.app.saying("Of this application.")
    private static let stream = CommandField.optional("stream", .streamName(allowsStar: true), "Of this stream.")

    static let description = CommandDescription(
        name: "sevu.liststreamusers", isMutating: false, text: "Lists who may publish what.",
        fields: .list(app, stream),
        payload: "`stream_users`, a list of rows as `sevu.retrievestreamuser` has them.")

    private let app, stream: String?

    init?(_ fields: inout Fields) {
        app = fields.read(Self.app)
        stream = fields.read(Self.stream)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let users = try await context.store.streamUsers(accountID: context.account.id, app: app, stream: stream)
        let rows = try await context.store.streams(accountID: context.account.id)
        let byName = Dictionary(rows.map { (StreamName(app: $0.app, stream: $0.stream), $0) }) { first, _ in first }
        let list = users.map { user -> JSONValue in
            let names = StreamSettings.inheritance(of: user.stream)
            let rows = names.compactMap { byName[StreamName(app: user.app, stream: $0)] }
            let own = rows.first { $0.id == user.streamID }
            return .object(context.describe(user, own.map { context.describe($0, inheriting: rows) } ?? [:]))
        }
        return Reply(.streamUsersListed, payload: ["stream_users": .array(list)])
    }

    private struct StreamName: Hashable {
        var app, stream: String
    }
}

/// `sevu.retrievestreamuser`.
struct RetrieveStreamUser: Command {
    static let description = CommandDescription(
        name: "sevu.retrievestreamuser", isMutating: false,
        text: "One stream user with the stream's settings and addresses. The password is never shown.",
        fields: StreamUserSelector.descriptions,
        payload:
            "`streamuser_id`, `stream_id`, `app`, `stream`, `user`, `authentication`, `created`, the "
            + "stream's settings, `origin_url`, `playback_url`."
    )

    private let selector: StreamUserSelector

    init?(_ fields: inout Fields) {
        guard let selector = StreamUserSelector(&fields) else { return nil }
        self.selector = selector
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let user = try await selector.find(context)
        var settings: JSONObject = [:]
        if let row = try await context.store.stream(id: user.streamID) { settings = try await context.describe(row) }
        return Reply(.streamUserFound, payload: context.describe(user, settings))
    }
}

/// `sevu.updatestreamuser`: another password.
struct UpdateStreamUser: StoreCommand {
    private static let pass = CommandField.required("pass", .text(maximum: 72), "The new password, at most 72 bytes.")

    static let description = CommandDescription(
        name: "sevu.updatestreamuser", isMutating: true,
        text:
            "Gives a stream user another password, with no moment in which the stream has no user. An encoder that publishes goes "
            + "on; at its next login the old password is wrong. An extension: the documents have no such command.",
        fields: StreamUserSelector.descriptions + .list(pass), payload: "nothing more.")

    private let selector: StreamUserSelector
    private let pass: String

    init?(_ fields: inout Fields) {
        let pass = fields.read(Self.pass)
        guard let selector = StreamUserSelector(&fields), let pass else { return nil }
        (self.selector, self.pass) = (selector, pass)
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        let found = try await selector.find(context)
        guard found.user != nil else {
            throw CommandFailure(invalid: [.invalid("pass", expected: "must be absent: this user logs in without one")])
        }
        let hash = try await context.environment.hash(pass)
        return StoreEffect { transaction in
            guard var user = try transaction.streamUser(id: found.id) else { throw CommandFailure(.streamUserNotFound) }
            user.passwordHash = hash
            try context.setVerifier(pass, of: &user, in: transaction)
            guard try transaction.updateStreamUser(user) else { throw CommandFailure(.streamUserNotFound) }
            context.touched.change(.streamUser(app: user.app, stream: user.stream, user: user.user))
            return StoreEffect.Outcome(reply: Reply(.streamUserUpdated))
        }
    }
}

/// `sevu.removestreamuser`.
struct RemoveStreamUser: StoreCommand {
    static let description = CommandDescription(
        name: "sevu.removestreamuser", isMutating: true,
        text:
            "Takes the permission to publish away. A stream that runs goes on until `stream.close`; its settings stay.",
        fields: StreamUserSelector.descriptions, payload: "nothing more.")

    private let selector: StreamUserSelector

    init?(_ fields: inout Fields) {
        guard let selector = StreamUserSelector(&fields) else { return nil }
        self.selector = selector
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        let user = try await selector.find(context)
        return StoreEffect { transaction in
            guard try transaction.removeStreamUser(id: user.id) else { throw CommandFailure(.streamUserNotFound) }
            context.touched.change(.streamUser(app: user.app, stream: user.stream, user: user.user))
            return StoreEffect.Outcome(reply: Reply(.streamUserRemoved))
        }
    }
}

/// `sevu.updatestream`: settings of a stream.
struct UpdateStream: StoreCommand {
    private static let id = CommandField.optional("stream_id", .id, "The stream's id; or else:")
    private static let app = StreamFields.app.saying("the application")
    private static let stream = CommandField.optional(
        "stream", .streamName(allowsStar: true), "and the stream's name.")

    static let description = CommandDescription(
        name: "sevu.updatestream", isMutating: true,
        text:
            "Changes a stream's settings; what is not given stays. Protection holds within a second, also for those who "
            + "watch already.",
        fields: .list(id, app, stream) + StreamSettingsFields.descriptions,
        payload:
            "the stream's settings in force, of secrets the last four digits; `warnings`, a list, where viewers cannot be let in as "
            + "they say.")

    private enum Selection: Sendable {
        case id(Int64)
        case name(app: String, stream: String)
    }

    private let selection: Selection
    private let settings: StreamSettingsFields

    init?(_ fields: inout Fields) {
        settings = StreamSettingsFields(&fields)
        if fields.isGiven(Self.id) || (!fields.isGiven(Self.app) && !fields.isGiven(Self.stream)) {
            guard let id = fields.read(Self.id, isRequired: true) else { return nil }
            selection = .id(id)
        } else {
            let app = fields.read(Self.app, isRequired: true)
            let stream = fields.read(Self.stream, isRequired: true)
            guard let app, let stream else { return nil }
            selection = .name(app: app, stream: stream)
        }
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        if case .name(let app, let stream) = selection { context.touched.concern(.stream(app: app, stream: stream)) }
        return StoreEffect { transaction in
            StoreEffect.Outcome(reply: try change(context, in: transaction)) {
                await context.environment.admissions.streamSettingsChanged()
            }
        }
    }

    private func change(_ context: CommandContext, in transaction: any StoreTransaction) throws -> Reply {
        let found =
            switch selection {
            case .id(let id): try transaction.stream(id: id)
            case .name(let app, let stream): try context.settings(app: app, stream: stream, in: transaction)
            }
        guard var row = found, row.accountID == context.account.id else { throw CommandFailure(.streamNotFound) }
        try settings.apply(to: &row, sealing: context.environment.secret)
        row = try transaction.upsertStream(row)
        context.touched.change(.stream(app: row.app, stream: row.stream))
        context.concernSettings(app: row.app, stream: row.stream)
        let rows = try transaction.streamSettings(app: row.app, stream: row.stream)
        var payload = context.describe(row, inheriting: rows)
        payload.add(
            warnings: context.environment.admissions.warnings(app: row.app, stream: row.stream, settings: rows))
        return Reply(.streamUpdated, payload: payload)
    }
}
