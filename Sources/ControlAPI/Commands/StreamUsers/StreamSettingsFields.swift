import Storage

/// The settings of a stream, as far as a request gives them: what is not given stays as it is.
struct StreamSettingsFields: Sendable {
    static let documents: [FieldDocument] = [
        .init("protection", "string", "Who may watch: `none` (anybody) or `sevu` (with a ticket)."),
        .init(
            "reconnect_window", "int",
            "Seconds for which the stream stays when its encoder drops, 0 to 1800. Also as `playlist_timeout`, the older name."
        ),
        .init("ends_on_unpublish", "bool", "Whether an orderly end of publishing ends the stream at once; default true."),
        .init("playlist_count", "int", "Segments in the HLS playlist, 3 to 1000."),
        .init("enable_dvr", "bool", "Whether viewers may go back in time."),
        .init("record", "bool", "Whether the stream is recorded."),
        .init("record_type", "string", "`stream` or `event`."),
        .init("segment_type", "string", "When a recording begins a new file: `disabled`, `schedule`, `duration`, `size`."),
        .init("segment_value", "string", "Minutes for `duration`, MB for `size`, a cron line for `schedule`."),
        .init("save_folder", "string", "Folder of the recordings."),
        .init("ga_key", "string", "Kept for clients that set it."),
    ]

    private var protection: Protection?
    private var reconnectWindow: Int?
    private var endsOnUnpublish: Bool?
    private var playlistCount: Int?
    private var enableDVR: Bool?
    private var record: Bool?
    private var recordType: String?
    private var segmentType: String?
    private var segmentValue: String?
    private var saveFolder: String?
    private var gaKey: String?

    init(_ fields: inout Fields) {
        protection = fields.optionalText("protection", .oneOf(Protection.allCases.map(\.rawValue)))
            .flatMap(Protection.init)
        let window = fields.optionalInt("reconnect_window", in: 0...1800)
        let timeout = fields.optionalInt("playlist_timeout", in: 0...1800)
        reconnectWindow = window ?? timeout
        endsOnUnpublish = fields.optionalFlag("ends_on_unpublish")
        playlistCount = fields.optionalInt("playlist_count", in: 3...1000)
        enableDVR = fields.optionalFlag("enable_dvr")
        record = fields.optionalFlag("record")
        recordType = fields.optionalText("record_type", .oneOf(["stream", "event"]))
        segmentType = fields.optionalText("segment_type", .oneOf(["disabled", "schedule", "duration", "size"]))
        segmentValue = fields.optionalText("segment_value", .text(limit: 64))
        saveFolder = fields.optionalText("save_folder", Self.folder)
        gaKey = fields.optionalText("ga_key", .text(limit: 64))
    }

    /// Relative and without steps upwards: it is a place under the account's recordings.
    private static let folder = FieldText(
        expected: "must be a relative folder of letters, digits, - _ . and /, at most 255 bytes"
    ) { text in
        text.utf8.count <= 255 && text.utf8.first != UInt8(ascii: "/")
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                FieldText.name.accepts(String(part))
            }
    }

    func apply(to settings: inout StreamSettings) {
        if let protection { settings.protection = protection }
        if let reconnectWindow { settings.reconnectWindow = reconnectWindow }
        if let endsOnUnpublish { settings.endsOnUnpublish = endsOnUnpublish }
        if let playlistCount { settings.playlistCount = playlistCount }
        if let enableDVR { settings.enableDVR = enableDVR }
        if let record { settings.record = record }
        if let recordType { settings.recordType = recordType }
        if let segmentType { settings.segmentType = segmentType }
        if let segmentValue { settings.segmentValue = segmentValue }
        if let saveFolder { settings.saveFolder = saveFolder }
        if let gaKey { settings.gaKey = gaKey }
    }
}

extension CommandContext {
    /// The settings row of exactly this stream, not the one of the app that would stand in for it.
    func settings(app: String, stream: String) async throws -> StreamSettings? {
        let settings = try await services.store.streamSettings(app: app, stream: stream)
        guard let settings, settings.stream == stream, settings.cdn == account.cdn else { return nil }
        return settings
    }
}
