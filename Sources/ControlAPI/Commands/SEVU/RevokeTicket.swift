/// `sevu.revoke`
struct RevokeTicket: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.revoke", isMutating: true, isForTicketKeys: true,
        summary: "Ends a ticket: who watches with it is cut off within a second. Revoking it again is a success, too.",
        fields: [.init("key", "string", required: true, "The ticket's key.")],
        codes: [.ticketRevoked, .ticketNotFound])

    private let key: String

    init(_ fields: inout Fields) {
        key = fields.text("key")
    }

    func run(in context: CommandContext) async throws -> Reply {
        let store = context.services.store
        guard let ticket = try await store.setTicketActive(key: key, cdn: context.account.cdn, false) else {
            throw CommandFailure(.ticketNotFound)
        }
        await context.services.admission.ticketChanged(ticket)
        return Reply(.ticketRevoked)
    }
}
