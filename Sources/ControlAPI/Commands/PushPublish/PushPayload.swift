import Storage

/// A stored push as replies show it.
enum PushPayload {
    static let documents: [FieldDocument] = [
        .init("push_service_id", "int", ""),
        .init("name", "string", ""),
        .init("service_name", "string", ""),
        .init("app", "string", "null when it has no default source; likewise `inst` and `stream`."),
        .init("inst", "string", ""),
        .init("stream", "string", ""),
        .init("autopush", "string", "`1` or `0`."),
        .init("adaptive_group", "string", "null when it has none."),
        .init("push_source", "string", "`1` or `0`."),
        .init("created", "string", "UTC."),
        .init("last_update", "string", "UTC."),
        .init("dst_…, url, …", "string", "The destination's fields as given, secrets by their last four characters."),
    ]

    static func object(_ push: PushService, control: any PushControl) -> JSONObject {
        var object: JSONObject = [
            "push_service_id": .integer(push.id),
            "name": .string(push.name),
            "service_name": .string(push.service),
            "app": push.app.map(JSONValue.string) ?? .null,
            "inst": push.instance.map(JSONValue.string) ?? .null,
            "stream": push.stream.map(JSONValue.string) ?? .null,
            "autopush": push.autopush ? "1" : "0",
            "adaptive_group": push.adaptiveGroup.map(JSONValue.string) ?? .null,
            "push_source": push.pushSource ? "1" : "0",
            "created": .string(DateText.text(push.created)),
            "last_update": .string(DateText.text(push.updated)),
        ]
        let shown = control.masked(push.destination)
        for document in PushDestinationFields.documents {
            if let value = shown[document.name] { object[document.name] = .string(value) }
        }
        return object
    }
}
