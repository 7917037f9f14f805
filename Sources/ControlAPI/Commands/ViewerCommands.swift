import Admission
import Basics
import Foundation
import Live
import Storage
import Usher

/// A stream's viewers on this node now.
private struct StreamViewers {
    var address: StreamAddress
    var rtmp: Int
    var hls: Int

    var all: Int { rtmp + hls }

    /// Of the account's streams that are delivered here, by address.
    static func all(_ context: CommandContext) -> [StreamViewers] {
        context.environment.usage.streams(accountID: context.account.id).map { address, connections in
            let all = max(connections.all, context.environment.viewers(address, connections.all))
            return StreamViewers(address: address, rtmp: connections.rtmp, hls: all - connections.rtmp)
        }
    }

    static func all(of streams: StreamSelection, _ context: CommandContext) async throws -> [StreamViewers] {
        let apps = try await streams.appNames(context)
        return all(context).filter { viewers in
            apps.contains(viewers.address.app)
                && streams.videos?.contains { $0.pattern.matches(viewers.address.stream) } ?? true
        }
    }
}

/// `vsn.viewercount`: how many watch.
struct CountViewers: Command {
    static let description = CommandDescription(
        name: "vsn.viewercount", isMutating: false,
        text:
            "Counts who watches streams now, over HTTP (`hls`: HLS, DASH and HTTP-FLV) and RTMP, with a ticket or without one. HLS "
            + "and DASH viewers without a ticket are told apart by address, so those behind one proxy count as one.",
        fields: .list(UsageFields.apps, UsageFields.videos),
        payload:
            "`data`, a row for each `app` and `url` asked for, in their order, with `app`, `url`, `viewer_count_sum` and of it "
            + "`hls` and `rtmp`; 0 for what is not on air."
    )

    private let streams: StreamSelection

    init?(_ fields: inout Fields) {
        guard let streams = StreamSelection(&fields) else { return nil }
        self.streams = streams
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let viewers = StreamViewers.all(context)
        var rows: [JSONValue] = []
        for app in try await streams.appNames(context).sorted() {
            for video in streams.videos ?? [] {
                let matching = viewers.filter { $0.address.app == app && video.pattern.matches($0.address.stream) }
                rows.append([
                    "app": .string(app), "url": .string(video.name),
                    "viewer_count_sum": .int(matching.reduce(0) { $0 + $1.all }),
                    "hls": .int(matching.reduce(0) { $0 + $1.hls }),
                    "rtmp": .int(matching.reduce(0) { $0 + $1.rtmp }),
                ])
            }
        }
        return Reply(.viewersCounted, payload: ["data": .array(rows)])
    }
}

/// Viewers by minute, as two commands give them.
private struct History {
    static let start = CommandField.optional(
        "starttime", .date, "The first minute, in any form that `expire` takes; an hour ago by default.")
    static let dayStart = start.saying("The first minute, in any form that `expire` takes; a day ago by default.")
    static let end = CommandField.optional(
        "endtime", .date, "The last minute, likewise; by default the running one. At most 14 days are given.")
    private static let longest = 14 * 1_440

    static let payload =
        "`date` (`YYYY-MM-DD HH:MM`, UTC), `viewer_count_avg` (over the whole minute), `viewer_count_max` (of several streams or "
        + "servers the sum of theirs), `viewer_minutes`"

    let minutes: ClosedRange<Int>

    init?(_ fields: inout Fields, start: CommandField<Date>, minutes: Int) {
        let first = fields.read(start).map(UsageLog.minute)
        let end = fields.read(History.end).map(UsageLog.minute)
        let last = end ?? UsageLog.minute(of: fields.now)
        let begin = first ?? last - minutes
        guard begin <= last else {
            fields.invalid(History.end.name, "after starttime")
            return nil
        }
        self.minutes = max(begin, last - History.longest + 1)...last
    }

    func rows(of streams: StreamSelection, _ context: CommandContext) async throws -> JSONValue {
        let filter = ViewerFilter(
            minutes: minutes, apps: try await streams.appNames(context), streams: streams.videos?.map(\.pattern))
        let viewers = try await context.environment.usage.viewers(accountID: context.account.id, filter: filter)
        return .array(
            viewers.sorted { $0.key < $1.key }.map { minute, amount in
                let minutes = (Double(amount.viewerTime) / 600).rounded() / 100
                return [
                    "date": .string(UsageDays.text(minute: minute)), "viewer_count_avg": .double(minutes),
                    "viewer_count_max": .int(amount.peak), "viewer_minutes": .double(minutes),
                ]
            })
    }
}

/// `vsn.viewerhistorybyname`: how many watched.
struct ViewerHistory: Command {
    static let description = CommandDescription(
        name: "vsn.viewerhistorybyname", isMutating: false,
        text: "How many watched streams, minute by minute. Kept for `storage.viewer_retention`.",
        fields: .list(UsageFields.apps, UsageFields.videos, History.dayStart, History.end),
        payload: "`data`, a row for each minute that had viewers, oldest first, with \(History.payload).")

    private let streams: StreamSelection
    private let history: History

    init?(_ fields: inout Fields) {
        let streams = StreamSelection(&fields)
        let history = History(&fields, start: History.dayStart, minutes: 1_440)
        guard let streams, let history else { return nil }
        self.streams = streams
        self.history = history
    }

    func run(_ context: CommandContext) async throws -> Reply {
        Reply(.viewerHistoryListed, payload: ["data": try await history.rows(of: streams, context)])
    }
}

/// `viewer.live`: who watches what, and how many did.
struct LiveViewers: Command {
    static let description = CommandDescription(
        name: "viewer.live", isMutating: false,
        text:
            "Lists the streams that are watched now, and how many watched them, minute by minute. Kept for "
            + "`storage.viewer_retention`.",
        fields: .list(UsageFields.apps, UsageFields.anyVideos, History.start, History.end),
        payload:
            "`viewer_count_sum`, who watches now; `data`, a row for each stream that has viewers, with `app`, `inst`, `url`, "
            + "`viewer_count_sum`, `hls`, `rtmp`; `history`, a row for each minute that had viewers, oldest first, with "
            + "\(History.payload)."
    )

    private let streams: StreamSelection
    private let history: History

    init?(_ fields: inout Fields) {
        let streams = StreamSelection(&fields, videos: UsageFields.anyVideos)
        let history = History(&fields, start: History.start, minutes: 60)
        guard let streams, let history else { return nil }
        self.streams = streams
        self.history = history
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let viewers = try await StreamViewers.all(of: streams, context).filter { $0.all > 0 }
        let rows = viewers.map { stream -> JSONValue in
            [
                "app": .string(stream.address.app), "inst": .string(stream.address.instance),
                "url": .string(stream.address.stream), "viewer_count_sum": .int(stream.all),
                "hls": .int(stream.hls), "rtmp": .int(stream.rtmp),
            ]
        }
        return Reply(
            .viewersListed,
            payload: [
                "viewer_count_sum": .int(viewers.reduce(0) { $0 + $1.all }), "data": .array(rows),
                "history": try await history.rows(of: streams, context),
            ])
    }
}

/// `viewer.livedetailed`: who watches what, and how.
struct DetailedViewers: Command {
    static let description = CommandDescription(
        name: "viewer.livedetailed", isMutating: false,
        text:
            "Lists the streams that are watched now by server and by how they are delivered. This server knows its own viewers.",
        fields: .list(UsageFields.apps, UsageFields.videos),
        payload:
            "`data`, a row for each stream and way that has viewers, with `server`, `vhost` (`hls` or `rtmp`), `app`, `inst`, "
            + "`url`, `viewer_count_sum`."
    )

    private let streams: StreamSelection

    init?(_ fields: inout Fields) {
        guard let streams = StreamSelection(&fields) else { return nil }
        self.streams = streams
    }

    func run(_ context: CommandContext) async throws -> Reply {
        var rows: [JSONValue] = []
        for stream in try await StreamViewers.all(of: streams, context) {
            for (vhost, count) in [("hls", stream.hls), ("rtmp", stream.rtmp)] where count > 0 {
                rows.append([
                    "server": .string(context.environment.addresses.host), "vhost": .string(vhost),
                    "app": .string(stream.address.app), "inst": .string(stream.address.instance),
                    "url": .string(stream.address.stream), "viewer_count_sum": .int(count),
                ])
            }
        }
        return Reply(.viewersListed, payload: ["data": .array(rows)])
    }
}
