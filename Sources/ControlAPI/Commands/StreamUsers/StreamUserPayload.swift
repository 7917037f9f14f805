import Foundation
import Storage

/// Stream users and settings as replies show them.
enum StreamUserPayload {
    static let documents: [FieldDocument] = [
        .init("streamuser_id", "string", ""),
        .init("stream_id", "string", "Of the stream's settings."),
        .init("app", "string", ""),
        .init("stream", "string", "`*`: every stream of the app."),
        .init("user", "string", "null: publishing needs no credentials."),
        .init("created_date", "string", "UTC."),
    ]

    static let settingsDocuments: [FieldDocument] = [
        .init("protection", "string", "`none` or `sevu`."),
        .init("reconnect_window", "string", "Seconds; null: the server's default. Likewise `playlist_timeout`."),
        .init("playlist_timeout", "string", ""),
        .init("ends_on_unpublish", "string", "`1` or `0`."),
        .init("playlist_count", "string", "null: the server's default."),
        .init("enable_dvr", "string", "`1` or `0`."),
        .init("record", "string", "`1` or `0`."),
        .init("record_type", "string", "As set, else null; likewise the rest."),
        .init("segment_type", "string", ""),
        .init("segment_value", "string", ""),
        .init("save_folder", "string", ""),
        .init("ga_key", "string", ""),
    ]

    static let addressDocuments: [FieldDocument] = [
        .init("origin_url", "string", "Where the encoder publishes, without the stream's name."),
        .init("origin_stream_url", "string", "The same with the stream's name; null for `*`."),
        .init("playback_url", "string", "HLS; null for `*`."),
    ]

    static func user(_ user: StreamUser) -> JSONObject {
        [
            "streamuser_id": .string(String(user.id)),
            "stream_id": .string(String(user.streamID)),
            "app": .string(user.app),
            "stream": .string(user.stream),
            "user": user.user.map(JSONValue.string) ?? .null,
            "created_date": .string(DateText.text(user.created)),
        ]
    }

    static func settings(_ settings: StreamSettings) -> JSONObject {
        let window = settings.reconnectWindow.map { JSONValue.string(String($0)) } ?? .null
        return [
            "protection": .string(settings.protection.rawValue),
            "reconnect_window": window,
            "playlist_timeout": window,
            "ends_on_unpublish": flag(settings.endsOnUnpublish),
            "playlist_count": settings.playlistCount.map { .string(String($0)) } ?? .null,
            "enable_dvr": flag(settings.enableDVR),
            "record": flag(settings.record),
            "record_type": settings.recordType.map(JSONValue.string) ?? .null,
            "segment_type": settings.segmentType.map(JSONValue.string) ?? .null,
            "segment_value": settings.segmentValue.map(JSONValue.string) ?? .null,
            "save_folder": settings.saveFolder.map(JSONValue.string) ?? .null,
            "ga_key": settings.gaKey.map(JSONValue.string) ?? .null,
        ]
    }

    /// Encoders publish to and players fetch from instance `live`.
    static func addresses(app: String, stream: String, configuration: ControlConfiguration) -> JSONObject {
        let origin = "\(configuration.publicRTMP)/\(app)/live"
        let isOne = stream != "*"
        return [
            "origin_url": .string(origin),
            "origin_stream_url": isOne ? .string("\(origin)/\(stream)") : .null,
            "playback_url": isOne
                ? .string("\(configuration.publicHTTP)/\(app)/live/\(stream)/playlist.m3u8") : .null,
        ]
    }

    private static func flag(_ flag: Bool) -> JSONValue {
        flag ? "1" : "0"
    }
}

extension JSONObject {
    /// The members of both; `other`'s win where names are the same.
    func merging(_ other: JSONObject) -> JSONObject {
        var merged = self
        for member in other.members {
            merged[member.name] = member.value
        }
        return merged
    }
}
