/// `sevu.liststreamusers`
struct ListStreamUsers: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.liststreamusers", isMutating: false,
        summary: "Lists the account's streams and who may publish to them.",
        fields: [
            .init("app", "string", "Of this application only."), .init("stream", "string", "Of this stream only."),
        ],
        reply: [.init("streamusers", "list", "One object a stream user:")]
            + StreamUserPayload.documents.map { .init("streamusers." + $0.name, $0.type, $0.text) },
        codes: [.streamUsersListed])

    private let app: String?
    private let stream: String?

    init(_ fields: inout Fields) {
        app = fields.optionalApp()
        stream = fields.optionalText("stream", .nameOrAll)
    }

    func run(in context: CommandContext) async throws -> Reply {
        let users = try await context.services.store.streamUsers(cdn: context.account.cdn, app: app, stream: stream)
        let rows = users.map { JSONValue.object(StreamUserPayload.user($0)) }
        return Reply(.streamUsersListed, payload: ["streamusers": .array(rows)])
    }
}
