import Storage

/// The fields that say where a push goes.
enum PushDestinationFields {
    /// In the documented order. Which of them a service takes and needs, `PushControl` knows.
    static let documents: [FieldDocument] = [
        .init("dst_host", "string", "Host name or address; presets such as `youtube` have one."),
        .init("dst_port", "int", "Default: the protocol's."),
        .init("dst_app", "string", "The far end's application."),
        .init("dst_inst", "string", "Its instance."),
        .init("dst_stream", "string", "Its stream name or stream key."),
        .init("dst_user", "string", "User name there."),
        .init("dst_pass", "string", "Password there."),
        .init("url", "string", "All of it at once: `rtmp://host/app/stream-key`."),
        .init("host_id", "string", "Akamai."),
        .init("stream_id", "string", "Akamai."),
        .init("event_name", "string", "Akamai."),
        .init("primary_server", "string", "Akamai."),
        .init("backup_server", "string", "Akamai."),
        .init("lock_servers", "string", "Akamai."),
    ]

    /// Those given, as text. Their meaning is checked with the service's name.
    static func read(_ fields: inout Fields) -> [String: String] {
        var destination: [String: String] = [:]
        for document in documents {
            if case .bool(let flag)? = fields.given(document.name) {
                destination[document.name] = flag ? "1" : "0"
            } else {
                destination[document.name] = fields.optionalText(document.name, .text(limit: 2048))
            }
        }
        return destination
    }
}
