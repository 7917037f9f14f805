import Basics
import Foundation
import Storage
import Usher

/// The filters that both attempt commands take.
enum AttemptFields {
    // The documentation of errorcount writes the field with a capital in its table.
    private static let key = CommandField.optional("key", .text, aliases: ["Key"], "Of this ticket. Also `Key`.")
    private static let app = CommandField.optional(
        "app", .appPattern(), "Of this application; `*` for any characters.")
    private static let video = CommandField.optional(
        "video", .text, "For this stream or VOD path; `*` for any characters.")
    private static let address = CommandField.optional("ip", .text, "From this address or CIDR block.")
    private static let pass = CommandField.optional("pass", .text, "With this pass.")
    private static let success = CommandField.optional(
        "success", .boolean, "1: admitted ones only; 0: refused ones only.")

    static let descriptions = [CommandDescription.Field].list(key, app, video, address, pass, success)

    static func read(_ fields: inout Fields) -> AttemptFilter {
        var filter = AttemptFilter()
        filter.key = fields.read(key)
        // Attempts are logged for the name under which the app is published to.
        filter.app = fields.read(app).map { AppName.published($0) }
        filter.video = fields.read(video)
        filter.pass = fields.read(pass)
        filter.isSuccess = fields.read(success)
        if let ip = fields.read(address) {
            filter.address = ip
            if IPNetwork(ip) == nil { fields.invalid(address.name, "an IPv4 or IPv6 address or a CIDR block") }
        }
        return filter
    }
}

/// `sevu.errorlog`: the attempt log.
struct ListAttempts: Command {
    private static let since = CommandField.optional(
        "datetime", .date, aliases: ["starttime"],
        "On or after, in any form that `expire` takes. Also `starttime`.")
    private static let limit = CommandField.optional(
        "limit", .integer(1...1_000), "Rows at most, 1 to 1,000; 25 by default.")
    private static let seek = CommandField.optional("seek", .integer(0...1_000_000_000), "Rows to skip; 0 by default.")
    private static let before = CommandField.optional(
        "before_id", .id,
        "Rows with a smaller `id` only, and the largest first: with the last row's `id` the next page, which rows that are added "
            + "meanwhile do not shift. An extension.")

    static let description = CommandDescription(
        name: "sevu.errorlog", isMutating: false, isForTickets: true,
        text: "Lists attempts to watch, admitted and refused, newest first. `sevu.attempts` is another name of it.",
        fields: AttemptFields.descriptions + .list(since, limit, seek, before),
        payload:
            "`attempts`, a list of rows with `id`, `datetime`, `key`, `pass`, `ip`, `video`, `app`, "
            + "`appinst`, `pageurl`, `refurl`, `success`, `reason`, `server_ip`, `repeats` (how many "
            + "refusals alike it stands for), all strings."
    )

    private var filter: AttemptFilter
    private let limit, offset: Int

    init?(_ fields: inout Fields) {
        filter = AttemptFields.read(&fields)
        filter.since = fields.read(Self.since)
        filter.beforeID = fields.read(Self.before)
        limit = fields.read(Self.limit) ?? 25
        offset = fields.read(Self.seek) ?? 0
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let attempts = try await context.store.attempts(
            accountID: context.account.id, filter: filter, limit: limit, offset: offset)
        let rows = attempts.map { attempt -> JSONValue in
            .object([
                "id": .string(String(attempt.id)), "datetime": .string(ReplyDate.text(attempt.date)),
                "key": .string(attempt.key), "pass": .string(attempt.pass), "ip": .string(attempt.address),
                "video": .string(attempt.video), "app": .string(attempt.app), "appinst": .string(attempt.instance),
                "pageurl": .string(attempt.pageURL), "refurl": .string(attempt.referrerURL),
                "success": .string(attempt.isSuccess ? "1" : "0"), "reason": .string(attempt.reason),
                "server_ip": .string(attempt.serverAddress), "repeats": .string(String(attempt.repeats)),
            ])
        }
        return Reply(.attemptsListed, payload: ["attempts": .array(rows)])
    }
}

/// `sevu.errorcount`: how many attempts there are.
struct CountAttempts: Command {
    private static let limit = CommandField.optional(
        "limit", .integer(0...1_000_000_000), "Attempts to count at most; all by default.")
    private static let seek = CommandField.optional(
        "seek", .integer(0...1_000_000_000), "Attempts to skip before counting; 0 by default.")

    static let description = CommandDescription(
        name: "sevu.errorcount", isMutating: false, isForTickets: true,
        text: "Counts attempts to watch, admitted and refused, that match every filter given.",
        fields: AttemptFields.descriptions + .list(limit, seek),
        payload: "`error_count`, an integer: min(`limit`, max(0, matches − `seek`)).", hasFixedReply: true)

    private let filter: AttemptFilter
    private let limit: Int?
    private let offset: Int

    init?(_ fields: inout Fields) {
        filter = AttemptFields.read(&fields)
        limit = fields.read(Self.limit)
        offset = fields.read(Self.seek) ?? 0
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let matches = try await context.store.countAttempts(accountID: context.account.id, filter: filter)
        let count = matches > offset ? min(limit ?? .max, matches - offset) : 0
        return Reply(.attemptsCounted, payload: ["error_count": .int(count)])
    }
}
