/// `stream.close`
struct CloseStream: ControlCommand {
    static let definition = CommandDefinition(
        name: "stream.close", isMutating: true,
        summary: """
            Sends a stream's encoder away and ends the stream. The encoder may come back unless its user has been removed.
            """,
        fields: [
            .init("app", "string", required: true, "The application,"),
            .init("inst", "string", required: true, "the instance, such as `live`,"),
            .init("stream", "string", required: true, "and the stream; or, instead of them:"),
            .init("stream_id", "int", "From `sevu.liststreamusers`; `inst` may narrow it."),
            StreamAddressFields.originURL,
        ],
        codes: [.streamClosed, .streamNotActive, .streamNotFound])

    private let reference: StreamReference
    private let instance: String?

    init(_ fields: inout Fields) {
        if fields.given("stream_id") != nil {
            reference = StreamReference(&fields, rule: .name)
            instance = fields.optionalText("inst", .name)
        } else {
            let app = fields.app()
            instance = fields.text("inst", .name)
            reference = .name(app: app, stream: fields.text("stream", .name))
        }
        _ = fields.optionalText("origin_url")
    }

    func run(in context: CommandContext) async throws -> Reply {
        let (app, stream): (String, String)
        switch reference {
        case .name(let givenApp, let givenStream):
            (app, stream) = (givenApp, givenStream)
        case .id:
            let row = try await reference.find(in: context)
            guard row.stream != "*" else {
                throw CommandFailure(invalid: [
                    .invalid("stream_id", expected: "must be of one stream; this one is every stream of \(row.app)")
                ])
            }
            (app, stream) = (row.app, row.stream)
        }
        guard await context.services.stage.close(app: app, instance: instance, stream: stream) > 0 else {
            throw CommandFailure(.streamNotActive)
        }
        return Reply(.streamClosed)
    }
}
