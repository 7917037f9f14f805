import Storage

/// `sevu.errorcount`
struct CountAttempts: ControlCommand {
    static let definition = CommandDefinition(
        name: "sevu.errorcount", isMutating: false, isForTicketKeys: true,
        summary: """
            Counts attempts to use tickets, accepted and rejected, that match every filter given; none given: all of the \
            account's. No match is a success with 0.
            """,
        fields: AttemptSearch.documents + [
            .init("limit", "int", "The most to count; default: all."),
            .init("seek", "int", "Attempts to skip; default 0."),
        ],
        reply: [.init("error_count", "int", "min(limit, max(0, matches - seek))")],
        codes: [.attemptsCounted])

    private let filter: AttemptFilter
    private let limit: Int?
    private let seek: Int

    init(_ fields: inout Fields) {
        filter = AttemptSearch.filter(&fields)
        limit = fields.optionalInt("limit", in: 0...Int.max)
        seek = fields.optionalInt("seek", in: 0...Int.max) ?? 0
    }

    func run(in context: CommandContext) async throws -> Reply {
        let matches = try await context.services.store.countAttempts(cdn: context.account.cdn, filter: filter)
        let count = matches > seek ? min(limit ?? .max, matches - seek) : 0
        return Reply(.attemptsCounted, payload: ["error_count": .int(count)])
    }
}
