import Basics
import Foundation
import Storage
import Usher

extension JSONObject {
    /// A ticket as clients know it: every field a string.
    init(_ ticket: Ticket, uses: Int) {
        self = [
            "key": .string(ticket.key), "pass": .string(ticket.pass), "ip": .string(ticket.ip),
            "video": .string(ticket.video), "app": .string(ticket.app), "uses": .string(String(uses)),
            "active": .string(ticket.isActive ? "1" : "0"), "created_date": .string(ReplyDate.text(ticket.created)),
            "expire_date": .string(ReplyDate.text(ticket.expires)),
            "used_date": .string(ReplyDate.text(ticket.lastUsed)),
        ]
    }
}

/// `sevu.request`: a new ticket.
struct RequestTicket: Command {
    private static let app = CommandField.required(
        "app", .text(maximum: WildcardList.maximumLength),
        "Application names, `|` between several, `*` for any characters; each begins with `<user>-`, or is `*` alone.")
    private static let video = CommandField.required(
        "video", .text(maximum: WildcardList.maximumLength),
        "Stream names or VOD paths, `|` between several, `*` for any characters.")
    private static let pass = CommandField.required(
        "pass", .text(maximum: 255),
        "Text of your choice, different for every ticket; at most 255 bytes; it is logged and may hold your user's id.")
    private static let ip = CommandField.required(
        "ip", .text(maximum: AddressRule.maximumLength),
        "Addresses, CIDR blocks, `auto`, `auto/N`, `|` between several; `0.0.0.0/0` is anybody.")
    private static let uses = CommandField.required(
        "uses", .integer(0...1_000_000_000), "How often playback may start, 0 to 1,000,000,000; 0 is unlimited.")
    private static let expires = CommandField.optional(
        "expire", .date, aliases: ["expires", "expire_date"],
        "`YYYY-MM-DD HH:MM:SS` UTC, ISO 8601, RFC 2822, Unix seconds, `tomorrow`, `next week` or `+N "
            + "seconds|minutes|hours|days|weeks|fortnights|months|years`, several of them one after the other; a week by "
            + "default. Also `expires`, `expire_date`.")

    static let description = CommandDescription(
        name: "sevu.request", isMutating: true, isForTickets: true,
        text: "Creates a ticket, whose `key` and `pass` let a player in.",
        fields: .list(app, video, pass, ip, uses, expires),
        payload:
            "`ticket` with `key`, `pass`, `ip`, `video`, `app`, `uses`, `active`, `created_date`, "
            + "`expire_date`, `used_date`, all strings."
    )

    private let app, video, pass, ip: String
    private let uses: Int
    private let expires: Date

    init?(_ fields: inout Fields) {
        let app = fields.read(Self.app)
        let video = fields.read(Self.video)
        let pass = fields.read(Self.pass)
        let ip = fields.read(Self.ip)
        let uses = fields.read(Self.uses)
        let expires = fields.isGiven(Self.expires) ? fields.read(Self.expires) : Self.defaultExpiry(&fields)
        if let app {
            RequestTicket.check(&fields) { () throws(FieldProblem) in try WildcardList.validate(app, field: "app") }
            let foreign = WildcardList.names(app).first { !fields.account.owns(app: $0) && $0 != "*" }
            if foreign != nil {
                fields.invalid("app", "applications of the account, which begin with \(fields.account.user)-, or *")
            }
        }
        if let video {
            RequestTicket.check(&fields) { () throws(FieldProblem) in try WildcardList.validate(video, field: "video") }
        }
        if let ip {
            RequestTicket.check(&fields) { () throws(FieldProblem) in _ = try AddressRule(ip) }
        }
        guard let app, let video, let pass, let ip, let uses, let expires else { return nil }
        (self.app, self.video, self.pass, self.ip, self.uses) = (app, video, pass, ip, uses)
        self.expires = expires
    }

    private static func defaultExpiry(_ fields: inout Fields) -> Date? {
        do throws(FieldProblem) {
            return try ExpiryParser.parse(nil, now: fields.now)
        } catch {
            fields.add(error)
            return nil
        }
    }

    private static func check(_ fields: inout Fields, _ rule: () throws(FieldProblem) -> Void) {
        do throws(FieldProblem) {
            try rule()
        } catch {
            fields.add(error)
        }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let now = context.environment.now()
        let ticket = Ticket(
            accountID: context.account.id, key: TicketKey.make(video: video, now: now), pass: pass, ip: ip, app: app,
            video: video, uses: uses, created: now, expires: expires)
        let stored = try await context.store.insertTicket(ticket)
        return Reply(.ticketCreated, payload: ["ticket": .object(JSONObject(stored, uses: stored.uses))])
    }
}

extension WildcardList {
    /// The patterns' texts.
    static func names(_ text: String) -> [String] {
        text.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

private let ticketKey = CommandField.required("key", .text(maximum: 128), "The ticket's key.")

/// `sevu.status`: a ticket as it stands.
struct TicketStatus: Command {
    static let description = CommandDescription(
        name: "sevu.status", isMutating: false, isForTickets: true,
        text: "Looks a ticket up: what it is good for, what is left of it, when it was used last.",
        fields: .list(ticketKey),
        payload:
            "the ticket's fields, both beside the envelope and under `ticket`. `uses` is what remains, 0 "
            + "also when unlimited; `uses_remaining` is empty then. `uses_total` is what it was made with, `used_count` "
            + "how often playback started, `ip_bound` the addresses and networks that its `auto` entries have become, "
            + "`sessions` how many play with it now."
    )

    private let key: String

    init?(_ fields: inout Fields) {
        guard let key = fields.read(ticketKey) else { return nil }
        self.key = key
    }

    func run(_ context: CommandContext) async throws -> Reply {
        guard let ticket = try await context.store.ticket(key: key), ticket.accountID == context.account.id else {
            throw CommandFailure(.ticketNotFound)
        }
        var object = JSONObject(ticket, uses: ticket.remainingUses ?? 0)
        object["uses_total"] = .string(String(ticket.uses))
        object["used_count"] = .string(String(ticket.usedCount))
        object["uses_remaining"] = .string(ticket.remainingUses.map(String.init) ?? "")
        object["ip_bound"] = .string(ticket.claimedNetworks.joined(separator: "|"))
        object["sessions"] = .string(String(context.environment.admissions.sessionCount(ofTicket: ticket.key)))
        var payload = object
        payload["ticket"] = .object(object)
        return Reply(.ticketFound, payload: payload)
    }
}

/// `sevu.revoke`: the end of a ticket and of what plays with it.
struct RevokeTicket: Command {
    static let description = CommandDescription(
        name: "sevu.revoke", isMutating: true, isForTickets: true,
        text: "Switches a ticket off. Whoever plays with it is cut off within a second.",
        fields: .list(ticketKey), payload: "nothing more.")

    private let key: String

    init?(_ fields: inout Fields) {
        guard let key = fields.read(ticketKey) else { return nil }
        self.key = key
    }

    func run(_ context: CommandContext) async throws -> Reply {
        guard let ticket = try await context.store.setTicketActive(key: key, accountID: context.account.id, false)
        else {
            throw CommandFailure(.ticketNotFound)
        }
        context.environment.admissions.ticketChanged(ticket)
        return Reply(.ticketRevoked)
    }
}
