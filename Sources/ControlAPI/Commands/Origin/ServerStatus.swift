import Foundation

/// `server.status`
struct ServerStatus: ControlCommand {
    static let definition = CommandDefinition(
        name: "server.status", isMutating: false,
        summary: "Whether the origin answers, and how fast. One of `app` and `origin_url` says which origin is meant.",
        fields: [
            .init("app", "string", required: true, "An application; or, instead of it:"),
            .init("origin_url", "string", "The host of the origin."),
        ],
        reply: [
            .init("server", "string", "The origin's name."),
            .init("version", "string", ""),
            .init("uptime", "int", "Seconds."),
            .init("streams", "int", "On air, of all accounts."),
            .init("viewers", "int", "Of all accounts."),
            .init("response_time", "string", "How long the origin took to answer, such as `0.0004 seconds`."),
        ],
        codes: [.serverReachable])

    init(_ fields: inout Fields) {
        let origin = fields.optionalText("origin_url")
        if origin == nil {
            _ = fields.app()
        } else {
            _ = fields.optionalApp()
        }
    }

    func run(in context: CommandContext) async throws -> Reply {
        let clock = ContinuousClock()
        let start = clock.now
        let report = await context.services.stage.server()
        // A read that has to reach the database: an origin that cannot do it is not well.
        _ = try await context.services.store.currentTicketRevision()
        let took = clock.now - start
        let uptime = Int(max(0, min(context.now.timeIntervalSince(report.started), 1e12)))
        return Reply(
            .serverReachable,
            payload: [
                "server": .string(context.services.configuration.serverName),
                "version": .string(context.services.configuration.serverVersion),
                "uptime": .int(uptime),
                "streams": .int(report.streams),
                "viewers": .int(report.viewers),
                "response_time": .string(HandleTime.text(took)),
            ])
    }
}
