import Admission
import Basics
import Foundation

/// `disk.usage`: what the account's files take.
struct DiskUsage: Command {
    private static let user = CommandField.optional("cpu", .text, "Accepted; an account has one user here.")

    static let description = CommandDescription(
        name: "disk.usage", isMutating: false,
        text:
            "What the account's files take on this server's disk, day by day: 30 days. It keeps none yet, neither recordings nor "
            + "VOD, so that is 0; rows of the database are not counted.",
        fields: .list(user, UsageFields.start),
        payload: "`data`, a row for each day, oldest first, with `date`, `user`, `bytes`.")

    private let days: ClosedRange<Int>

    init?(_ fields: inout Fields) {
        _ = fields.read(Self.user)
        let start = fields.read(UsageFields.start)
        guard let days = UsageDays.range(from: start, atMost: 30, now: fields.now) else { return nil }
        self.days = days
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let rows = days.map { day -> JSONValue in
            ["date": .string(UsageDays.text(day)), "user": .string(context.account.user), "bytes": 0]
        }
        return Reply(.diskUsageListed, payload: ["data": .array(rows)])
    }
}
