import Basics
import Foundation
import Live
import Media
import PushPublish
import RTMP

/// The fields that name a stream: its app, instance and name.
enum StreamFields {
    static let app = CommandField.required("app", .ownApp, "The application.")
    static let instance = CommandField.required("inst", .streamName, "Its instance, usually `live`.")
    static let stream = CommandField.required("stream", .streamName, "The stream's name.")
    static let origin = CommandField.optional("origin_url", .text, "Accepted; this origin answers for itself.")

    static func address(_ fields: inout Fields) -> StreamAddress? {
        let app = fields.read(app)
        let instance = fields.read(instance)
        let stream = fields.read(stream)
        guard let app, let instance, let stream else { return nil }
        return StreamAddress(app: app, instance: instance, stream: stream)
    }
}

/// `stream.active`: what is on air.
struct ActiveStreams: Command {
    static let description = CommandDescription(
        name: "stream.active", isMutating: false, text: "Lists the streams on air on an instance of an application.",
        fields: .list(StreamFields.app, StreamFields.instance, StreamFields.origin),
        payload: "`streams`, a list of rows as `stream.details` has it.")

    private let app, instance: String

    init?(_ fields: inout Fields) {
        let app = fields.read(StreamFields.app)
        let instance = fields.read(StreamFields.instance)
        _ = fields.read(StreamFields.origin)
        guard let app, let instance else { return nil }
        (self.app, self.instance) = (app, instance)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        var rows: [JSONValue] = []
        for hub in await context.environment.stage.onAir()
        where hub.address.app == app && hub.address.instance == instance && hub.accountID == context.account.id {
            if let row = await StreamRow.object(hub, context.environment) { rows.append(.object(row)) }
        }
        return Reply(.activeStreamsListed, payload: ["streams": .array(rows)])
    }
}

/// `stream.details`: one stream on air.
struct StreamDetails: Command {
    static let description = CommandDescription(
        name: "stream.details", isMutating: false,
        text: "One stream on air: its encoder, codecs, measured rates, viewers and pushes.",
        fields: .list(StreamFields.app, StreamFields.instance, StreamFields.stream, StreamFields.origin),
        payload:
            "`stream` with `name`, `app`, `inst`, `type`, `state` (`live`, `recovering`), `isRecording`, "
            + "`connect_time`, `publish_time`, `encoder`, `codec`, `width`, `height`, `frame_rate`, "
            + "`bitrate`, `metadata`, `transcoders`, `transcoder_count`, `last_chunk_id`, `viewers`, "
            + "`bytes_in`, `pushpublish`, `encoders` (those connected, the one on air first, each with `role` "
            + "(`primary`, `backup`), `on_air` and what `encoder` has)."
    )

    private let address: StreamAddress

    init?(_ fields: inout Fields) {
        guard let address = StreamFields.address(&fields) else { return nil }
        self.address = address
    }

    func run(_ context: CommandContext) async throws -> Reply {
        guard let hub = await context.environment.stage.hub(at: address), hub.accountID == context.account.id,
            let row = await StreamRow.object(hub, context.environment)
        else { throw CommandFailure(.streamNotActive) }
        return Reply(.streamDetailsFound, payload: ["stream": .object(row)])
    }
}

/// `stream.close`: sends the encoder away.
struct CloseStream: Command {
    private static let id = CommandField.optional("stream_id", .id, "The stream's id; or else:")

    static let description = CommandDescription(
        name: "stream.close", isMutating: true,
        text:
            "Ends a stream and closes its encoder's connection. The encoder may come back, unless its user "
            + "is removed first.",
        fields: .list(
            id, StreamFields.app.saying("the application,"), StreamFields.instance.saying("its instance"),
            StreamFields.stream.saying("and the stream's name."), StreamFields.origin),
        payload: "nothing more.")

    private enum Selection: Sendable {
        case id(Int64)
        case address(StreamAddress)
    }

    private let selection: Selection

    init?(_ fields: inout Fields) {
        if fields.isGiven(Self.id) {
            guard let id = fields.read(Self.id) else { return nil }
            selection = .id(id)
        } else {
            guard let address = StreamFields.address(&fields) else { return nil }
            selection = .address(address)
        }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let stage = context.environment.stage
        var closed = false
        switch selection {
        case .address(let address):
            context.touched.concern(.broadcast(address))
            if let hub = await stage.hub(at: address), hub.accountID == context.account.id {
                closed = await stage.close(address)
                context.touched.change(.broadcast(address))
            }
        case .id(let id):
            guard let row = try await context.store.stream(id: id), row.accountID == context.account.id else {
                throw CommandFailure(.streamNotFound)
            }
            for hub in await stage.onAir()
            where hub.address.app == row.app && hub.address.stream == row.stream && hub.accountID == row.accountID {
                context.touched.change(.broadcast(hub.address))
                if await stage.close(hub.address) { closed = true }
            }
        }
        guard closed else { throw CommandFailure(.streamNotActive) }
        return Reply(.streamClosed)
    }
}

/// A stream on air as the API shows it.
enum StreamRow {
    static func object(_ hub: StreamHub, _ environment: ControlEnvironment) async -> JSONObject? {
        guard let report = await hub.report() else { return nil }
        let address = report.address
        let pushes = await environment.pushes.statuses(
            accountID: hub.accountID, app: address.app, instance: address.instance, stream: address.stream)
        let resolution = report.tracks.video?.resolution ?? announcedResolution(report.metadata)
        let frameRate = (report.frameRate * 100).rounded() / 100
        return [
            "name": .string(address.stream), "app": .string(address.app), "inst": .string(address.instance),
            "type": "live", "state": .string(report.state.rawValue), "isRecording": "false",
            "connect_time": .string(ReplyDate.slashed(report.publisher.connected)),
            "publish_time": .string(ReplyDate.slashed(report.published)),
            "encoder": .object(encoder(report.publisher)),
            "encoders": .array(
                report.encoders.map { connected in
                    var row = encoder(connected.info)
                    row["role"] = .string(connected.role.rawValue)
                    row["on_air"] = .bool(connected.isOnAir)
                    return .object(row)
                }),
            "codec": codec(report.tracks), "width": .int(resolution?.width ?? 0),
            "height": .int(resolution?.height ?? 0), "frame_rate": .double(frameRate), "bitrate": .int(report.bitrate),
            "metadata": report.metadata.map(json) ?? .object([:]), "transcoders": [], "transcoder_count": 0,
            "last_chunk_id": .integer(environment.lastSegment(address) ?? 0),
            "viewers": .int(environment.viewers(address, report.viewers)),
            "bytes_in": .integer(report.bytesReceived), "pushpublish": .array(pushes.map { .object(row($0)) }),
        ]
    }

    private static func encoder(_ publisher: PublisherInfo) -> JSONObject {
        [
            "address": .string(publisher.address), "software": .string(publisher.software),
            "protocol": .string(publisher.transport), "user": .string(publisher.user),
        ]
    }

    private static func codec(_ tracks: TrackSet) -> JSONValue {
        var audioType = ""
        var videoType = ""
        if case .audio(let codec)? = tracks.audio?.codec { audioType = codec.displayName }
        if case .video(let codec)? = tracks.video?.codec { videoType = codec.displayName }
        return [
            "audio": .string(tracks.audio?.codecString ?? ""), "audio_type": .string(audioType),
            "video": .string(tracks.video?.codecString ?? ""), "video_type": .string(videoType),
        ]
    }

    /// What the encoder says, where the codec's configuration does not tell.
    private static func announcedResolution(_ metadata: AMFValue?) -> Resolution? {
        guard let width = metadata?["width"]?.number.flatMap({ Int(exactly: $0) }),
            let height = metadata?["height"]?.number.flatMap({ Int(exactly: $0) })
        else { return nil }
        return Resolution(width: width, height: height)
    }

    static func row(_ push: PushReport) -> JSONObject {
        [
            "entry_name": .string(push.entryName), "stream": .string(push.source.stream),
            "profile": .string(push.profile), "status": .string(push.status.rawValue),
            "push_service_id": push.pushServiceID.map { .integer($0) } ?? .null,
            "destination": .string(push.destination), "bytes_sent": .integer(push.bytesSent),
            "dropped_frames": .int(push.droppedFrames), "reconnects": .int(push.reconnects),
            "connected_time": .string(ReplyDate.text(push.connected)), "last_error": .string(push.lastError ?? ""),
        ]
    }

    /// The encoder's metadata as JSON. It is as deep as the AMF decoder allows.
    static func json(_ value: AMFValue) -> JSONValue {
        switch value {
        case .number(let number):
            if let integer = Int64(exactly: number) { return .integer(integer) }
            return .double(number)
        case .boolean(let boolean): return .bool(boolean)
        default: break
        }
        if let text = value.string { return .string(text) }
        if let object = value.object {
            var members: [JSONObject.Member] = []
            var names: Set<String> = []
            for member in object.members where names.insert(member.name).inserted {
                members.append(.init(member.name, json(member.value)))
            }
            return .object(JSONObject(members))
        }
        if let array = value.array { return .array(array.map(json)) }
        return .null
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements.map { JSONObject.Member($0.0, $0.1) }))
    }
}
