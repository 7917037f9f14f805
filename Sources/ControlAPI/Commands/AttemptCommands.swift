import Basics
import Foundation
import Storage
import Usher

/// The filters that both attempt commands take.
enum AttemptFields {
    static let descriptions: [CommandDescription.Field] = [
        .optional("key", "Of this ticket. Also `Key`."),
        .optional("app", "Of this application; `*` for any characters."),
        .optional("video", "For this stream or VOD path; `*` for any characters."),
        .optional("ip", "From this address or CIDR block."), .optional("pass", "With this pass."),
        .optional("success", "1: admitted ones only; 0: refused ones only."),
    ]

    static func read(_ fields: inout Fields) -> AttemptFilter {
        var filter = AttemptFilter()
        // The documentation of errorcount writes the field with a capital in its table.
        filter.key = fields.text(fields.isGiven("key") ? "key" : "Key")
        filter.app = fields.text("app")
        filter.video = fields.text("video")
        filter.pass = fields.text("pass")
        filter.isSuccess = fields.boolean("success")
        if let ip = fields.text("ip") {
            filter.address = ip
            if IPNetwork(ip) == nil { fields.invalid("ip", "an IPv4 or IPv6 address or a CIDR block") }
        }
        return filter
    }
}

/// `sevu.errorlog`: the attempt log.
struct ListAttempts: Command {
    static let description = CommandDescription(
        name: "sevu.errorlog", isMutating: false, isForTickets: true,
        text: "Lists attempts to watch, admitted and refused, newest first. `sevu.attempts` is another name of it.",
        fields: AttemptFields.descriptions + [
            .optional("datetime", "On or after, in any form that `expire` takes. Also `starttime`."),
            .optional("limit", "Rows at most, 1 to 1,000; 25 by default."),
            .optional("seek", "Rows to skip; 0 by default."),
        ],
        payload:
            "`attempts`, a list of rows with `id`, `datetime`, `key`, `pass`, `ip`, `video`, `app`, "
            + "`appinst`, `pageurl`, `refurl`, `success`, `reason`, `server_ip`, `repeats` (how many "
            + "refusals alike it stands for), all strings."
    )

    private var filter: AttemptFilter
    private let limit, offset: Int

    init?(_ fields: inout Fields) {
        filter = AttemptFields.read(&fields)
        filter.since = fields.date("datetime") ?? fields.date("starttime")
        limit = fields.integer("limit", 1...1_000) ?? 25
        offset = fields.integer("seek", 0...1_000_000_000) ?? 0
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
    static let description = CommandDescription(
        name: "sevu.errorcount", isMutating: false, isForTickets: true,
        text: "Counts attempts to watch, admitted and refused, that match every filter given.",
        fields: AttemptFields.descriptions + [
            .optional("limit", "Attempts to count at most; all by default."),
            .optional("seek", "Attempts to skip before counting; 0 by default."),
        ],
        payload: "`error_count`, an integer: min(`limit`, max(0, matches − `seek`)).")

    private let filter: AttemptFilter
    private let limit: Int?
    private let offset: Int

    init?(_ fields: inout Fields) {
        filter = AttemptFields.read(&fields)
        limit = fields.integer("limit", 0...1_000_000_000)
        offset = fields.integer("seek", 0...1_000_000_000) ?? 0
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let matches = try await context.store.countAttempts(accountID: context.account.id, filter: filter)
        let count = matches > offset ? min(limit ?? .max, matches - offset) : 0
        return Reply(.attemptsCounted, payload: ["error_count": .int(count)])
    }
}
