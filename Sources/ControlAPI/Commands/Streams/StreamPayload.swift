import Foundation

/// A stream on air as replies show it.
enum StreamPayload {
    static let documents: [FieldDocument] = [
        .init("name", "string", "The stream."),
        .init("app", "string", ""),
        .init("inst", "string", ""),
        .init("type", "string", "`live`, `channel`, `switchboard` or `transcode`."),
        .init("state", "string", "`live`, or `recovering` while a dropped encoder may return."),
        .init("isRecording", "string", "`true` or `false`."),
        .init("connect_time", "string", "`YYYY/MM/DD HH:MM:SS` UTC: when the encoder connected,"),
        .init("publish_time", "string", "and when it began to publish."),
        .init("encoder", "object", "`address`, `software`, `protocol`."),
        .init("codec", "object", "`audio`, `audio_type`, `video`, `video_type`; null where there is no such track."),
        .init("width", "int", "Pixels; null when not known. Likewise `height`."),
        .init("height", "int", ""),
        .init("frame_rate", "float", "Measured, pictures per second."),
        .init("bitrate", "int", "Measured, bits per second."),
        .init("metadata", "object", "What the encoder says of itself."),
        .init("transcoders", "list", "Names of the renditions being made."),
        .init("transcoder_count", "int", ""),
        .init("last_chunk_id", "int", "Number of the newest HLS segment."),
        .init("viewers", "int", "Of all protocols."),
        .init("pushpublish", "list", "One object a push session of the stream:"),
        .init("pushpublish.entry_name", "string", "What `pushpublish.disconnect` takes."),
        .init("pushpublish.stream", "string", "The source."),
        .init("pushpublish.profile", "string", ""),
        .init(
            "pushpublish.status", "string", "`Waiting`, `Connecting`, `Connected`, `Retrying`, `Failed`, `Disconnected`."),
        .init("pushpublish.push_service_id", "int", "null for a manual one."),
        .init("pushpublish.destination", "string", "Stream key by its last four characters."),
        .init("pushpublish.bytes_sent", "int", ""),
        .init("pushpublish.dropped_frames", "int", ""),
        .init("pushpublish.reconnects", "int", ""),
        .init("pushpublish.connected_time", "string", "UTC; null when it is not connected."),
        .init("pushpublish.last_error", "string", "null when there was none."),
    ]

    static func object(_ report: StreamReport, pushes: [PushSessionReport]) -> JSONValue {
        .object([
            "name": .string(report.stream),
            "app": .string(report.app),
            "inst": .string(report.instance),
            "type": .string(report.type),
            "state": .string(report.state),
            "isRecording": report.isRecording ? "true" : "false",
            "connect_time": .string(DateText.slashed(report.connected)),
            "publish_time": .string(DateText.slashed(report.published)),
            "encoder": .object([
                "address": .string(report.encoderAddress), "software": .string(report.encoderSoftware),
                "protocol": .string(report.encoderProtocol),
            ]),
            "codec": .object([
                "audio": text(report.audioCodec), "audio_type": text(report.audioType),
                "video": text(report.videoCodec), "video_type": text(report.videoType),
            ]),
            "width": report.width.map(JSONValue.int) ?? .null,
            "height": report.height.map(JSONValue.int) ?? .null,
            "frame_rate": .double(report.frameRate),
            "bitrate": .int(report.bitrate),
            "metadata": .object(report.metadata),
            "transcoders": .array(report.transcoders.map(JSONValue.string)),
            "transcoder_count": .int(report.transcoders.count),
            "last_chunk_id": .integer(report.lastChunkID),
            "viewers": .int(report.viewers),
            "pushpublish": .array(pushes.map(push)),
        ])
    }

    private static func push(_ session: PushSessionReport) -> JSONValue {
        .object([
            "entry_name": .string(session.entryName),
            "stream": .string(session.stream),
            "profile": .string(session.profile),
            "status": .string(session.status),
            "push_service_id": session.pushServiceID.map(JSONValue.integer) ?? .null,
            "destination": .string(session.destination),
            "bytes_sent": .integer(session.bytesSent),
            "dropped_frames": .int(session.droppedFrames),
            "reconnects": .int(session.reconnects),
            "connected_time": session.connected.map { .string(DateText.text($0)) } ?? .null,
            "last_error": text(session.lastError),
        ])
    }

    private static func text(_ text: String?) -> JSONValue {
        text.map(JSONValue.string) ?? .null
    }
}
