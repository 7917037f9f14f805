/// `sevu.updatestream`
struct UpdateStream: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.updatestream", isMutating: true,
        summary: "Changes a stream's settings; those not given stay as they are.",
        fields: [
            .init("stream_id", "int", required: true, "From `sevu.liststreamusers`; or, instead of it:"),
            .init("app", "string", "The application,"),
            .init("stream", "string", "and the stream, or `*` for the settings of every stream without its own."),
        ] + StreamSettingsFields.documents,
        reply: [.init("stream_id", "string", ""), .init("app", "string", ""), .init("stream", "string", "")]
            + StreamUserPayload.settingsDocuments,
        codes: [.streamUpdated, .streamNotFound])

    private let reference: StreamReference
    private let settings: StreamSettingsFields

    init(_ fields: inout Fields) {
        reference = StreamReference(&fields, rule: .nameOrAll)
        settings = StreamSettingsFields(&fields)
    }

    func run(in context: CommandContext) async throws -> Reply {
        try await context.services.settingsGate.run {
            var row = try await reference.find(in: context)
            settings.apply(to: &row)
            row = try await context.services.store.upsertStream(row)
            let names: JSONObject = [
                "stream_id": .string(String(row.id)), "app": .string(row.app), "stream": .string(row.stream),
            ]
            return Reply(.streamUpdated, payload: names.merging(StreamUserPayload.settings(row)))
        }
    }
}
