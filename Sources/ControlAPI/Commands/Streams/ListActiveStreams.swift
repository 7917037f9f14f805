/// `stream.active`
struct ListActiveStreams: ControlCommand {
    static let definition = CommandDefinition(
        name: "stream.active", isMutating: false,
        summary: "Lists the streams on air on an application's instance, with their details and pushes.",
        fields: [StreamAddressFields.app, StreamAddressFields.instance, StreamAddressFields.originURL],
        reply: [.init("streams", "list", "One object a stream, as `stream` of `stream.details`.")],
        codes: [.activeStreamsListed])

    private let app: String
    private let instance: String

    init(_ fields: inout Fields) {
        app = fields.app()
        instance = fields.text("inst", .name)
        _ = fields.optionalText("origin_url")
    }

    func run(in context: CommandContext) async throws -> Reply {
        let streams = await context.services.stage.activeStreams(app: app, instance: instance)
        let pushes = await context.services.push.sessions(
            cdn: context.account.cdn, app: app, instance: instance, stream: nil)
        let rows = streams.map { stream in
            StreamPayload.object(stream, pushes: pushes.filter { $0.stream == stream.stream })
        }
        return Reply(.activeStreamsListed, payload: ["streams": .array(rows)])
    }
}
