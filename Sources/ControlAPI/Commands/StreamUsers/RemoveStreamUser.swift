/// `sevu.removestreamuser`
struct RemoveStreamUser: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.removestreamuser", isMutating: true,
        summary: "Takes back the right to publish. An encoder that publishes now goes on; `stream.close` sends it away.",
        fields: StreamUserReference.documents, codes: [.streamUserRemoved, .streamUserNotFound])

    private let reference: StreamUserReference

    init(_ fields: inout Fields) {
        reference = StreamUserReference(&fields)
    }

    func run(in context: CommandContext) async throws -> Reply {
        let user = try await reference.find(in: context)
        guard try await context.services.store.removeStreamUser(id: user.id) else {
            throw CommandFailure(.streamUserNotFound)
        }
        return Reply(.streamUserRemoved)
    }
}
