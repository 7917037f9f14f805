import Storage

/// `pushpublish.update`
struct UpdatePush: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.update", isMutating: true,
        summary: """
            Changes a stored destination; fields not given stay as they are, fields given empty or null are removed. \
            Running sessions keep the settings they began with.
            """,
        fields: [
            .init("push_service_id", "int", required: true, "From `pushpublish.add` or `services`."),
            .init("service_name", "string", "As in `pushpublish.add`, and likewise:"),
        ] + PushDestinationFields.documents + PushSourceFields.documents,
        reply: PushPayload.documents, codes: [.pushUpdated, .pushNotFound])

    private let id: Int64
    private let service: String?
    private let destination: [String: String]
    private let removed: Set<String>
    private let source: PushSourceFields

    init(_ fields: inout Fields) {
        id = fields.id("push_service_id")
        service = fields.optionalText("service_name", .text(limit: 64))
        destination = PushDestinationFields.read(&fields)
        source = PushSourceFields(&fields)
        let names = PushDestinationFields.documents.map(\.name) + ["name", "app", "inst", "stream", "adaptive_group"]
        var removed: Set<String> = []
        for name in names where fields.isPresent(name) && fields.given(name) == nil {
            removed.insert(name)
        }
        self.removed = removed
    }

    func run(in context: CommandContext) async throws -> Reply {
        try await context.services.settingsGate.run {
            let store = context.services.store
            guard var push = try await store.push(id: id, cdn: context.account.cdn) else {
                throw CommandFailure(.pushNotFound)
            }
            apply(to: &push)
            push.updated = context.now
            let control = context.services.push
            let problems = control.problems(service: push.service, destination: push.destination)
            if let failure = CommandFailure(problems) { throw failure }
            guard try await store.updatePush(push) else { throw CommandFailure(.pushNotFound) }
            return Reply(.pushUpdated, payload: PushPayload.object(push, control: control))
        }
    }

    private func apply(to push: inout PushService) {
        if let service { push.service = service }
        push.destination = push.destination.filter { !removed.contains($0.key) }
        push.destination.merge(destination) { $1 }
        if removed.contains("name") { push.name = "" }
        if removed.contains("app") { push.app = nil }
        if removed.contains("inst") { push.instance = nil }
        if removed.contains("stream") { push.stream = nil }
        if removed.contains("adaptive_group") { push.adaptiveGroup = nil }
        source.apply(to: &push)
    }
}
