import Admission
import Basics
import Foundation
import Storage
import Usher

/// What a month came to, by how it was delivered.
private struct MonthUsage {
    let days: ClosedRange<Int>
    private let amounts: [DeliveryProtocol: UsageAmount]

    init(of date: Date?, _ context: CommandContext) async throws {
        days = UsageDays.month(of: date ?? context.environment.now())
        let usage = try await context.environment.usage.usage(
            accountID: context.account.id, filter: UsageFilter(days: days), by: [.delivery])
        var amounts: [DeliveryProtocol: UsageAmount] = [:]
        for (key, amount) in usage {
            if let delivery = key.delivery { amounts[delivery, default: UsageAmount()] += amount }
        }
        self.amounts = amounts
    }

    func bytes(_ delivery: DeliveryProtocol) -> Int64 {
        amounts[delivery]?.deliveredBytes ?? 0
    }

    var viewerMinutes: Int64 {
        var all = UsageAmount()
        for amount in amounts.values { all += amount }
        return all.viewerMinutes
    }

    /// What it will be at the month's end if it goes on like this. The first day counts as a whole one.
    func estimate(_ value: Int64, now: Date) -> Int64 {
        let elapsed = now.timeIntervalSince1970 / 86_400 - Double(days.lowerBound)
        guard elapsed >= 0, elapsed < Double(days.count) else { return value }
        return Int64(exactly: (Double(value) * Double(days.count) / max(1, elapsed)).rounded()) ?? .max
    }
}

/// `usage.summary`: a month in a table.
struct UsageSummary: Command {
    static let description = CommandDescription(
        name: "usage.summary", isMutating: false, text: "What a month came to, in the form of Google's tables.",
        fields: .list(UsageFields.month),
        payload:
            "`data`, a list of rows of two cells each: first the headings, then `VSE (HLS)` and `VSN (RTMP)`, last the `Total`; "
            + "the second cell has the bytes under `v` and a text for people under `f`."
    )

    private let month: Date?

    init?(_ fields: inout Fields) {
        month = fields.read(UsageFields.month)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let usage = try await MonthUsage(of: month, context)
        let (hls, rtmp) = (usage.bytes(.hls), usage.bytes(.rtmp))
        func row(_ name: String, _ bytes: Int64) -> JSONValue {
            [.string(name), ["v": .integer(bytes), "f": .string(ByteText.text(bytes))]]
        }
        return Reply(
            .usageSummarized,
            payload: [
                "data": [
                    ["Usage Type", "Usage"], row("VSE (HLS)", hls), row("VSN (RTMP)", rtmp),
                    row("Total", hls.addingSaturated(rtmp)),
                ]
            ])
    }
}

/// `usage.data`: a month in numbers.
struct UsageData: Command {
    static let description = CommandDescription(
        name: "usage.data", isMutating: false,
        text: "What a month came to, and what it will come to if it goes on like this. This server charges nothing.",
        fields: .list(UsageFields.month),
        payload:
            "`data`, a list of rows with `type` (`vse` for HLS, `vsn` for RTMP, `viewer_minutes`), `unit`, `usage`, `rate`, `cost`, "
            + "`estimated_usage`, `estimated_cost`; rates and costs are 0."
    )

    private let month: Date?

    init?(_ fields: inout Fields) {
        month = fields.read(UsageFields.month)
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let usage = try await MonthUsage(of: month, context)
        let now = context.environment.now()
        func row(_ type: String, _ unit: String, _ value: Int64) -> JSONValue {
            [
                "type": .string(type), "unit": .string(unit), "usage": .integer(value), "rate": 0, "cost": 0,
                "estimated_usage": .integer(usage.estimate(value, now: now)), "estimated_cost": 0,
            ]
        }
        return Reply(
            .usageSummarized,
            payload: [
                "data": [
                    row("vse", "bytes", usage.bytes(.hls)), row("vsn", "bytes", usage.bytes(.rtmp)),
                    row("viewer_minutes", "minutes", usage.viewerMinutes),
                ]
            ])
    }
}

/// What three commands ask alike: the streams of a month or a day, and what each was delivered.
private struct StreamUsage: Sendable {
    private static let year = CommandField.required("year", .integer(1970...9999), "The year.")
    private static let month = CommandField.required("month", .integer(1...12), "The month, 1 to 12.")
    private static let day = CommandField.optional(
        "day", .integer(1...31), "The day of the month; all of the month by default.")

    static let fields = [CommandDescription.Field].list(UsageFields.apps, UsageFields.anyVideos, year, month, day)
    static let payload =
        "`total`, how many streams there are, and `data`, the streams with `app`, `inst`, `url`, `bytes`, `viewer_minutes`, the most "
        + "bytes first"
    static let most = 10_000

    private let streams: StreamSelection
    private let days: ClosedRange<Int>

    init?(_ fields: inout Fields) {
        let streams = StreamSelection(&fields, videos: UsageFields.anyVideos)
        let year = fields.read(Self.year)
        let month = fields.read(Self.month)
        let day = fields.read(Self.day)
        guard let streams, let year, let month else { return nil }
        let days = UsageDays.month(year: year, month: month)
        if let day, day > days.count {
            fields.invalid(Self.day.name, "a day of the month")
            return nil
        }
        self.streams = streams
        self.days = day.map { days.lowerBound + $0 - 1 }.map { $0...$0 } ?? days
    }

    func reply(
        _ context: CommandContext, delivery: DeliveryProtocol? = nil, offset: Int = 0, limit: Int = Self.most
    ) async throws -> Reply {
        let filter = UsageFilter(
            days: days, apps: try await streams.appNames(context), streams: streams.videos?.map(\.pattern),
            delivery: delivery)
        let usage = try await context.environment.usage.usage(
            accountID: context.account.id, filter: filter, by: [.app, .stream, .instance])
        let sorted = usage.sorted { left, right in
            if left.value.bytes != right.value.bytes { return left.value.bytes > right.value.bytes }
            return (left.key.app, left.key.stream, left.key.instance)
                < (right.key.app, right.key.stream, right.key.instance)
        }
        let rows = sorted.dropFirst(offset).prefix(limit).map { key, amount -> JSONValue in
            [
                "app": .string(key.app), "inst": .string(key.instance), "url": .string(key.stream),
                "bytes": .integer(amount.deliveredBytes), "viewer_minutes": .integer(amount.viewerMinutes),
            ]
        }
        return Reply(.usageListed, payload: ["total": .int(sorted.count), "data": .array(rows)])
    }
}

/// `usage.all`: what each stream was delivered.
struct UsageOfAll: Command {
    static let description = CommandDescription(
        name: "usage.all", isMutating: false, text: "What each stream's viewers were sent in a month or on a day.",
        fields: StreamUsage.fields, payload: "\(StreamUsage.payload), at most 10,000.")

    private let usage: StreamUsage

    init?(_ fields: inout Fields) {
        guard let usage = StreamUsage(&fields) else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        try await usage.reply(context)
    }
}

/// `usage.vse`: the same over HLS.
struct UsageOfEdge: Command {
    static let description = CommandDescription(
        name: "usage.vse", isMutating: false, text: "As `usage.all`, of HLS viewers only.", fields: StreamUsage.fields,
        payload: "\(StreamUsage.payload), at most 10,000.")

    private let usage: StreamUsage

    init?(_ fields: inout Fields) {
        guard let usage = StreamUsage(&fields) else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        try await usage.reply(context, delivery: .hls)
    }
}

/// `video.usage`: the same in pages.
struct UsageOfVideos: Command {
    private static let limit = CommandField.optional(
        "limit", .integer(1...StreamUsage.most), "Rows at most, 1 to 10,000; 1,000 by default.")
    private static let offset = CommandField.optional(
        "offset", .integer(0...1_000_000_000), "Rows to skip; 0 by default.")

    static let description = CommandDescription(
        name: "video.usage", isMutating: false, text: "As `usage.all`, in pages.",
        fields: StreamUsage.fields + .list(limit, offset), payload: "\(StreamUsage.payload).")

    private let usage: StreamUsage
    private let limit, offset: Int

    init?(_ fields: inout Fields) {
        let usage = StreamUsage(&fields)
        limit = fields.read(Self.limit) ?? 1_000
        offset = fields.read(Self.offset) ?? 0
        guard let usage else { return nil }
        self.usage = usage
    }

    func run(_ context: CommandContext) async throws -> Reply {
        try await usage.reply(context, offset: offset, limit: limit)
    }
}
