import Admission
import Basics
import Foundation
import Storage

/// What apps' viewers were sent on some days, as three commands ask for it.
private struct DailyUsage: Sendable {
    static let payload =
        "`data`, a row for each day, oldest first, with `date`, `bytes`, `viewer_minutes`, also for days without any"

    private let apps: AppSelection
    private let days: ClosedRange<Int>

    /// - Parameter end: the field of the last day, where the command has one.
    init?(_ fields: inout Fields, end: CommandField<Date>? = nil, atMost length: Int) {
        let apps = fields.read(UsageFields.apps)
        let start = fields.read(UsageFields.start)
        let last = end.flatMap { fields.read($0) }
        let days = UsageDays.range(from: start, to: last, atMost: length, now: fields.now)
        if days == nil { fields.invalid(UsageFields.end.name, "on or after starttime") }
        guard let apps, let days else { return nil }
        self.apps = apps
        self.days = days
    }

    func amounts(_ context: CommandContext, by columns: Set<UsageKey.Column>) async throws -> [UsageKey: UsageAmount] {
        let filter = UsageFilter(days: days, apps: try await apps.resolved(context, field: UsageFields.apps.name))
        return try await context.environment.usage.usage(accountID: context.account.id, filter: filter, by: columns)
    }

    func reply(_ context: CommandContext) async throws -> Reply {
        let usage = try await amounts(context, by: [.day])
        let rows = days.map { day -> JSONValue in
            let amount = usage[UsageKey(accountID: context.account.id, day: day)] ?? UsageAmount()
            return [
                "date": .string(UsageDays.text(day)), "bytes": .integer(amount.deliveredBytes),
                "viewer_minutes": .integer(amount.viewerMinutes),
            ]
        }
        return Reply(.usageListed, payload: ["data": .array(rows)])
    }
}

/// `video.cdn`: a month day by day.
struct UsageOfMonth: Command {
    static let description = CommandDescription(
        name: "video.cdn", isMutating: false,
        text: "What applications' viewers were sent, day by day: 30 days, or those up to `endtime`.",
        fields: .list(UsageFields.apps, UsageFields.start, UsageFields.end), payload: "\(DailyUsage.payload).")

    private let usage: DailyUsage

    init?(_ fields: inout Fields) {
        guard let usage = DailyUsage(&fields, end: UsageFields.end, atMost: 30) else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        try await usage.reply(context)
    }
}

/// `video.cdnlong`: a quarter day by day.
struct UsageOfQuarter: Command {
    static let description = CommandDescription(
        name: "video.cdnlong", isMutating: false,
        text: "What applications' viewers were sent, day by day: 90 days.",
        fields: .list(UsageFields.apps, UsageFields.start), payload: "\(DailyUsage.payload).")

    private let usage: DailyUsage

    init?(_ fields: inout Fields) {
        guard let usage = DailyUsage(&fields, atMost: 90) else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        try await usage.reply(context)
    }
}

/// `video.servers`: who delivered it.
struct UsageOfServers: Command {
    private static let apps = UsageFields.apps.saying(
        "The application by its name or its number, or several in a list.", isRequired: true)

    static let description = CommandDescription(
        name: "video.servers", isMutating: false,
        text: "What each server sent applications' viewers, day by day: 30 days.",
        fields: .list(apps, UsageFields.start),
        payload:
            "`data`, a row for each day and server that has sent anything, oldest first, with `date`, `server`, `bytes`, "
            + "`viewer_minutes`."
    )

    private let usage: DailyUsage

    init?(_ fields: inout Fields) {
        guard let usage = DailyUsage(&fields, atMost: 30) else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let usage = try await usage.amounts(context, by: [.day, .server])
        let rows = usage.sorted { ($0.key.day, $0.key.server) < ($1.key.day, $1.key.server) }
            .map { key, amount -> JSONValue in
                [
                    "date": .string(UsageDays.text(key.day)), "server": .string(key.server),
                    "bytes": .integer(amount.deliveredBytes), "viewer_minutes": .integer(amount.viewerMinutes),
                ]
            }
        return Reply(.usageListed, payload: ["data": .array(rows)])
    }
}

/// `video.streams`: what was watched.
struct UsedVideos: Command {
    static let description = CommandDescription(
        name: "video.streams", isMutating: false,
        text: "Lists the streams that had viewers, for as long as `storage.usage_retention` keeps them.",
        fields: .list(UsageFields.apps),
        payload: "`data`, a list of rows with `app`, `inst`, `url`, by name; at most 10,000.")

    private let apps: AppSelection

    init?(_ fields: inout Fields) {
        guard let apps = fields.read(UsageFields.apps) else { return nil }
        self.apps = apps
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let filter = UsageFilter(
            days: 0...Int(Int32.max), apps: try await apps.resolved(context, field: UsageFields.apps.name))
        let usage = try await context.environment.usage.usage(
            accountID: context.account.id, filter: filter, by: [.app, .stream, .instance])
        let rows = usage.keys.sorted { ($0.app, $0.stream, $0.instance) < ($1.app, $1.stream, $1.instance) }
            .prefix(10_000).map { key -> JSONValue in
                ["app": .string(key.app), "inst": .string(key.instance), "url": .string(key.stream)]
            }
        return Reply(.usedVideosListed, payload: ["data": .array(rows)])
    }
}

/// `video.getapps`: the apps' numbers.
struct AppNumbers: Command {
    static let description = CommandDescription(
        name: "video.getapps", isMutating: false,
        text:
            "Lists the account's applications and the numbers by which `app` may name them in commands on usage and viewers.",
        fields: [], payload: "`data`, a list of rows with `id` and `name`.")

    init?(_ fields: inout Fields) {}

    func run(_ context: CommandContext) async throws -> Reply {
        let rows = try await AppSelection.all(context).map { app -> JSONValue in
            ["id": .integer(AppSelection.number(of: app)), "name": .string(app)]
        }
        return Reply(.appNumbersListed, payload: ["data": .array(rows)])
    }
}
