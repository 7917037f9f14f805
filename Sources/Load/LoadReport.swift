import NIOCore

/// How long something took, of those who did it; milliseconds.
public struct LoadDelays: Sendable, Hashable, Codable {
    public var count: Int
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var worst: Double

    /// - Returns: nil of nothing.
    init?(_ histogram: Histogram) {
        guard let p50 = histogram.quantile(0.5), let p90 = histogram.quantile(0.9), let p99 = histogram.quantile(0.99)
        else { return nil }
        count = histogram.count
        self.p50 = p50.milliseconds
        self.p90 = p90.milliseconds
        self.p99 = p99.milliseconds
        worst = histogram.worst.milliseconds
    }
}

/// Viewers or publishers of one kind.
public struct LoadGroupReport: Sendable, Hashable, Codable {
    /// `RTMP viewers`, `HLS viewers`, `DASH viewers`, `publishers`.
    public var group: String
    public var wanted: Int
    /// Those who have begun to come.
    public var started: Int
    /// Those who play, or are heard, now.
    public var running: Int
    /// Of these, those who play at low latency.
    public var lowLatency: Int
    /// Those who had everything up to the stream's end.
    public var finished: Int
    /// Those who were refused, or lost.
    public var gone: Int
    /// Bytes received, or sent by publishers, from the start.
    public var bytes: Int
    /// Of the time that is measured, or since the last status.
    public var bitsPerSecond: Int
    /// Playlists, maps, segments and parts that came, from the start.
    public var answers: Int
    public var stalls: Int
    public var stalledSeconds: Double
    /// Those who stall at this moment.
    public var stalling: Int
    /// From the beginning of the connection to the first media.
    public var start: LoadDelays?
    /// From the moment when the first of all viewers had, or saw listed, a part or segment, to its last byte at each.
    public var wait: LoadDelays?
    /// From a request that the server need not hold to the last byte of its answer.
    public var request: LoadDelays?
    /// From the moment when, by the playlist's dates, the server had a part or segment whole, to its last byte at each viewer.
    public var behind: LoadDelays?
    /// What went wrong, and how often.
    public var errors: [String: Int]
}

/// How far this program itself is to be believed.
public struct LoadOwnReport: Sendable, Hashable, Codable {
    /// The part of a processor that the event loop had.
    public var cpu: Double
    /// The part of the time in which it could run and had no processor.
    public var cpuWait: Double
    /// How late the event loop was for what it had planned.
    public var lag: LoadDelays?
    /// What this program could not do, or did too late to judge the server by; empty when all is well.
    public var limits: [String]
}

/// A load at one moment, or at its end.
public struct LoadReport: Sendable, Hashable, Codable {
    /// Since all run, or have had their time to; negative before.
    public var seconds: Double
    public var groups: [LoadGroupReport]
    public var own: LoadOwnReport

    public var running: Int { groups.reduce(0) { $0 + $1.running } }
    public var finished: Int { groups.reduce(0) { $0 + $1.finished } }
}

extension TimeAmount {
    var milliseconds: Double { (Double(nanoseconds) / 10_000).rounded() / 100 }
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
