import Basics
import Foundation
import Live
import PushPublish
import Storage

/// The fields that say where a push goes, as the kinds of destination declare them.
enum PushFields {
    /// For the documentation, which is of the kinds that are built in.
    static let descriptions: [CommandDescription.Field] = DestinationKinds.builtIn.fields.map {
        .optional($0.name, $0.text)
    }

    /// Whether the request has any field of a destination.
    static func hasAny(_ fields: Fields) -> Bool {
        fields.destinations.fields.contains { field in ([field.name] + field.aliases).contains(where: fields.has) }
    }

    /// The values of a service's fields, by the fields' own names; their lengths are the service's to check.
    static func read(_ service: String, _ fields: inout Fields) -> [String: String] {
        var values: [String: String] = [:]
        for field in fields.destinations.fields(of: service) {
            let name = ([field.name] + field.aliases).first(where: fields.isGiven) ?? field.name
            values[field.name] = fields.text(name, maximum: .max)
        }
        return values
    }

    static func check(_ service: String, _ destination: [String: String], _ fields: inout Fields) {
        do throws(FieldProblems) {
            _ = try fields.destinations.kind(service).destination(from: destination)
        } catch {
            for problem in error.problems { fields.add(problem) }
        }
    }
}

extension JSONObject {
    /// A stored push as replies show it: secrets by their last four characters.
    init(_ push: PushService, _ kinds: DestinationKinds) {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        self = [
            "push_service_id": .integer(push.id), "name": .string(push.name), "service_name": .string(push.service),
            "app": text(push.app), "inst": text(push.instance), "stream": text(push.stream),
            "autopush": .bool(push.autopush), "adaptive_group": text(push.adaptiveGroup),
            "push_source": .bool(push.pushSource),
        ]
        for field in kinds.shown(push.destination, of: push.service) { self[field.name] = .string(field.value) }
        self["created"] = .string(ReplyDate.text(push.created))
        self["last_update"] = .string(ReplyDate.text(push.updated))
    }
}

/// `pushpublish.add`: a destination to keep.
struct AddPush: Command {
    static let description = CommandDescription(
        name: "pushpublish.add", isMutating: true, text: "Stores a destination.",
        fields: [
            .required(
                "service_name",
                "The kind of destination: "
                    + DestinationKinds.builtIn.services.map { "`\($0)`" }.joined(separator: ", ") + ".")
        ] + PushFields.descriptions + [
            .optional("name", "What to call it; the entry name of its sessions."),
            .optional("app", "The source's application,"), .optional("inst", "instance (`live` by default)"),
            .optional("stream", "and name, unless given at connect; without them `autopush` holds for every stream."),
            .optional("autopush", "Connect whenever the source is published."),
            .optional("adaptive_group", "Kept for adaptive sets."),
            .optional("push_source", "Whether the untranscoded source goes out as well; true by default."),
        ],
        payload: "`push_service_id`.")

    private let service: String
    private let destination: [String: String]
    private let name: String?
    private let app, instance, stream: String?
    private let autopush, pushSource: Bool?
    private let adaptiveGroup: String?

    init?(_ fields: inout Fields) {
        let service = fields.requiredText("service_name", maximum: 64)
        destination = PushFields.read(service ?? "", &fields)
        name = fields.text("name", maximum: 128)
        app = fields.ownApp(isRequired: false)
        instance = fields.name("inst", isRequired: false)
        stream = fields.name("stream", isRequired: false)
        autopush = fields.boolean("autopush")
        pushSource = fields.boolean("push_source")
        adaptiveGroup = fields.text("adaptive_group", maximum: 128)
        guard let service else { return nil }
        self.service = service
        PushFields.check(service, destination, &fields)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let now = context.environment.now()
        let push = try await context.store.insertPush(
            PushService(
                accountID: context.account.id, name: name ?? "", service: service, app: app,
                instance: instance ?? (app == nil ? nil : "live"), stream: stream, autopush: autopush ?? false,
                adaptiveGroup: adaptiveGroup, pushSource: pushSource ?? true, destination: destination, created: now,
                updated: now))
        return Reply(.pushAdded, payload: ["push_service_id": .integer(push.id)])
    }
}

/// `pushpublish.update`: changes to a stored destination.
struct UpdatePush: Command {
    static let description = CommandDescription(
        name: "pushpublish.update", isMutating: true,
        text:
            "Changes a stored destination; what is not given stays. A session that runs keeps its settings "
            + "until it is connected anew. When `url` or any `dst_` field is given, the destination is "
            + "replaced as a whole.",
        fields: [
            .required("push_service_id", "The destination's id."),
            .optional("service_name", "As in `pushpublish.add`."),
        ] + PushFields.descriptions + [
            .optional("name", "As in `pushpublish.add`."), .optional("app", "As in `pushpublish.add`; null: none."),
            .optional("inst", "As in `pushpublish.add`."), .optional("stream", "As in `pushpublish.add`; null: none."),
            .optional("autopush", "As in `pushpublish.add`."),
            .optional("adaptive_group", "As in `pushpublish.add`."),
            .optional("push_source", "As in `pushpublish.add`."),
        ],
        payload: "nothing more.")

    private let id: Int64
    private let fields: Fields

    init?(_ fields: inout Fields) {
        guard let id = fields.requiredInteger("push_service_id", 1...Int.max) else { return nil }
        self.id = Int64(id)
        self.fields = fields
    }

    /// What is given has to fit what is stored, so it is read when that is known.
    func run(_ context: CommandContext) async throws -> Reply {
        guard var push = try await context.store.push(id: id, accountID: context.account.id) else {
            throw CommandFailure(.pushNotFound)
        }
        var fields = fields
        if let service = fields.text("service_name", maximum: 64) { push.service = service }
        if PushFields.hasAny(fields) { push.destination = PushFields.read(push.service, &fields) }
        if let name = fields.text("name", maximum: 128) { push.name = name }
        if fields.has("app") { push.app = fields.ownApp(isRequired: false) }
        if fields.has("inst") { push.instance = fields.name("inst", isRequired: false) }
        if fields.has("stream") { push.stream = fields.name("stream", isRequired: false) }
        if let autopush = fields.boolean("autopush") { push.autopush = autopush }
        if let pushSource = fields.boolean("push_source") { push.pushSource = pushSource }
        if fields.has("adaptive_group") { push.adaptiveGroup = fields.text("adaptive_group", maximum: 128) }
        PushFields.check(push.service, push.destination, &fields)
        try fields.finish(for: UpdatePush.description)
        push.updated = context.environment.now()
        guard try await context.store.updatePush(push) else { throw CommandFailure(.pushNotFound) }
        return Reply(.pushUpdated)
    }
}

/// `pushpublish.remove`: forgets a stored destination.
struct RemovePush: Command {
    static let description = CommandDescription(
        name: "pushpublish.remove", isMutating: true,
        text: "Deletes a stored destination. Sessions of it that run go on until they are disconnected.",
        fields: [.required("push_service_id", "The destination's id.")], payload: "nothing more.")

    private let id: Int64

    init?(_ fields: inout Fields) {
        guard let id = fields.requiredInteger("push_service_id", 1...Int.max) else { return nil }
        self.id = Int64(id)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        guard try await context.store.removePush(id: id, accountID: context.account.id) else {
            throw CommandFailure(.pushNotFound)
        }
        return Reply(.pushRemoved)
    }
}

/// `pushpublish.services`: the stored destinations.
struct ListPushes: Command {
    static let description = CommandDescription(
        name: "pushpublish.services", isMutating: false, text: "Lists the stored destinations.",
        fields: [
            .optional(
                "filters",
                "An object; rows must have these values. Any of `push_service_id`, `name`, `service_name`, "
                    + "`app`, `inst`, `stream`, `autopush`, `adaptive_group`."
            )
        ],
        payload:
            "`services`, a list of rows with `push_service_id`, `name`, `service_name`, `app`, `inst`, "
            + "`stream`, `autopush`, `adaptive_group`, `push_source`, the destination's fields (secrets by "
            + "their last four characters), `created`, `last_update`."
    )

    private static let filterNames = [
        "push_service_id", "name", "service_name", "app", "inst", "stream", "autopush", "adaptive_group",
    ]
    private let filters: JSONObject

    init?(_ fields: inout Fields) {
        switch fields.object["filters"] {
        case nil, .null?: filters = [:]
        // PHP writes an empty array for an empty object.
        case .array(let values)? where values.isEmpty: filters = [:]
        case .object(let object)?:
            filters = object
            let isKnown = object.members.allSatisfy { member in
                switch member.value {
                case .array, .object: false
                default: ListPushes.filterNames.contains(member.name)
                }
            }
            if !isKnown {
                fields.invalid("filters", "an object of values of " + ListPushes.filterNames.joined(separator: ", "))
            }
        default:
            filters = [:]
            fields.invalid("filters", "an object")
        }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let rows = try await context.store.pushes(accountID: context.account.id).map {
            JSONObject($0, context.environment.pushes.kinds)
        }
        let meant = rows.filter { row in
            filters.members.allSatisfy { ListPushes.text(row[$0.name]) == ListPushes.text($0.value) }
        }
        return Reply(.pushesListed, payload: ["services": .array(meant.map { .object($0) })])
    }

    /// Values compare as text: `1`, `"1"` and true are alike.
    private static func text(_ value: JSONValue?) -> String {
        switch value {
        case .string(let text)?: text == "true" ? "1" : text == "false" ? "0" : text
        case .integer(let integer)?: String(integer)
        case .bool(let value)?: value ? "1" : "0"
        case .number(let number)?: number.text
        case nil, .null?, .array?, .object?: ""
        }
    }
}
