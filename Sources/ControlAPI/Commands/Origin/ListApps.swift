/// `app.list`
struct ListApps: ControlCommand {
    static let definition = CommandDefinition(
        name: "app.list", isMutating: false, summary: "Lists the account's applications.",
        reply: [
            .init("apps", "list", "One object an application:"),
            .init("apps.name", "string", ""),
            .init("apps.type", "string", "`origin` (live), `chorigin` (channels) or `vod`."),
            .init("apps.origin_url", "string", "Where encoders publish; null for `vod`."),
        ],
        codes: [.appsListed])

    init(_ fields: inout Fields) {}

    func run(in context: CommandContext) async throws -> Reply {
        let configuration = context.services.configuration
        let apps = context.account.apps.map { app -> JSONValue in
            let type = String(app.utf8.dropFirst(context.account.user.utf8.count + 1)) ?? app
            return .object([
                "name": .string(app),
                "type": .string(type),
                "origin_url": type == "vod" ? .null : .string("\(configuration.publicRTMP)/\(app)/live"),
            ])
        }
        return Reply(.appsListed, payload: ["apps": .array(apps)])
    }
}
