import Admission
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
        // The documented reply has no such member.
        if ticket.maximumSessions > 0 { self["max_sessions"] = .string(String(ticket.maximumSessions)) }
    }
}

/// What a ticket is good for, as the commands that make and change tickets read it; nil where the request has nothing of it.
struct TicketFields: Sendable {
    static let app = CommandField.required(
        "app", .appPattern(maximum: WildcardList.maximumLength),
        "Application names, `|` between several, `*` for any characters; each begins with `<user>-`, or is `*` alone.")
    static let video = CommandField.required(
        "video", .text(maximum: WildcardList.maximumLength),
        "Stream names or VOD paths, `|` between several, `*` for any characters.")
    static let pass = CommandField.required(
        "pass", .text(maximum: maximumPass),
        "Text of your choice, different for every ticket; at most 255 bytes; it is logged and may hold your user's id.")
    static let ip = CommandField.required(
        "ip", .text(maximum: AddressRule.maximumLength),
        "Addresses, CIDR blocks, `auto`, `auto/N`, `|` between several; `0.0.0.0/0` is anybody.")
    static let uses = CommandField.required(
        "uses", .integer(0...1_000_000_000), "How often playback may start, 0 to 1,000,000,000; 0 is unlimited.")
    static let maximumSessions = CommandField.optional(
        "max_sessions", .integer(0...100_000),
        "How many sessions may run at a time, beside `uses`; one more is refused. 0, which is the default, is without limit. An "
            + "extension.")
    static let expires = CommandField.optional(
        "expire", .date, aliases: ["expires", "expire_date"],
        "`YYYY-MM-DD HH:MM:SS` UTC, ISO 8601, RFC 2822, Unix seconds, `tomorrow`, `next week` or `+N "
            + "seconds|minutes|hours|days|weeks|fortnights|months|years`, several of them one after the other; a week by "
            + "default. Also `expires`, `expire_date`.")
    static let maximumPass = 255

    let app, video, ip: String?
    let uses, maximumSessions: Int?
    let expires: Date?

    /// - Parameter isRequired: whether a ticket is made, so that nothing may be missing but the expiry, which is a week then.
    init(_ fields: inout Fields, isRequired: Bool) {
        app = fields.read(Self.app, isRequired: isRequired)
        video = fields.read(Self.video, isRequired: isRequired)
        ip = fields.read(Self.ip, isRequired: isRequired)
        uses = fields.read(Self.uses, isRequired: isRequired)
        maximumSessions = fields.read(Self.maximumSessions)
        expires =
            fields.isGiven(Self.expires) || !isRequired
            ? fields.read(Self.expires)
            : Self.checked(&fields) { (now: Date) throws(FieldProblem) in
                try ExpiryParser.parse(nil, now: now)
            }
        if let app {
            Self.checked(&fields) { (_: Date) throws(FieldProblem) in try WildcardList.validate(app, field: "app") }
            let foreign = WildcardList.names(app).first { !fields.account.owns(app: $0) && $0 != "*" }
            if foreign != nil {
                fields.invalid("app", "applications of the account, which begin with \(fields.account.user)-, or *")
            }
        }
        if let video {
            Self.checked(&fields) { (_: Date) throws(FieldProblem) in
                try WildcardList.validate(video, field: "video")
            }
        }
        if let ip { Self.checked(&fields) { (_: Date) throws(FieldProblem) in try AddressRule(ip) } }
    }

    @discardableResult
    private static func checked<Value>(
        _ fields: inout Fields, _ rule: (_ now: Date) throws(FieldProblem) -> Value
    ) -> Value? {
        do throws(FieldProblem) {
            return try rule(fields.now)
        } catch {
            fields.add(error)
            return nil
        }
    }

    /// A new ticket; nil when something is missing.
    func ticket(pass: String, account: AccountID, now: Date) -> Ticket? {
        guard let app, let video, let ip, let uses, let expires else { return nil }
        return Ticket(
            accountID: account, key: TicketKey.make(video: video, now: now), pass: pass, ip: ip, app: app,
            video: video, uses: uses, maximumSessions: maximumSessions ?? 0, created: now, expires: expires)
    }
}

/// `sevu.request`: a new ticket.
struct RequestTicket: StoreCommand {
    static let description = CommandDescription(
        name: "sevu.request", isMutating: true, isForTickets: true,
        text: "Creates a ticket, whose `key` and `pass` let a player in.",
        fields: .list(
            TicketFields.app, TicketFields.video, TicketFields.pass, TicketFields.ip, TicketFields.uses,
            TicketFields.maximumSessions, TicketFields.expires),
        payload:
            "`ticket` with `key`, `pass`, `ip`, `video`, `app`, `uses`, `active`, `created_date`, "
            + "`expire_date`, `used_date`, and `max_sessions` where there is such a limit, all strings; `warnings`, a list, where "
            + "the ticket has expired already, or names streams that nobody may publish yet."
    )

    private let ticket: Ticket

    init?(_ fields: inout Fields) {
        let rules = TicketFields(&fields, isRequired: true)
        guard let pass = fields.read(TicketFields.pass),
            let ticket = rules.ticket(pass: pass, account: fields.account.id, now: fields.now)
        else { return nil }
        self.ticket = ticket
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.ticket(key: ticket.key))
        var payload: JSONObject = ["ticket": .object(JSONObject(ticket, uses: ticket.uses))]
        payload.add(warnings: await context.warnings(ticket))
        return StoreEffect { [payload] transaction in
            _ = try transaction.insertTickets([ticket])
            return StoreEffect.Outcome(reply: Reply(.ticketCreated, payload: payload))
        }
    }
}

/// `sevu.requestmany`: tickets that differ in their passes, all or none.
struct RequestTickets: StoreCommand {
    private static let most = 1_000
    private static let passes = CommandField.required(
        "passes", .lines(most: most, bytes: TicketFields.maximumPass),
        "The passes, one for each ticket, 1 to 1,000: a list of texts (at most some 980, since a request has at most 1,000 "
            + "members and elements), or one text with a line for each.")

    static let description = CommandDescription(
        name: "sevu.requestmany", isMutating: true, isForTickets: true,
        text:
            "Creates up to 1,000 tickets for one thing, all or none. An extension: the documents have no such command.",
        fields: .list(
            TicketFields.app, TicketFields.video, passes, TicketFields.ip, TicketFields.uses,
            TicketFields.maximumSessions,
            TicketFields.expires),
        payload: "`tickets`, a list of tickets as `sevu.request` has them, in the order of `passes`.")

    private let tickets: [Ticket]

    init?(_ fields: inout Fields) {
        let rules = TicketFields(&fields, isRequired: true)
        guard let passes = fields.read(Self.passes) else { return nil }
        let account = fields.account.id
        let now = fields.now
        tickets = passes.compactMap { rules.ticket(pass: $0, account: account, now: now) }
        guard tickets.count == passes.count else { return nil }
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        for ticket in tickets { context.touched.concern(.ticket(key: ticket.key)) }
        var payload: JSONObject = ["tickets": .array(tickets.map { .object(JSONObject($0, uses: $0.uses)) })]
        if let first = tickets.first { payload.add(warnings: await context.warnings(first)) }
        return StoreEffect { [payload] transaction in
            _ = try transaction.insertTickets(tickets)
            return StoreEffect.Outcome(reply: Reply(.ticketsCreated, payload: payload))
        }
    }
}

extension CommandContext {
    /// What of a new ticket is hardly meant. The ticket is good all the same: streams may come later.
    fileprivate func warnings(_ ticket: Ticket) async -> [String] {
        var warnings: [String] = []
        if ticket.expires <= environment.now() { warnings.append("the ticket has expired already") }
        let apps = WildcardList.names(ticket.app).map { AppName.published($0) }
        let videos = WildcardList.names(ticket.video).map { VideoName.normalized($0) }
        // Of files and of patterns nobody knows what there will be.
        let areStreams = apps.allSatisfy { $0.hasSuffix("-origin") || $0.hasSuffix("-chorigin") }
        guard areStreams, videos.allSatisfy(StreamAddress.isValidName), apps.count * videos.count <= 16 else {
            return warnings
        }
        for video in videos {
            var isKnown = false
            for app in apps where !isKnown {
                for name in [video, VideoName.source(of: video)].compactMap({ $0 }) where !isKnown {
                    isKnown = await environment.knownStreams.has(app: app, stream: name, in: store)
                }
            }
            if !isKnown { warnings.append("nobody may publish a stream \(video) yet") }
        }
        return warnings
    }

    /// A ticket as it stands.
    fileprivate func describe(_ ticket: Ticket) async throws -> JSONObject {
        describe(ticket, sessions: try await environment.admissions.runningSessions(of: ticket))
    }

    fileprivate func describe(_ ticket: Ticket, sessions: Int) -> JSONObject {
        var object = JSONObject(ticket, uses: ticket.remainingUses ?? 0)
        object["uses_total"] = .string(String(ticket.uses))
        object["used_count"] = .string(String(ticket.usedCount))
        object["uses_remaining"] = .string(ticket.remainingUses.map(String.init) ?? "")
        object["ip_bound"] = .string(ticket.claimedNetworks.joined(separator: "|"))
        object["sessions"] = .string(String(sessions))
        object["max_sessions"] = .string(String(ticket.maximumSessions))
        return object
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
            + "`sessions` how many play with it now, on all servers of the database, `max_sessions` how many may, 0: any "
            + "number. A session counts until it is closed, or was not heard of for a while, as `docs/tickets.md` says."
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
        let object = try await context.describe(ticket)
        var payload = object
        payload["ticket"] = .object(object)
        return Reply(.ticketFound, payload: payload)
    }
}

/// `sevu.revoke`: the end of a ticket and of what plays with it.
struct RevokeTicket: StoreCommand {
    static let description = CommandDescription(
        name: "sevu.revoke", isMutating: true, isForTickets: true,
        text: "Switches a ticket off. Whoever plays with it is cut off within a second.",
        fields: .list(ticketKey), payload: "nothing more.")

    private let key: String

    init?(_ fields: inout Fields) {
        guard let key = fields.read(ticketKey) else { return nil }
        self.key = key
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.ticket(key: key))
        return StoreEffect(isRevocation: true) { transaction in
            let update = try transaction.updateTicket(
                key: key, accountID: context.account.id, TicketChange(isActive: false))
            guard case .changed(let ticket) = update else { throw CommandFailure(.ticketNotFound) }
            context.touched.change(.ticket(key: key))
            return StoreEffect.Outcome(reply: Reply(.ticketRevoked)) {
                context.environment.admissions.ticketChanged(ticket)
            }
        }
    }
}

/// `sevu.update`: other rules for a ticket.
struct UpdateTicket: StoreCommand {
    private static let pass = TicketFields.pass.saying("As in `sevu.request`.")
    private static let active = CommandField.optional(
        "active", .boolean, "0 switches the ticket off, as `sevu.revoke` does; 1 switches it on again.")

    static let description = CommandDescription(
        name: "sevu.update", isMutating: true, isForTickets: true,
        text:
            "Changes a ticket; what is not given stays. It holds for those who play with it, too, within a second: whoever is "
            + "no longer covered is cut off. Another `ip` forgets the addresses that `auto` has become. An extension: the "
            + "documents have no such command.",
        fields: .list(
            ticketKey, TicketFields.app.saying("As in `sevu.request`."),
            TicketFields.video.saying("As in `sevu.request`."), pass, TicketFields.ip.saying("As in `sevu.request`."),
            TicketFields.uses.saying(
                "How often playback may start in all, 0: without limit; no less than it has started already."),
            TicketFields.maximumSessions.saying("As in `sevu.request`; sessions that run already go on."),
            TicketFields.expires.saying("As in `sevu.request`; what is not given stays."), active),
        payload: "the ticket's fields as `sevu.status` has them.")

    private let key: String
    private let change: TicketChange

    init?(_ fields: inout Fields) {
        let rules = TicketFields(&fields, isRequired: false)
        change = TicketChange(
            pass: fields.read(Self.pass), ip: rules.ip, app: rules.app, video: rules.video, uses: rules.uses,
            maximumSessions: rules.maximumSessions, isActive: fields.read(Self.active), expires: rules.expires)
        guard let key = fields.read(ticketKey) else { return nil }
        self.key = key
    }

    func effect(_ context: CommandContext) async throws -> StoreEffect {
        context.touched.concern(.ticket(key: key))
        return StoreEffect(isRevocation: true) { transaction in
            switch try transaction.updateTicket(key: key, accountID: context.account.id, change) {
            case .notFound: throw CommandFailure(.ticketNotFound)
            case .usedMoreOften(let count):
                throw CommandFailure(
                    invalid: [.invalid("uses", expected: "must be 0 or at least \(count), how often it was used")])
            case .changed(let ticket):
                context.touched.change(.ticket(key: key))
                let sessions = try context.environment.admissions.runningSince(ticket).map {
                    try transaction.runningSessions(ofTicket: ticket.id, heardAfter: $0)
                }
                let reply = Reply(.ticketUpdated, payload: context.describe(ticket, sessions: sessions ?? 0))
                return StoreEffect.Outcome(reply: reply) { context.environment.admissions.ticketChanged(ticket) }
            }
        }
    }
}

/// `sevu.list`: the account's tickets.
struct ListTickets: Command {
    private static let pass = CommandField.optional("pass", .text(maximum: 255), "With exactly this pass.")
    private static let app = CommandField.optional(
        "app", .appPattern(maximum: 255), "Whose `app` text is this; `*` for any characters.")
    private static let video = CommandField.optional(
        "video", .text(maximum: 255), "Whose `video` text is this; `*` for any characters.")
    private static let active = CommandField.optional("active", .boolean, "Switched on, or revoked.")
    private static let expired = CommandField.optional("expired", .boolean, "Expired by now, or not.")
    private static let limit = CommandField.optional(
        "limit", .integer(1...1_000), "Tickets at most, 1 to 1,000; 100 by default.")
    private static let position = CommandField.optional(
        "position", .integer(0...Int.max), "Where to begin: `next` of the reply before. 0 by default.")

    static let description = CommandDescription(
        name: "sevu.list", isMutating: false, isForTickets: true,
        text:
            "Lists the account's tickets, oldest first, page by page. A page may be shorter than `limit`, also empty, with more "
            + "behind it: go on while `next` has something in it. An extension: the documents have no such command.",
        fields: .list(pass, app, video, active, expired, limit, position),
        payload: "`tickets`, a list of tickets as `sevu.status` has them, and `next`, empty on the last page.")

    private let filter: TicketFilter
    private let limit: Int
    private let position: Int

    init?(_ fields: inout Fields) {
        filter = TicketFilter(
            pass: fields.read(Self.pass), app: fields.read(Self.app), video: fields.read(Self.video),
            isActive: fields.read(Self.active), isExpired: fields.read(Self.expired), date: fields.now)
        limit = fields.read(Self.limit) ?? 100
        position = fields.read(Self.position) ?? 0
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let page = try await context.store.tickets(
            accountID: context.account.id, filter: filter, after: Int64(position), limit: limit)
        var tickets: [JSONValue] = []
        for ticket in page.tickets { tickets.append(.object(try await context.describe(ticket))) }
        return Reply(
            .ticketsListed,
            payload: [
                "tickets": .array(tickets),
                "next": .string(page.next.map { String($0) } ?? ""),
            ])
    }
}
