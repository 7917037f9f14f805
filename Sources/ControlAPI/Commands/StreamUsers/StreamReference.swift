import Storage

/// Which stream's settings a request means: `stream_id`, or `app` and `stream`.
enum StreamReference: Sendable {
    case id(Int64)
    case name(app: String, stream: String)

    init(_ fields: inout Fields, rule: FieldText) {
        if let id = fields.optionalID("stream_id") {
            self = .id(id)
        } else if fields.given("stream_id") == nil, fields.given("app") != nil || fields.given("stream") != nil {
            self = .name(app: fields.app(), stream: fields.text("stream", rule))
        } else {
            fields.require("stream_id")
            self = .id(0)
        }
    }

    /// Throws `streamNotFound`, also for another account's.
    func find(in context: CommandContext) async throws -> StreamSettings {
        let found =
            switch self {
            case .id(let id): try await context.services.store.stream(id: id)
            case .name(let app, let stream): try await context.settings(app: app, stream: stream)
            }
        guard let found, found.cdn == context.account.cdn else { throw CommandFailure(.streamNotFound) }
        return found
    }
}
