import Foundation
import Storage

/// `sevu.addstreamuser`
struct AddStreamUser: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.addstreamuser", isMutating: true,
        summary: """
            Allows an encoder to publish to a stream, and sets the stream's settings; settings not given stay as they are. \
            With `user` and `pass` both null anybody may publish to the stream's name.
            """,
        fields: [
            .init("app", "string", required: true, "The application."),
            .init("stream", "string", required: true, "The stream, or `*` for every stream of the app."),
            .init("user", "string", required: true, "Letters, digits and `- _ . @`, or null."),
            .init("pass", "string", required: true, "1 to 72 bytes, or null. Only a hash of it is kept."),
        ] + StreamSettingsFields.documents,
        reply: StreamUserPayload.documents + StreamUserPayload.settingsDocuments + StreamUserPayload.addressDocuments,
        codes: [.streamUserAdded, .streamUserExists])

    private let app: String
    private let stream: String
    private let credentials: (user: String, pass: String)?
    private let settings: StreamSettingsFields

    init(_ fields: inout Fields) {
        app = fields.app()
        stream = fields.text("stream", .nameOrAll)
        credentials = Self.credentials(&fields)
        settings = StreamSettingsFields(&fields)
    }

    /// Null has to be said for both: a client that forgets the password must not open the stream to everybody.
    private static func credentials(_ fields: inout Fields) -> (user: String, pass: String)? {
        if fields.object["user"] == .null, fields.object["pass"] == .null { return nil }
        let user = fields.text("user", .userName)
        // bcrypt looks at 72 bytes: a longer password would be cut without a word. Control characters cannot be typed.
        let pass = fields.text("pass", FieldText.text(limit: 72))
        return (user, pass)
    }

    func run(in context: CommandContext) async throws -> Reply {
        let store = context.services.store
        let cdn = context.account.cdn
        let others = try await store.streamUsers(cdn: cdn, app: app, stream: stream)
        guard !others.contains(where: { $0.stream == stream && $0.user == credentials?.user }) else {
            throw CommandFailure(.streamUserExists)
        }
        var user = StreamUser(
            cdn: cdn, app: app, stream: stream, user: credentials?.user, passwordHash: nil, created: context.now)
        if let credentials {
            let verifiers = try await context.services.secrets.verifiers(
                user: credentials.user, password: credentials.pass)
            user.passwordHash = verifiers.passwordHash
            user.sealedChallengeVerifier = verifiers.sealedChallengeVerifier
            user.challengeSalt = verifiers.challengeSalt
        }
        let unstored = user
        return try await context.services.settingsGate.run {
            try await store(unstored, in: context)
        }
    }

    private func store(_ user: StreamUser, in context: CommandContext) async throws -> Reply {
        let store = context.services.store
        var row =
            try await context.settings(app: app, stream: stream)
            ?? StreamSettings(cdn: context.account.cdn, app: app, stream: stream, created: context.now)
        settings.apply(to: &row)
        row = try await store.upsertStream(row)
        var user = user
        user.streamID = row.id
        do {
            user = try await store.insertStreamUser(user)
        } catch StoreError.duplicate {
            throw CommandFailure(.streamUserExists)
        }
        let payload = StreamUserPayload.user(user).merging(StreamUserPayload.settings(row)).merging(
            StreamUserPayload.addresses(app: app, stream: stream, configuration: context.services.configuration))
        return Reply(.streamUserAdded, payload: payload)
    }
}
