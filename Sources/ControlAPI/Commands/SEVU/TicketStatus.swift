import Usher

/// `sevu.status`
struct TicketStatus: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.status", isMutating: false, isForTicketKeys: true,
        summary: "Looks a ticket up. Its fields stand at the top level and, the same, under `ticket`.",
        fields: [.init("key", "string", required: true, "The ticket's key.")],
        reply: TicketPayload.documents + [
            .init("uses_total", "string", "`uses` as the ticket was made with; `0` is unlimited."),
            .init("used_count", "string", "How often playback has started."),
            .init("ticket", "object", "All of the above."),
        ],
        codes: [.ticketFound, .ticketNotFound])

    private let key: String

    init(_ fields: inout Fields) {
        key = fields.text("key")
    }

    func run(in context: CommandContext) async throws -> Reply {
        guard let ticket = try await context.services.store.ticket(key: key), ticket.cdn == context.account.cdn else {
            throw CommandFailure(.ticketNotFound)
        }
        var object = TicketPayload.object(ticket, uses: ticket.remainingUses ?? 0)
        object["uses_total"] = .string(String(ticket.uses))
        object["used_count"] = .string(String(ticket.usedCount))
        var payload = object
        payload["ticket"] = .object(object)
        return Reply(.ticketFound, payload: payload)
    }
}
