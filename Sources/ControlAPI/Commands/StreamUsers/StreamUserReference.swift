import Storage

/// Which stream user a request means: `streamuser_id`, or `app`, `stream` and `user`.
struct StreamUserReference: Sendable {
    static let documents: [FieldDocument] = [
        .init("streamuser_id", "int", required: true, "From `sevu.liststreamusers`; or, instead of it:"),
        .init("app", "string", "The application,"),
        .init("stream", "string", "the stream,"),
        .init("user", "string", "and the user; null for the user without credentials."),
    ]

    private enum Kind: Sendable {
        case id(Int64)
        case name(app: String, stream: String, user: String?)
    }

    private let kind: Kind

    init(_ fields: inout Fields) {
        if let id = fields.optionalID("streamuser_id") {
            kind = .id(id)
        } else if fields.given("streamuser_id") == nil, fields.given("app") != nil || fields.given("stream") != nil {
            let app = fields.app()
            let stream = fields.text("stream", .nameOrAll)
            let user = fields.object["user"] == .null ? nil : fields.text("user")
            kind = .name(app: app, stream: stream, user: user)
        } else {
            fields.require("streamuser_id")
            kind = .id(0)
        }
    }

    /// Throws `streamUserNotFound`, also for another account's.
    func find(in context: CommandContext) async throws -> StreamUser {
        let cdn = context.account.cdn
        let found: StreamUser?
        switch kind {
        case .id(let id):
            found = try await context.services.store.streamUser(id: id)
        case .name(let app, let stream, let user):
            let users = try await context.services.store.streamUsers(cdn: cdn, app: app, stream: stream)
            found = users.first { $0.stream == stream && $0.user == user }
        }
        guard let found, found.cdn == cdn else { throw CommandFailure(.streamUserNotFound) }
        return found
    }
}
