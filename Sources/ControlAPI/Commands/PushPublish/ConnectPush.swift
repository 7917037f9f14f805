import Storage

/// `pushpublish.connect`
struct ConnectPush: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.connect", isMutating: true,
        summary: """
            Starts pushing a stream: to a stored destination by `push_service_id`, from its stored source unless another is \
            given; or, without an id, to the destination the fields describe. Without its stream on air the session waits for it.
            """,
        fields: [
            .init("push_service_id", "int", "From `pushpublish.add` or `services`."),
            .init("service_name", "string", required: true, "Without an id: as in `pushpublish.add`."),
            .init("app", "string", required: true, "The source; with an id only where it has none stored, or another is meant."),
            .init("inst", "string", "Default: the stored one, else `live`."),
            .init("stream", "string", required: true, "As `app`."),
            .init("entry_name", "string", "Name of the session; default: the stored name, else the profile's."),
        ] + PushDestinationFields.documents + [StreamAddressFields.originURL],
        reply: [
            .init("entry_name", "string", "What `pushpublish.disconnect` takes."),
            .init("profile", "string", "Such as `rtmp`."),
            .init("push_status", "string", "Such as `Connecting`, or `Waiting` while the stream is not on air."),
        ],
        codes: [.pushConnecting, .pushNotFound, .pushAlreadyConnected, .pushRefused])

    private enum Destination: Sendable {
        case stored(Int64)
        case manual(service: String, fields: [String: String])
    }

    private let destination: Destination
    private let app: String?
    private let instance: String?
    private let stream: String?
    private let entryName: String?

    init(_ fields: inout Fields) {
        if fields.given("push_service_id") != nil {
            destination = .stored(fields.id("push_service_id"))
            app = fields.optionalApp()
            instance = fields.optionalText("inst", .name)
            stream = fields.optionalText("stream", .name)
        } else {
            let service = fields.text("service_name", .text(limit: 64))
            app = fields.app()
            instance = fields.optionalText("inst", .name)
            stream = fields.text("stream", .name)
            destination = .manual(service: service, fields: PushDestinationFields.read(&fields))
        }
        entryName = fields.optionalText("entry_name", PushEntryName.rule)
        _ = fields.optionalText("origin_url")
    }

    func run(in context: CommandContext) async throws -> Reply {
        let cdn = context.account.cdn
        var order = PushOrder(
            cdn: cdn, app: app ?? "", instance: instance ?? "live", stream: stream ?? "", destination: .stored(id: 0),
            entryName: entryName)
        switch destination {
        case .stored(let id):
            guard let push = try await context.services.store.push(id: id, cdn: cdn) else {
                throw CommandFailure(.pushNotFound)
            }
            let missing = [("app", app ?? push.app), ("stream", stream ?? push.stream)].filter { $0.1 == nil }
            if let failure = CommandFailure(missing.map { FieldProblem.missing($0.0) }) { throw failure }
            order.app = app ?? push.app ?? ""
            order.instance = instance ?? push.instance ?? "live"
            order.stream = stream ?? push.stream ?? ""
            order.destination = .stored(id: id)
        case .manual(let service, let fields):
            let problems = context.services.push.problems(service: service, destination: fields)
            if let failure = CommandFailure(problems) { throw failure }
            order.destination = .manual(service: service, fields: fields)
        }
        return try await connect(order, in: context)
    }

    private func connect(_ order: PushOrder, in context: CommandContext) async throws -> Reply {
        let control = context.services.push
        let name: String
        do throws(PushRefusal) {
            name = try await control.connect(order)
        } catch {
            throw CommandFailure(error)
        }
        let sessions = await control.sessions(
            cdn: order.cdn, app: order.app, instance: order.instance, stream: order.stream)
        let session = sessions.first { $0.entryName == name }
        return Reply(
            .pushConnecting,
            payload: [
                "entry_name": .string(name),
                "profile": session.map { .string($0.profile) } ?? .null,
                "push_status": session.map { .string($0.status) } ?? .null,
            ])
    }
}

extension CommandFailure {
    init(_ refusal: PushRefusal) {
        switch refusal {
        case .notFound: self.init(.pushNotFound)
        case .invalid(let problems): self = CommandFailure(problems) ?? CommandFailure(.fieldInvalid)
        case .alreadyConnected(let name): self.init(.pushAlreadyConnected, "\(name) is connected already")
        case .refused(let reason): self.init(.pushRefused, reason)
        }
    }
}
