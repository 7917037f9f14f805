import Basics
import Usher

/// How viewers are served.
public enum DeliveryProtocol: String, Sendable, Hashable, CaseIterable {
    case hls
    case rtmp
}

/// Whose usage a row is. In an answer whose rows are summed up, columns that were not asked for are empty, and the day is 0.
public struct UsageKey: Sendable, Hashable {
    public enum Column: String, Sendable, Hashable, CaseIterable {
        case day
        case app
        case stream
        case instance
        case delivery
        case server
    }

    public var accountID: AccountID
    /// Days since 1970-01-01, in UTC.
    public var day: Int
    public var app: String
    public var stream: String
    public var instance: String
    public var delivery: DeliveryProtocol?
    /// The node that delivered, by its public name.
    public var server: String

    /// Texts longer than `String.maximumKeptBytes` are cut.
    public init(
        accountID: AccountID, day: Int = 0, app: String = "", stream: String = "", instance: String = "",
        delivery: DeliveryProtocol? = nil, server: String = ""
    ) {
        self.accountID = accountID
        self.day = day
        self.app = app.cut()
        self.stream = stream.cut()
        self.instance = instance.cut()
        self.delivery = delivery
        self.server = server.cut()
    }

    /// The row of an answer that this one is summed up in.
    public func summed(by columns: Set<Column>) -> UsageKey {
        UsageKey(
            accountID: accountID, day: columns.contains(.day) ? day : 0, app: columns.contains(.app) ? app : "",
            stream: columns.contains(.stream) ? stream : "", instance: columns.contains(.instance) ? instance : "",
            delivery: columns.contains(.delivery) ? delivery : nil, server: columns.contains(.server) ? server : "")
    }
}

/// What was delivered.
public struct UsageAmount: Sendable, Hashable {
    /// Sent to viewers.
    public var bytes: Int64
    /// The time that all viewers together watched, in milliseconds.
    public var viewerTime: Int64

    public init(bytes: Int64 = 0, viewerTime: Int64 = 0) {
        self.bytes = bytes
        self.viewerTime = viewerTime
    }

    public static func += (left: inout UsageAmount, right: UsageAmount) {
        left.bytes = left.bytes.addingSaturated(right.bytes)
        left.viewerTime = left.viewerTime.addingSaturated(right.viewerTime)
    }
}

/// Which usage is meant.
public struct UsageFilter: Sendable, Hashable {
    /// Days since 1970-01-01.
    public var days: ClosedRange<Int>
    /// nil: all of the account's.
    public var apps: Set<String>?
    /// One of these, each with `*` wildcards; nil: all.
    public var streams: [WildcardPattern]?
    public var delivery: DeliveryProtocol?

    public init(
        days: ClosedRange<Int>, apps: Set<String>? = nil, streams: [WildcardPattern]? = nil,
        delivery: DeliveryProtocol? = nil
    ) {
        self.days = days
        self.apps = apps
        self.streams = streams
        self.delivery = delivery
    }

    public func matches(_ key: UsageKey) -> Bool {
        days.contains(key.day) && apps?.contains(key.app) ?? true
            && streams?.contains { $0.matches(key.stream) } ?? true
            && (delivery == nil || delivery == key.delivery)
    }
}

/// Whose viewers a row counts, and when.
public struct ViewerMinute: Sendable, Hashable {
    public var accountID: AccountID
    /// Minutes since 1970-01-01 00:00 UTC.
    public var minute: Int
    public var app: String
    public var stream: String
    public var instance: String
    public var server: String

    /// Texts longer than `String.maximumKeptBytes` are cut.
    public init(
        accountID: AccountID, minute: Int, app: String, stream: String, instance: String, server: String
    ) {
        self.accountID = accountID
        self.minute = minute
        self.app = app.cut()
        self.stream = stream.cut()
        self.instance = instance.cut()
        self.server = server.cut()
    }
}

/// How many viewers there were in a minute.
public struct ViewerAmount: Sendable, Hashable {
    /// Most viewers at one time. Of several streams or nodes it is the sum of theirs, which are rarely reached together.
    public var peak: Int
    /// The time that all viewers together watched, in milliseconds: 60,000 for one who stayed.
    public var viewerTime: Int64

    public init(peak: Int = 0, viewerTime: Int64 = 0) {
        self.peak = peak
        self.viewerTime = viewerTime
    }

    /// More of the same minute, stream and node.
    public mutating func add(_ more: ViewerAmount) {
        peak = max(peak, more.peak)
        viewerTime = viewerTime.addingSaturated(more.viewerTime)
    }

    /// The same minute of another stream or node.
    public static func += (left: inout ViewerAmount, right: ViewerAmount) {
        left.peak = left.peak.addingSaturated(right.peak)
        left.viewerTime = left.viewerTime.addingSaturated(right.viewerTime)
    }
}

/// Which minutes are meant.
public struct ViewerFilter: Sendable, Hashable {
    /// Minutes since 1970-01-01 00:00 UTC.
    public var minutes: ClosedRange<Int>
    public var apps: Set<String>
    /// One of these, each with `*` wildcards; nil: all.
    public var streams: [WildcardPattern]?

    public init(minutes: ClosedRange<Int>, apps: Set<String>, streams: [WildcardPattern]? = nil) {
        self.minutes = minutes
        self.apps = apps
        self.streams = streams
    }

    public func matches(_ minute: ViewerMinute) -> Bool {
        minutes.contains(minute.minute) && apps.contains(minute.app)
            && streams?.contains { $0.matches(minute.stream) } ?? true
    }
}
