import Storage

/// `pushpublish.disconnect`
///
/// The documented sample gives both ways of naming a session at once. So the id is tried first; when nothing runs under it,
/// the entry name is, if there is one.
struct DisconnectPush: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.disconnect", isMutating: true,
        summary: """
            Ends push sessions, for good: by `push_service_id`, also of a destination that was removed since, or by `app`, \
            `inst` and `entry_name`. With both given the id is tried first, then the entry name. The success has no `code`; \
            its message is `<entry name> disconnected`.
            """,
        fields: [
            .init("push_service_id", "int", required: true, "The stored destination; or, instead of it, the next three:"),
            .init("app", "string", "With an id, `app`, `inst` and `stream` narrow it to sessions from there."),
            .init("inst", "string", ""),
            .init("entry_name", "string", "From `stream.active` or `stream.details`; `*`: all sessions of the instance."),
            .init("stream", "string", "Only with an id."),
            StreamAddressFields.originURL,
        ],
        codes: [.pushNotConnected, .pushNotFound])

    private let id: Int64?
    private let app: String?
    private let instance: String?
    private let stream: String?
    private let entryName: String?

    init(_ fields: inout Fields) {
        id = fields.optionalID("push_service_id")
        app = fields.optionalApp()
        instance = fields.optionalText("inst", .name)
        stream = fields.optionalText("stream", .name)
        entryName = fields.optionalText("entry_name", PushEntryName.ruleOrAll)
        _ = fields.optionalText("origin_url")
        guard fields.given("push_service_id") == nil else { return }
        if ["app", "inst", "entry_name"].allSatisfy({ fields.given($0) == nil }) {
            fields.require("push_service_id")
        } else {
            for name in ["app", "inst", "entry_name"] { fields.require(name) }
        }
    }

    func run(in context: CommandContext) async throws -> Reply {
        let cdn = context.account.cdn
        let control = context.services.push
        if let id {
            let target = PushTarget.service(id: id, app: app, instance: instance, stream: stream)
            let names = await control.disconnect(target, cdn: cdn)
            if !names.isEmpty {
                return Reply(message: "\(names.joined(separator: ", ")) disconnected")
            }
        }
        if let app, let instance, let entryName {
            let target = PushTarget.entry(name: entryName, app: app, instance: instance)
            if await !control.disconnect(target, cdn: cdn).isEmpty {
                return Reply(message: "\(entryName) disconnected")
            }
            throw CommandFailure(.pushNotConnected, "\(entryName) is not connected")
        }
        guard let id, let push = try await context.services.store.push(id: id, cdn: cdn) else {
            throw CommandFailure(.pushNotFound)
        }
        throw CommandFailure(.pushNotConnected, "\(push.name.isEmpty ? push.service : push.name) is not connected")
    }
}
