import Basics
import Storage

/// The stream settings that `sevu.addstreamuser` and `sevu.updatestream` take; only what is given changes.
struct StreamSettingsFields: Sendable {
    private enum RecordType: String, CaseIterable { case stream, event }
    private enum SegmentType: String, CaseIterable { case disabled, schedule, duration, size }

    private static let protection = CommandField<Protection>.optional(
        "protection", .choice, "`none` or `sevu`: whether viewers need a ticket.")
    private static let reconnectWindow = CommandField.optional(
        "reconnect_window", .integer(0...1_800), aliases: ["playlist_timeout"],
        "Seconds a dropped encoder has to return, 0 to 1800. Also `playlist_timeout`.")
    private static let endsOnUnpublish = CommandField.optional(
        "end_on_unpublish", .boolean, "Whether an orderly unpublish ends the stream at once; true by default.")
    private static let playlistCount = CommandField.optional(
        "playlist_count", .integer(3...120), "Segments in the HLS playlist, 3 to 120.")
    private static let record = CommandField.optional(
        "record", .boolean, "Whether it is recorded on publish (kept for the recording commands).")
    private static let recordType = CommandField.optional(
        "record_type", .word(of: RecordType.self), "`stream` or `event`.")
    private static let segmentType = CommandField.optional(
        "segment_type", .word(of: SegmentType.self), "`disabled`, `schedule`, `duration` or `size`.")
    private static let segmentValue = CommandField.optional(
        "segment_value", .text(maximum: 128), "Megabytes, minutes or a cron line, as `segment_type` says.")
    private static let saveFolder = CommandField.optional("save_folder", .text(maximum: 512), "Where recordings go.")
    private static let enableDVR = CommandField.optional("enable_dvr", .boolean, "Whether viewers may rewind.")
    private static let gaKey = CommandField.optional("ga_key", .text(maximum: 128), "Google Analytics key.")

    static let descriptions = [CommandDescription.Field].list(
        protection, reconnectWindow, endsOnUnpublish, playlistCount, record, recordType, segmentType, segmentValue,
        saveFolder, enableDVR, gaKey)

    private let protection: Protection?
    private let reconnectWindow: Int?
    private let endsOnUnpublish: Bool?
    private let playlistCount: Int?
    private let record: Bool?
    private let recordType, segmentType, segmentValue, saveFolder, gaKey: String?
    private let enableDVR: Bool?

    init(_ fields: inout Fields) {
        protection = fields.read(Self.protection)
        reconnectWindow = fields.read(Self.reconnectWindow)
        endsOnUnpublish = fields.read(Self.endsOnUnpublish)
        playlistCount = fields.read(Self.playlistCount)
        record = fields.read(Self.record)
        recordType = fields.read(Self.recordType)
        segmentType = fields.read(Self.segmentType)
        segmentValue = fields.read(Self.segmentValue)
        saveFolder = fields.read(Self.saveFolder)
        enableDVR = fields.read(Self.enableDVR)
        gaKey = fields.read(Self.gaKey)
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
