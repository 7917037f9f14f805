import Storage

/// `log.origin`
struct ListOriginEvents: ControlCommand {
    static let definition = CommandDefinition(
        name: "log.origin", isMutating: false,
        summary: "Lists what happened to a stream: publish, unpublish, push, unpush, newest first.",
        fields: [
            StreamAddressFields.app,
            .init("stream", "string", required: true, "The stream, or `*` for all of the application."),
            .init("limit", "int", "1 to 1000, default 25."),
            .init("offset", "int", "Rows to skip; default 0."),
        ],
        reply: [
            .init("events", "list", "One object an event:"),
            .init("events.id", "string", ""),
            .init("events.datetime", "string", "UTC."),
            .init("events.event", "string", "`publish`, `unpublish`, `push` or `unpush`."),
            .init("events.app", "string", ""),
            .init("events.inst", "string", ""),
            .init("events.stream", "string", ""),
            .init("events.authenticated", "string", "`1`, or `0` when the encoder's credentials were wrong."),
            .init("events.user", "string", "The stream user."),
            .init("events.ip", "string", "The encoder's address, or the push's far end."),
            .init("events.metadata", "object", "Encoder data, push settings without secrets, or `error`."),
        ],
        codes: [.originLogListed])

    private let app: String
    private let stream: String
    private let limit: Int
    private let offset: Int

    init(_ fields: inout Fields) {
        app = fields.app()
        stream = fields.text("stream", .nameOrAll)
        limit = fields.optionalInt("limit", in: 1...1000) ?? 25
        offset = fields.optionalInt("offset", in: 0...Int.max) ?? 0
    }

    func run(in context: CommandContext) async throws -> Reply {
        let events = try await context.services.store.events(
            cdn: context.account.cdn, app: app, stream: stream == "*" ? nil : stream, limit: limit, offset: offset)
        return Reply(.originLogListed, payload: ["events": .array(events.map(Self.row))])
    }

    private static func row(_ event: OriginEvent) -> JSONValue {
        let metadata = event.metadata.sorted { $0.key < $1.key }.map { JSONObject.Member($0.key, .string($0.value)) }
        return .object([
            "id": .string(String(event.id)),
            "datetime": .string(DateText.text(event.date)),
            "event": .string(event.kind.rawValue),
            "app": .string(event.app),
            "inst": .string(event.instance),
            "stream": .string(event.stream),
            "authenticated": event.isAuthenticated ? "1" : "0",
            "user": .string(event.user),
            "ip": .string(event.address),
            "metadata": .object(JSONObject(metadata)),
        ])
    }
}
