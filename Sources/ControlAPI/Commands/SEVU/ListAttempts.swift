import Foundation
import Storage
import Usher

/// `sevu.errorlog`, and by its other page's name `sevu.attempts`
struct ListAttempts: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.errorlog", aliases: ["sevu.attempts"], isMutating: false, isForTicketKeys: true,
        summary: "Lists attempts to use tickets, accepted and rejected, that match every filter given, newest first.",
        fields: AttemptSearch.documents + [
            .init("limit", "int", "1 to 1000, default 25."),
            .init("seek", "int", "Rows to skip; default 0."),
            .init("datetime", "string", "On or after, UTC; forms as `expire` of `sevu.request`. Also as `starttime`."),
        ],
        reply: [
            .init("attempts", "list", "One object an attempt:"),
            .init("attempts.id", "string", ""),
            .init("attempts.datetime", "string", "UTC."),
            .init("attempts.key", "string", "As presented, empty when none was; likewise `pass`."),
            .init("attempts.pass", "string", ""),
            .init("attempts.ip", "string", "The viewer's address."),
            .init("attempts.video", "string", ""),
            .init("attempts.app", "string", ""),
            .init("attempts.appinst", "string", "The application's instance."),
            .init("attempts.pageurl", "string", "The page that embeds the player, when known."),
            .init("attempts.refurl", "string", "The referrer, when known."),
            .init("attempts.success", "string", "`1` accepted, `0` rejected."),
            .init("attempts.reason", "string", "Why it was rejected."),
            .init("attempts.server_ip", "string", "The server's address that was reached."),
            .init("attempts.count", "string", "How many rejections alike the row stands for."),
        ],
        codes: [.attemptsListed])

    private var filter: AttemptFilter
    private let limit: Int
    private let seek: Int

    init(_ fields: inout Fields) {
        filter = AttemptSearch.filter(&fields)
        limit = fields.optionalInt("limit", in: 1...1000) ?? 25
        seek = fields.optionalInt("seek", in: 0...Int.max) ?? 0
        let name = fields.given("datetime") != nil ? "datetime" : "starttime"
        if let text = fields.optionalText(name) {
            do throws(RuleError) {
                filter.since = try ExpiryParser.parse(text, now: Date(timeIntervalSince1970: 0), field: name)
            } catch {
                fields.add(.invalid(name, expected: "must be a time, such as YYYY-MM-DD HH:MM:SS in UTC"))
            }
        }
    }

    func run(in context: CommandContext) async throws -> Reply {
        let attempts = try await context.services.store.attempts(
            cdn: context.account.cdn, filter: filter, limit: limit, offset: seek)
        return Reply(.attemptsListed, payload: ["attempts": .array(attempts.map(Self.row))])
    }

    private static func row(_ attempt: Attempt) -> JSONValue {
        .object([
            "id": .string(String(attempt.id)),
            "datetime": .string(DateText.text(attempt.date)),
            "key": .string(attempt.key),
            "pass": .string(attempt.pass),
            "ip": .string(attempt.address),
            "video": .string(attempt.video),
            "app": .string(attempt.app),
            "appinst": .string(attempt.instance),
            "pageurl": .string(attempt.pageURL),
            "refurl": .string(attempt.referrerURL),
            "success": attempt.isSuccess ? "1" : "0",
            "reason": .string(attempt.reason),
            "server_ip": .string(attempt.serverAddress),
            "count": .string(String(attempt.repeats)),
        ])
    }
}
