/// `stream.details`
struct StreamDetails: ControlCommand {
    static let definition = CommandDefinition(
        name: "stream.details", isMutating: false,
        summary: "Details of one stream on air, and its pushes.",
        fields: [
            StreamAddressFields.app, StreamAddressFields.instance, StreamAddressFields.stream,
            StreamAddressFields.originURL,
        ],
        reply: [.init("stream", "object", "The stream:")]
            + StreamPayload.documents.map { .init("stream." + $0.name, $0.type, $0.text) },
        codes: [.streamDetailsFound, .streamNotActive])

    private let app: String
    private let instance: String
    private let stream: String

    init(_ fields: inout Fields) {
        app = fields.app()
        instance = fields.text("inst", .name)
        stream = fields.text("stream", .name)
        _ = fields.optionalText("origin_url")
    }

    func run(in context: CommandContext) async throws -> Reply {
        let report = await context.services.stage.stream(app: app, instance: instance, stream: stream)
        guard let report else { throw CommandFailure(.streamNotActive) }
        let pushes = await context.services.push.sessions(
            cdn: context.account.cdn, app: app, instance: instance, stream: stream)
        return Reply(.streamDetailsFound, payload: ["stream": StreamPayload.object(report, pushes: pushes)])
    }
}
