import Storage

/// `pushpublish.services`
struct ListPushes: ControlCommand {
    static let definition = CommandDefinition(
        name: "pushpublish.services", isMutating: false,
        summary: "Lists the account's stored destinations.",
        fields: [
            .init(
                "filters", "object",
                "Any of `push_service_id`, `name`, `service_name`, `app`, `inst`, `stream`, `adaptive_group`, `autopush`, "
                    + "`push_source`: rows must equal them all.")
        ],
        reply: [.init("services", "list", "One object a destination:")]
            + PushPayload.documents.map { .init("services." + $0.name, $0.type, $0.text) },
        codes: [.pushesListed])

    private static let filterNames = [
        "push_service_id", "name", "service_name", "app", "inst", "stream", "adaptive_group", "autopush", "push_source",
    ]

    /// By member of the payload.
    private let filters: [String: JSONValue]

    init(_ fields: inout Fields) {
        var filters: [String: JSONValue] = [:]
        switch fields.given("filters") {
        case nil, .array([])?:
            // An empty PHP array is an empty list in JSON.
            break
        case .object(let object)?:
            var reader = Fields(object, account: fields.account)
            for name in object.members.map(\.name) where !Self.filterNames.contains(name) {
                fields.add(.invalid("filters", expected: "must hold only \(Self.filterNames.joined(separator: ", "))"))
                _ = name
                break
            }
            filters["push_service_id"] = reader.optionalID("push_service_id").map(JSONValue.integer)
            for name in ["autopush", "push_source"] {
                filters[name] = reader.optionalFlag(name).map { $0 ? "1" : "0" }
            }
            for name in ["name", "service_name", "app", "inst", "stream", "adaptive_group"] {
                filters[name] = reader.optionalText(name).map(JSONValue.string)
            }
            for problem in reader.problems {
                fields.add(.invalid("filters.\(problem.field)", expected: problem.expected ?? "must be given"))
            }
        default:
            fields.add(.invalid("filters", expected: "must be an object"))
        }
        self.filters = filters
    }

    func run(in context: CommandContext) async throws -> Reply {
        let pushes = try await context.services.store.pushes(cdn: context.account.cdn)
        let rows = pushes.map { PushPayload.object($0, control: context.services.push) }.filter { row in
            filters.allSatisfy { row[$0.key] == $0.value }
        }
        return Reply(.pushesListed, payload: ["services": .array(rows.map(JSONValue.object))])
    }
}
