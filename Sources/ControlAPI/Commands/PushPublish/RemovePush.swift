/// `pushpublish.remove`
struct RemovePush: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.remove", isMutating: true,
        summary: """
            Deletes a stored destination. Sessions it runs go on; `pushpublish.disconnect` ends them, by the same id or by \
            entry name.
            """,
        fields: [.init("push_service_id", "int", required: true, "From `pushpublish.add` or `services`.")],
        codes: [.pushRemoved, .pushNotFound])

    private let id: Int64

    init(_ fields: inout Fields) {
        id = fields.id("push_service_id")
    }

    func run(in context: CommandContext) async throws -> Reply {
        guard try await context.services.store.removePush(id: id, cdn: context.account.cdn) else {
            throw CommandFailure(.pushNotFound)
        }
        return Reply(.pushRemoved)
    }
}
