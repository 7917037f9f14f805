/// `sevu.retrievestreamuser`
struct RetrieveStreamUser: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.retrievestreamuser", isMutating: false,
        summary: "Gives a stream user with the stream's settings and addresses. Passwords are never given.",
        fields: StreamUserReference.documents,
        reply: StreamUserPayload.documents + StreamUserPayload.settingsDocuments + StreamUserPayload.addressDocuments,
        codes: [.streamUserFound, .streamUserNotFound])

    private let reference: StreamUserReference

    init(_ fields: inout Fields) {
        reference = StreamUserReference(&fields)
    }

    func run(in context: CommandContext) async throws -> Reply {
        let user = try await reference.find(in: context)
        var payload = StreamUserPayload.user(user)
        if let settings = try await context.services.store.stream(id: user.streamID) {
            payload = payload.merging(StreamUserPayload.settings(settings))
        }
        let addresses = StreamUserPayload.addresses(
            app: user.app, stream: user.stream, configuration: context.services.configuration)
        return Reply(.streamUserFound, payload: payload.merging(addresses))
    }
}
