import Basics
import Foundation
import Storage

/// `app.list`: the account's applications.
struct ListApps: Command {
    static let description = CommandDescription(
        name: "app.list", isMutating: false, text: "Lists the account's applications.", fields: [],
        payload:
            "`apps`, a list of rows with `name`, `type` (`origin`, `chorigin`, `vod`), `origin_url`, "
            + "`playback_url` (of a stream called `STREAM`)."
    )

    init?(_ fields: inout Fields) {}

    func run(_ context: CommandContext) async throws -> Reply {
        var names = context.account.apps
        let used = try await context.store.streams(accountID: context.account.id).map(\.app)
        for app in used.sorted() where !names.contains(app) { names.append(app) }
        let addresses = context.environment.addresses
        let rows = names.map { name -> JSONValue in
            let type = name.split(separator: "-").last.map(String.init) ?? ""
            return .object([
                "name": .string(name), "type": .string(type), "origin_url": .string(addresses.publishURL(app: name)),
                "playback_url": .string(addresses.playlistURL(app: name, stream: PublicAddresses.anyStream)),
            ])
        }
        return Reply(.appsListed, payload: ["apps": .array(rows)])
    }
}

/// `server.status`: is the origin there?
struct ServerStatus: Command {
    private static let app = CommandField.optional(
        "app", .ownApp, "An application that lives on the server; this or")
    private static let origin = StreamFields.origin.saying(
        "the server's address is required: its public host, or a host that begins with one of your applications.")

    static let description = CommandDescription(
        name: "server.status", isMutating: false,
        text:
            "Says that the origin can be reached, and how it does. Of another server it knows nothing, and says so (code 2740).",
        fields: .list(app, origin),
        payload: "`server`, `version`, `uptime` (seconds), `streams` (of the account on air), `response_time`.")

    private let origin: String?

    init?(_ fields: inout Fields) {
        _ = fields.read(Self.app)
        origin = fields.read(Self.origin)
        if !fields.isGiven(Self.app), !fields.isGiven(Self.origin) { fields.missing(Self.app) }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let environment = context.environment
        if let origin, !environment.addresses.names(origin, account: context.account) {
            throw CommandFailure(
                .serverNotReachable, "\(origin.cut()) is not this server, which is \(environment.addresses.host)")
        }
        let begin = ContinuousClock.now
        // Reached means more than a listener: the store answers as well.
        _ = try await context.store.currentTicketRevision()
        let streams = await environment.stage.onAir().count { $0.accountID == context.account.id }
        let uptime = Int(exactly: environment.now().timeIntervalSince(environment.started).rounded(.down)) ?? 0
        return Reply(
            .serverReachable,
            payload: [
                "server": .string(environment.addresses.host), "version": .string(environment.version),
                "uptime": .int(uptime), "streams": .int(streams),
                "response_time": .string(HandleTime.text(ContinuousClock.now - begin)),
            ])
    }
}

/// `log.origin`: what encoders and pushes did.
struct OriginLog: Command {
    private static let app = StreamFields.app
    private static let stream = CommandField.optional(
        "stream", .streamName(allowsStar: true), "Of this stream; of all by default, or with `*`.")
    private static let limit = CommandField.optional(
        "limit", .integer(1...1_000), "Rows at most, 1 to 1,000; 25 by default.")
    private static let offset = CommandField.optional(
        "offset", .integer(0...1_000_000_000), "Rows to skip; 0 by default.")

    static let description = CommandDescription(
        name: "log.origin", isMutating: false,
        text: "Lists publish, unpublish, push and unpush events, newest first.",
        fields: .list(app, stream, limit, offset),
        payload:
            "`events`, a list of rows with `id`, `datetime`, `event`, `app`, `inst`, `stream`, "
            + "`authenticated`, `user`, `ip`, `metadata` (encoder data, push settings without secrets, or an "
            + "error under `error`)."
    )

    private let app: String
    private let stream: String?
    private let limit, offset: Int

    init?(_ fields: inout Fields) {
        let app = fields.read(Self.app)
        let stream = fields.read(Self.stream)
        self.stream = stream == "*" ? nil : stream
        limit = fields.read(Self.limit) ?? 25
        offset = fields.read(Self.offset) ?? 0
        guard let app else { return nil }
        self.app = app
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let events = try await context.store.events(
            accountID: context.account.id, app: app, stream: stream, limit: limit, offset: offset)
        let rows = events.map { event -> JSONValue in
            let metadata = event.metadata.sorted { $0.key < $1.key }.map {
                JSONObject.Member($0.key, .string($0.value))
            }
            return .object([
                "id": .string(String(event.id)), "datetime": .string(ReplyDate.text(event.date)),
                "event": .string(event.kind.rawValue), "app": .string(event.app), "inst": .string(event.instance),
                "stream": .string(event.stream), "authenticated": .bool(event.isAuthenticated),
                "user": .string(event.user), "ip": .string(event.address), "metadata": .object(JSONObject(metadata)),
            ])
        }
        return Reply(.originLogListed, payload: ["events": .array(rows)])
    }
}
