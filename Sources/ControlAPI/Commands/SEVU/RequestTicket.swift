import Foundation
import Storage
import Usher

/// `sevu.request`
struct RequestTicket: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.request", isMutating: true, isForTicketKeys: true,
        summary: "Makes a ticket. The player presents its `key` and `pass` in the query of the playback address.",
        fields: [
            .init(
                "app", "string", required: true,
                "Applications, separated by `|`, `*` for any characters; each begins with the account's `user-`, or is `*` alone."
            ),
            .init("video", "string", required: true, "Streams or VOD paths, separated by `|`, `*` for any characters."),
            .init("pass", "string", required: true, "Chosen by you, random for each request; at most 255 bytes."),
            .init(
                "ip", "string", required: true,
                "Addresses, CIDR blocks, `auto`, `auto/N`, separated by `|`; `0.0.0.0/0` for anybody."),
            .init("uses", "int", required: true, "How often playback may start; 0 is unlimited."),
            .init(
                "expire", "string",
                "`YYYY-MM-DD HH:MM:SS` UTC, ISO 8601, RFC 2822, Unix seconds or `+N minutes`, `hours`, `days`, `weeks`, "
                    + "`months`; default `+1 week`. Also as `expires` or `expire_date`."),
        ],
        reply: [.init("ticket", "object", "The ticket:")] + TicketPayload.documents.map { document in
            .init("ticket." + document.name, document.type, document.text)
        },
        codes: [.ticketCreated])

    private let app: String
    private let video: String
    private let pass: String
    private let ip: String
    private let uses: Int
    private let expire: (field: String, text: String?)

    init(_ fields: inout Fields) {
        app = RequestTicket.list("app", &fields)
        RequestTicket.checkApps(app, &fields)
        video = RequestTicket.list("video", &fields)
        pass = fields.text("pass")
        ip = fields.text("ip", .text(limit: AddressRule.maximumLength))
        if !ip.isEmpty {
            do throws(RuleError) {
                _ = try AddressRule(ip)
            } catch {
                fields.add(FieldProblem(rule: error))
            }
        }
        uses = fields.int("uses", in: 0...1_000_000_000)
        let name = ["expire", "expires", "expire_date"].first { fields.given($0) != nil } ?? "expire"
        expire = (name, fields.optionalText(name))
        do throws(RuleError) {
            // Whether it can be read does not depend on the time; what it means is settled when the command runs.
            _ = try ExpiryParser.parse(expire.text, now: Date(timeIntervalSince1970: 0), field: name)
        } catch {
            fields.add(FieldProblem(rule: error))
        }
    }

    private static func list(_ name: String, _ fields: inout Fields) -> String {
        let text = fields.text(name, .text(limit: WildcardList.maximumLength))
        guard !text.isEmpty else { return text }
        do throws(RuleError) {
            try WildcardList.validate(text, field: name)
        } catch {
            fields.add(FieldProblem(rule: error))
        }
        return text
    }

    /// A ticket never opens another account's apps; a pattern that seems to ask for them is a mistake worth an answer.
    private static func checkApps(_ text: String, _ fields: inout Fields) {
        let entries = text.split(separator: "|").map { String($0).trimmingSpaces }.filter { !$0.isEmpty }
        if !entries.allSatisfy({ $0 == "*" || fields.account.owns(app: $0) }) {
            fields.add(.invalid("app", expected: "must hold only names that begin with \(fields.account.user)-, or *"))
        }
    }

    func run(in context: CommandContext) async throws -> Reply {
        let expires: Date
        do throws(RuleError) {
            expires = try ExpiryParser.parse(expire.text, now: context.now, field: expire.field)
        } catch {
            throw CommandFailure(invalid: [FieldProblem(rule: error)])
        }
        let ticket = Ticket(
            cdn: context.account.cdn, key: TicketKey.make(video: video, now: context.now), pass: pass, ip: ip, app: app,
            video: video, uses: uses, created: context.now, expires: expires)
        // A key that exists already would be a miracle of 66 random bits; the store refuses it, and that is code 4.
        let stored = try await context.services.store.insertTicket(ticket)
        let payload = TicketPayload.object(stored, uses: stored.uses)
        return Reply(.ticketCreated, payload: ["ticket": .object(payload)])
    }
}

extension FieldProblem {
    init(rule: RuleError) {
        let value = rule.value.isEmpty ? "" : " (not \(rule.value))"
        self.init(field: rule.field, expected: "must be \(rule.expected)\(value)")
    }
}
