import Basics
import Foundation
import Live
import PushPublish
import Storage

/// The fields that say where a push goes, as the kinds of destination declare them.
enum PushFields {
    /// For the documentation, which is of the kinds that are built in.
    static let descriptions: [CommandDescription.Field] = DestinationKinds.builtIn.fields.map {
        CommandDescription.Field(name: $0.name, aliases: $0.aliases, isRequired: false, text: $0.text)
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

    /// A stored destination with what the request changes of it. A field that is given with nothing in it is taken away; a new
    /// `url` says everything anew.
    static func change(_ stored: [String: String], of service: String, _ fields: inout Fields) -> [String: String] {
        let given = read(service, &fields)
        guard given["url"] == nil else { return given }
        if stored["url"] != nil, stored["dst_stream"] == nil, given["dst_stream"] != nil {
            fields.invalid("dst_stream", "given within url, as it was when the destination was stored")
        }
        var changed = stored
        for field in fields.destinations.fields(of: service)
        where ([field.name] + field.aliases).contains(where: fields.has) {
            changed[field.name] = given[field.name]
        }
        return changed
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

/// The fields of a stored destination besides where it goes, as `pushpublish.add` describes them.
enum StoredPushFields {
    static let id = CommandField.required("push_service_id", .id, "The destination's id.")
    static let service = CommandField.required(
        "service_name", .text(maximum: 64),
        "The kind of destination: " + DestinationKinds.builtIn.services.map { "`\($0)`" }.joined(separator: ", ") + ".")
    static let app = StreamFields.app.saying("The source's application,")
    static let instance = StreamFields.instance.saying("instance (`live` by default)")
    static let kept: [RecordField<PushService>] = [
        RecordField(
            .optional("name", .text(maximum: 128), "What to call it; the entry name of its sessions."), \.name),
        RecordField(app, \.app, isTakenAway: true),
        RecordField(instance, \.instance, isTakenAway: true),
        RecordField(
            StreamFields.stream.saying(
                "and name, unless given at connect; without them `autopush` holds for every stream."),
            \.stream, isTakenAway: true),
        RecordField(.optional("autopush", .boolean, "Connect whenever the source is published."), \.autopush),
        RecordField(
            .optional("adaptive_group", .text(maximum: 128), "For adaptive sets.").notYet, \.adaptiveGroup,
            isTakenAway: true),
        RecordField(
            .optional(
                "push_source", .boolean, "Whether the untranscoded source goes out as well; true by default."
            ).notYet,
            \.pushSource),
    ]
}

/// `pushpublish.add`: a destination to keep.
struct AddPush: StoreCommand {
    static let description = CommandDescription(
        name: "pushpublish.add", isMutating: true, text: "Stores a destination.",
        fields: .list(StoredPushFields.service) + PushFields.descriptions + StoredPushFields.kept.map(\.description),
        payload: "`push_service_id`.")

    private let service: String
    private let destination: [String: String]
    private let changes: [RecordField<PushService>.Change]

    init?(_ fields: inout Fields) {
        let service = fields.read(StoredPushFields.service)
        destination = PushFields.read(service ?? "", &fields)
        changes = StoredPushFields.kept.compactMap { $0.read(&fields) }
        guard let service else { return nil }
        self.service = service
        PushFields.check(service, destination, &fields)
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        let now = context.environment.now()
        var push = PushService(
            accountID: context.account.id, name: "", service: service, destination: destination, created: now,
            updated: now)
        for change in changes { change(&push) }
        if push.app != nil, push.instance == nil { push.instance = "live" }
        return StoreEffect { [push] transaction in
            let id = try transaction.insertPush(push).id
            context.touched.concern(.push(id))
            return StoreEffect.Outcome(reply: Reply(.pushAdded, payload: ["push_service_id": .integer(id)]))
        }
    }
}

/// `pushpublish.update`: changes to a stored destination.
struct UpdatePush: StoreCommand {
    static let description = CommandDescription(
        name: "pushpublish.update", isMutating: true,
        text:
            "Changes a stored destination; what is not given stays. A session that runs keeps its settings "
            + "until it is connected anew. A new `url` or another service replaces the destination as a whole.",
        fields: .list(StoredPushFields.id, StoredPushFields.service.saying("As in `pushpublish.add`."))
            + PushFields.descriptions
            + StoredPushFields.kept.map(\.description).map { field in
                let none = ["app", "stream"].contains(field.name) ? "; null: none" : ""
                return CommandDescription.Field(
                    name: field.name, isRequired: false, text: "As in `pushpublish.add`\(none).",
                    isNotYet: field.isNotYet)
            },
        payload: "nothing more.")

    private let id: Int64
    private let fields: Fields

    init?(_ fields: inout Fields) {
        guard let id = fields.read(StoredPushFields.id) else { return nil }
        self.id = id
        self.fields = fields
    }

    /// What is given has to fit what is stored, so it is read when that is known.
    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.push(id))
        // Transactions go one by one: two who change different fields of one destination at once both do.
        return StoreEffect { StoreEffect.Outcome(reply: try change(context, in: $0)) }
    }

    private func change(_ context: CommandContext, in transaction: any StoreTransaction) throws -> Reply {
        guard var push = try transaction.push(id: id, accountID: context.account.id) else {
            throw CommandFailure(.pushNotFound)
        }
        var fields = fields
        let service = fields.read(StoredPushFields.service, isRequired: false) ?? push.service
        if service != push.service {
            push.service = service
            if PushFields.hasAny(fields) { push.destination = PushFields.read(service, &fields) }
        } else {
            push.destination = PushFields.change(push.destination, of: service, &fields)
        }
        for change in StoredPushFields.kept.compactMap({ $0.read(&fields) }) { change(&push) }
        PushFields.check(push.service, push.destination, &fields)
        try fields.finish(for: UpdatePush.description)
        push.updated = context.environment.now()
        guard try transaction.updatePush(push) else { throw CommandFailure(.pushNotFound) }
        context.touched.change(.push(id))
        return Reply(.pushUpdated)
    }
}

/// `pushpublish.remove`: forgets a stored destination.
struct RemovePush: StoreCommand {
    static let description = CommandDescription(
        name: "pushpublish.remove", isMutating: true,
        text: "Deletes a stored destination. Sessions of it that run go on until they are disconnected.",
        fields: .list(StoredPushFields.id), payload: "nothing more.")

    private let id: Int64

    init?(_ fields: inout Fields) {
        guard let id = fields.read(StoredPushFields.id) else { return nil }
        self.id = id
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.push(id))
        return StoreEffect { transaction in
            guard try transaction.removePush(id: id, accountID: context.account.id) else {
                throw CommandFailure(.pushNotFound)
            }
            context.touched.change(.push(id))
            return StoreEffect.Outcome(reply: Reply(.pushRemoved))
        }
    }
}

/// `pushpublish.services`: the stored destinations.
struct ListPushes: Command {
    static let description = CommandDescription(
        name: "pushpublish.services", isMutating: false, text: "Lists the stored destinations.",
        fields: .list(filters),
        payload:
            "`services`, a list of rows with `push_service_id`, `name`, `service_name`, `app`, `inst`, "
            + "`stream`, `autopush`, `adaptive_group`, `push_source`, the destination's fields (secrets by "
            + "their last four characters), `created`, `last_update`."
    )

    fileprivate static let filterNames = [
        "push_service_id", "name", "service_name", "app", "inst", "stream", "autopush", "adaptive_group",
    ]
    private static let filters = CommandField.optional(
        "filters", .filters,
        "An object; rows must have these values. Any of " + filterNames.map { "`\($0)`" }.joined(separator: ", ") + ".")

    private let filters: JSONObject

    init?(_ fields: inout Fields) {
        filters = fields.read(Self.filters) ?? [:]
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

extension FieldKind<JSONObject> {
    /// An object of values that rows must have.
    fileprivate static var filters: FieldKind {
        FieldKind { fields, name in
            switch fields.object[name] {
            case nil, .null?: return nil
            // PHP writes an empty array for an empty object.
            case .array(let values)? where values.isEmpty: return [:]
            case .object(let object)?:
                let isKnown = object.members.allSatisfy { member in
                    switch member.value {
                    case .array, .object: false
                    default: ListPushes.filterNames.contains(member.name)
                    }
                }
                guard isKnown else {
                    fields.invalid(name, "an object of values of " + ListPushes.filterNames.joined(separator: ", "))
                    return nil
                }
                return object
            default:
                fields.invalid(name, "an object")
                return nil
            }
        }
    }
}
