import Basics
import Storage

/// The stream settings that `sevu.addstreamuser` and `sevu.updatestream` take; only what is given changes.
struct StreamSettingsFields: Sendable {
    static let descriptions: [CommandDescription.Field] = [
        .optional("protection", "`none` or `sevu`: whether viewers need a ticket."),
        .optional("reconnect_window", "Seconds a dropped encoder has to return, 0 to 1800. Also `playlist_timeout`."),
        .optional("end_on_unpublish", "Whether an orderly unpublish ends the stream at once; true by default."),
        .optional("playlist_count", "Segments in the HLS playlist, 3 to 120."),
        .optional("record", "Whether it is recorded on publish (kept for the recording commands)."),
        .optional("record_type", "`stream` or `event`."),
        .optional("segment_type", "`disabled`, `schedule`, `duration` or `size`."),
        .optional("segment_value", "Megabytes, minutes or a cron line, as `segment_type` says."),
        .optional("save_folder", "Where recordings go."), .optional("enable_dvr", "Whether viewers may rewind."),
        .optional("ga_key", "Google Analytics key."),
    ]

    private enum RecordType: String, CaseIterable { case stream, event }
    private enum SegmentType: String, CaseIterable { case disabled, schedule, duration, size }

    private let protection: Protection?
    private let reconnectWindow: Int?
    private let endsOnUnpublish: Bool?
    private let playlistCount: Int?
    private let record: Bool?
    private let recordType, segmentType, segmentValue, saveFolder, gaKey: String?
    private let enableDVR: Bool?

    init(_ fields: inout Fields) {
        protection = fields.choice("protection", Protection.self)
        let window = fields.integer("reconnect_window", 0...1_800)
        reconnectWindow = window ?? fields.integer("playlist_timeout", 0...1_800)
        endsOnUnpublish = fields.boolean("end_on_unpublish")
        playlistCount = fields.integer("playlist_count", 3...120)
        record = fields.boolean("record")
        recordType = fields.choice("record_type", RecordType.self)?.rawValue
        segmentType = fields.choice("segment_type", SegmentType.self)?.rawValue
        segmentValue = fields.text("segment_value", maximum: 128)
        saveFolder = fields.text("save_folder", maximum: 512)
        enableDVR = fields.boolean("enable_dvr")
        gaKey = fields.text("ga_key", maximum: 128)
    }

    func apply(to settings: inout StreamSettings) {
        if let protection { settings.protection = protection }
        if let reconnectWindow { settings.reconnectWindow = reconnectWindow }
        if let endsOnUnpublish { settings.endsOnUnpublish = endsOnUnpublish }
        if let playlistCount { settings.playlistCount = playlistCount }
        if let record { settings.record = record }
        if let recordType { settings.recordType = recordType }
        if let segmentType { settings.segmentType = segmentType }
        if let segmentValue { settings.segmentValue = segmentValue }
        if let saveFolder { settings.saveFolder = saveFolder }
        if let enableDVR { settings.enableDVR = enableDVR }
        if let gaKey { settings.gaKey = gaKey }
    }
}

extension JSONObject {
    /// The settings of a stream, as the stream user commands show them.
    init(_ settings: StreamSettings) {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func integer(_ value: Int?) -> JSONValue { value.map { .int($0) } ?? .null }
        self = [
            "stream_id": .integer(settings.id), "app": .string(settings.app), "stream": .string(settings.stream),
            "protection": .string(settings.protection.rawValue),
            "reconnect_window": integer(settings.reconnectWindow),
            "end_on_unpublish": .bool(settings.endsOnUnpublish), "playlist_count": integer(settings.playlistCount),
            "record": .bool(settings.record), "record_type": text(settings.recordType),
            "segment_type": text(settings.segmentType), "segment_value": text(settings.segmentValue),
            "save_folder": text(settings.saveFolder), "enable_dvr": .bool(settings.enableDVR),
            "ga_key": text(settings.gaKey),
        ]
    }
}
