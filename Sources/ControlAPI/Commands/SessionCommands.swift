import Admission
import Basics
import Foundation
import Usher

/// `sevu.sessions`: who is watching with a ticket.
struct ListSessions: Command {
    private static let key = CommandField.optional("key", .text(maximum: 128), "With this ticket.")
    private static let app = CommandField.optional(
        "app", .appPattern(maximum: 255), "Of this app; `*` for any characters.")
    private static let video = CommandField.optional(
        "video", .text(maximum: 255), "Of this stream; `*` for any characters.")
    private static let address = CommandField.optional("ip", .text, "From this address or CIDR block.")
    private static let limit = CommandField.optional(
        "limit", .integer(1...1_000), "Sessions at most, 1 to 1,000; 100 by default.")

    static let description = CommandDescription(
        name: "sevu.sessions", isMutating: false, isForTickets: true,
        text:
            "Lists the sessions that run on this server with a ticket, the newest first. An extension: the documents have no such "
            + "command.",
        fields: .list(key, app, video, address, limit),
        payload:
            "`total`, how many there are, and `sessions`, a list of rows with `session` (its name for `sevu.kick`), `key`, `pass`, "
            + "`ip`, `app`, `appinst`, `video`, `protocol` (`hls`, `dash`, `flv` or `rtmp`), `since`, `bytes` (sent so far), all strings."
    )

    private let key: String?
    private let app, video: WildcardPattern?
    private let network: IPNetwork?
    private let limit: Int

    init?(_ fields: inout Fields) {
        key = fields.read(Self.key)
        app = fields.read(Self.app).map { WildcardPattern(AppName.published($0)) }
        video = fields.read(Self.video).map { WildcardPattern(VideoName.normalized($0)) }
        let address = fields.read(Self.address)
        network = address.flatMap { IPNetwork($0) }
        if address != nil, network == nil {
            fields.invalid(Self.address.name, "an IPv4 or IPv6 address or a CIDR block")
        }
        limit = fields.read(Self.limit) ?? 100
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let reports = context.environment.admissions.reports { facts in
            context.account.owns(app: facts.app) && (key == nil || facts.key == key)
                && (app?.matches(facts.app) ?? true) && (video?.matches(facts.video) ?? true)
                && (network.map { network in IPAddress(facts.address).map(network.contains) ?? false } ?? true)
        }
        let rows = reports.prefix(limit).map { report -> JSONValue in
            .object([
                "session": .string(report.name), "key": .string(report.facts.key ?? ""),
                "pass": .string(report.facts.pass ?? ""), "ip": .string(report.facts.address),
                "app": .string(report.facts.app), "appinst": .string(report.facts.instance),
                "video": .string(report.facts.video), "protocol": .string(report.facts.delivery.rawValue),
                "since": .string(ReplyDate.text(report.started)), "bytes": .string(String(report.bytes)),
            ])
        }
        return Reply(.sessionsListed, payload: ["total": .string(String(reports.count)), "sessions": .array(rows)])
    }
}

/// `sevu.kick`: the end of one session.
struct EndSession: Command {
    private static let session = CommandField.required(
        "session", .text(maximum: 64), "The session's name, as `sevu.sessions` has it.")

    static let description = CommandDescription(
        name: "sevu.kick", isMutating: true, isForTickets: true,
        text:
            "Ends one session. Its ticket stays what it is: with a use left the viewer may come again, so `sevu.revoke` or "
            + "`sevu.update` comes first where that is not wanted. An extension: the documents have no such command.",
        fields: .list(session), payload: "nothing more.")

    private let session: String

    init?(_ fields: inout Fields) {
        guard let session = fields.read(Self.session) else { return nil }
        self.session = session
    }

    func run(_ context: CommandContext) async throws -> Reply {
        context.touched.concern(.viewing(session))
        let hasEnded = try await context.environment.admissions.end(sessionNamed: session) {
            context.account.owns(app: $0.app)
        }
        guard hasEnded else { throw CommandFailure(.sessionNotFound) }
        context.touched.change(.viewing(session))
        return Reply(.sessionEnded)
    }
}
