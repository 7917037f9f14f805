import Basics
import Storage

/// The stream settings that `sevu.addstreamuser` and `sevu.updatestream` take; only what is given changes.
struct StreamSettingsFields: Sendable {
    private enum ProtectionChoice: String, CaseIterable {
        case none, sevu, inherit

        var protection: Protection? { Protection(rawValue: rawValue) }
    }
    private enum RecordType: String, CaseIterable { case stream, event }
    private enum SegmentType: String, CaseIterable { case disabled, schedule, duration, size }

    private static let all: [RecordField<StreamSettings>] = [
        RecordField(
            .optional(
                "protection", .choice,
                "`none` or `sevu`: whether viewers need a ticket; `inherit`: as the app's `*` says, or the configuration."
            )
        ) { (row: inout StreamSettings, choice: ProtectionChoice) in row.protection = choice.protection },
        RecordField(
            .optional(
                "reconnect_window", .integer(0...1_800), aliases: ["playlist_timeout"],
                "Seconds a dropped encoder has to return, 0 to 1800. Also `playlist_timeout`."), \.reconnectWindow),
        RecordField(
            .optional(
                "end_on_unpublish", .boolean, "Whether an orderly unpublish ends the stream at once; true by default."),
            \.endsOnUnpublish),
        RecordField(
            .optional(
                "playlist_count", .integer(StreamSettings.playlistCounts), "Segments in the HLS playlist, 3 to 120."),
            \.playlistCount),
        RecordField(
            .optional("record", .boolean, "Whether it is recorded on publish (kept for the recording commands)."),
            \.record),
        RecordField(
            .optional("record_type", .word(of: RecordType.self), "`stream` or `event`."), \.recordType),
        RecordField(
            .optional(
                "segment_type", .word(of: SegmentType.self), "`disabled`, `schedule`, `duration` or `size`."),
            \.segmentType),
        RecordField(
            .optional(
                "segment_value", .text(maximum: 128), "Megabytes, minutes or a cron line, as `segment_type` says."),
            \.segmentValue),
        RecordField(
            .optional("save_folder", .text(maximum: 512), "Where recordings go."), \.saveFolder),
        RecordField(.optional("enable_dvr", .boolean, "Whether viewers may rewind."), \.enableDVR),
        RecordField(.optional("ga_key", .text(maximum: 128), "Google Analytics key."), \.gaKey),
    ]

    static let descriptions = all.map(\.description)

    private let changes: [RecordField<StreamSettings>.Change]

    init(_ fields: inout Fields) {
        changes = Self.all.compactMap { $0.read(&fields) }
    }

    func apply(to settings: inout StreamSettings) {
        for change in changes { change(&settings) }
    }
}

extension JSONObject {
    /// The settings of a stream that are in force, as the stream user commands show them.
    /// - Parameters:
    ///   - row: the stream's own.
    ///   - rows: what its settings come from, `row` included.
    init(_ row: StreamSettings, inheriting rows: [StreamSettings], protection: Protection) {
        func text(_ setting: KeyPath<StreamSettings, String?>) -> JSONValue {
            rows.inForce(setting).map { .string($0) } ?? .null
        }
        func integer(_ setting: KeyPath<StreamSettings, Int?>) -> JSONValue {
            rows.inForce(setting).map { .int($0) } ?? .null
        }
        func flag(_ setting: KeyPath<StreamSettings, Bool?>, _ configured: Bool) -> JSONValue {
            .bool(rows.inForce(setting) ?? configured)
        }
        self = [
            "stream_id": .integer(row.id), "app": .string(row.app), "stream": .string(row.stream),
            "protection": .string(protection.rawValue), "reconnect_window": integer(\.reconnectWindow),
            "end_on_unpublish": flag(\.endsOnUnpublish, true), "playlist_count": integer(\.playlistCount),
            "record": flag(\.record, false), "record_type": text(\.recordType),
            "segment_type": text(\.segmentType), "segment_value": text(\.segmentValue),
            "save_folder": text(\.saveFolder), "enable_dvr": flag(\.enableDVR, false), "ga_key": text(\.gaKey),
        ]
    }
}
