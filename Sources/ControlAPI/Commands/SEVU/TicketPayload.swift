import Foundation
import Usher

/// A ticket as replies show it: all strings, in the order the known clients' fixtures have.
enum TicketPayload {
    static let documents = [
        FieldDocument("key", "string", "What the player presents."),
        FieldDocument("pass", "string", "As given."),
        FieldDocument("ip", "string", "As given; `auto` entries stay `auto`."),
        FieldDocument("video", "string", "As given."),
        FieldDocument("app", "string", "As given."),
        FieldDocument(
            "uses", "string", "`sevu.request`: as given. `sevu.status`: what remains; `0` when none remains or unlimited."),
        FieldDocument("active", "string", "`1`, or `0` once revoked."),
        FieldDocument("created_date", "string", "UTC."),
        FieldDocument("expire_date", "string", "UTC."),
        FieldDocument("used_date", "string", "Last use, UTC; `0000-00-00 00:00:00` when it was never used."),
    ]

    /// - Parameter uses: what `uses` says.
    static func object(_ ticket: Ticket, uses: Int) -> JSONObject {
        [
            "key": .string(ticket.key),
            "pass": .string(ticket.pass),
            "ip": .string(ticket.ip),
            "video": .string(ticket.video),
            "app": .string(ticket.app),
            "uses": .string(String(uses)),
            "active": ticket.isActive ? "1" : "0",
            "created_date": .string(DateText.text(ticket.created)),
            "expire_date": .string(DateText.text(ticket.expires)),
            "used_date": .string(DateText.text(ticket.lastUsed)),
        ]
    }
}
