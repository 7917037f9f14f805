import Storage

/// `pushpublish.add`
struct AddPush: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.add", isMutating: true,
        summary: "Stores a destination to push streams to.",
        fields: [.init("service_name", "string", required: true, "`rtmp`, `rtmps`, `youtube`, `facebook`, `twitch` …")]
            + PushDestinationFields.documents + PushSourceFields.documents,
        reply: PushPayload.documents, codes: [.pushAdded])

    private let service: String
    private let destination: [String: String]
    private let source: PushSourceFields

    init(_ fields: inout Fields) {
        service = fields.text("service_name", .text(limit: 64))
        destination = PushDestinationFields.read(&fields)
        source = PushSourceFields(&fields)
    }

    func run(in context: CommandContext) async throws -> Reply {
        let control = context.services.push
        if let failure = CommandFailure(control.problems(service: service, destination: destination)) { throw failure }
        var push = PushService(
            cdn: context.account.cdn, name: "", service: service, destination: destination, created: context.now,
            updated: context.now)
        source.apply(to: &push)
        push = try await context.services.store.insertPush(push)
        return Reply(.pushAdded, payload: PushPayload.object(push, control: control))
    }
}
