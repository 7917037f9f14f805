import Storage

/// What a stored push says besides its destination; nil: not given.
struct PushSourceFields: Sendable {
    static let documents: [FieldDocument] = [
        .init("name", "string", "Your name for it, first choice for the entry name."),
        .init("app", "string", "The source it is for by default: application,"),
        .init("inst", "string", "instance (default `live`),"),
        .init("stream", "string", "and stream."),
        .init("autopush", "bool", "Whether to connect whenever the source is published."),
        .init("adaptive_group", "string", "The same on all renditions of one stream."),
        .init("push_source", "bool", "Whether the untranscoded source is pushed as well; default true."),
    ]

    private var name: String?
    private var app: String?
    private var instance: String?
    private var stream: String?
    private var autopush: Bool?
    private var adaptiveGroup: String?
    private var pushSource: Bool?

    init(_ fields: inout Fields) {
        name = fields.optionalText("name", PushEntryName.rule)
        app = fields.optionalApp()
        instance = fields.optionalText("inst", .name)
        stream = fields.optionalText("stream", .name)
        autopush = fields.optionalFlag("autopush")
        adaptiveGroup = fields.optionalText("adaptive_group", .text(limit: 128))
        pushSource = fields.optionalFlag("push_source")
    }

    func apply(to push: inout PushService) {
        if let name { push.name = name }
        if let app { push.app = app }
        if let instance { push.instance = instance }
        if let stream { push.stream = stream }
        if let autopush { push.autopush = autopush }
        if let adaptiveGroup { push.adaptiveGroup = adaptiveGroup }
        if let pushSource { push.pushSource = pushSource }
        // Encoders publish to `live`; an app without an instance means that.
        if push.app != nil, push.instance == nil { push.instance = "live" }
    }
}

/// Names of push sessions.
enum PushEntryName {
    static let all = "*"

    static let rule = FieldText(expected: "must be 1 to 128 bytes without control characters, and not *") { text in
        text != all && (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    static let ruleOrAll = FieldText(expected: "must be 1 to 128 bytes without control characters, or *") { text in
        text == all || rule.accepts(text)
    }
}
