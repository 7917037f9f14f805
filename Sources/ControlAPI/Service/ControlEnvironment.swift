import Admission
import Basics
import Foundation
import Live
import Logging
import NIOPosix
import PushPublish
import Storage
import Synchronization

/// Where this origin is reached, for the URLs that replies show.
public struct PublicAddresses: Sendable, Hashable {
    public var host: String
    public var rtmpPort: Int
    public var httpPort: Int
    /// `httpPort` takes connections with TLS.
    public var isSecure: Bool
    /// What players' addresses begin with, without a slash at its end; empty: http or https, `host` and `httpPort`.
    public var publicURL: String

    public init(host: String, rtmpPort: Int, httpPort: Int, isSecure: Bool = false, publicURL: String = "") {
        self.host = host
        self.rtmpPort = rtmpPort
        self.httpPort = httpPort
        self.isSecure = isSecure
        self.publicURL = publicURL
    }

    /// Where an encoder publishes an app's streams.
    public func publishURL(app: String) -> String {
        "rtmp://\(bracketed)\(rtmpPort == 1_935 ? "" : ":\(rtmpPort)")/\(app)/live"
    }

    /// Where a player finds a stream; of a stream called `STREAM` where every stream is meant.
    public func playlistURL(app: String, stream: String) -> String {
        let stream = stream == "*" ? PublicAddresses.anyStream : stream
        let port = httpPort == (isSecure ? 443 : 80) ? "" : ":\(httpPort)"
        let base = publicURL.isEmpty ? "\(isSecure ? "https" : "http")://\(bracketed)\(port)" : publicURL
        return "\(base)/\(app)/play/\(stream)/playlist.m3u8"
    }

    /// Stands for a name in addresses.
    static let anyStream = "STREAM"

    /// Whether a host, an authority or a URL names this server: by its public names, from the machine itself, or by a host that
    /// begins with one of the account's apps, which is how clients of this API name origins.
    func names(_ origin: String, account: Account) -> Bool {
        let host = Self.host(of: origin)
        var own = ["localhost", "::1", Self.host(of: self.host)]
        if !publicURL.isEmpty { own.append(Self.host(of: publicURL)) }
        let label = host.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init)
        return own.contains(host) || (host.hasPrefix("127.") && IPAddress(host) != nil)
            || account.apps.contains { $0.lowercased() == AppName.published(label ?? "") }
    }

    /// In lower case, without scheme, port and path.
    private static func host(of origin: String) -> String {
        var rest = origin.lowercased()[...]
        if let colons = rest.firstRange(of: "://") { rest = rest[colons.upperBound...] }
        rest = rest.prefix { $0 != "/" }
        if rest.hasPrefix("[") { return String(rest.dropFirst().prefix { $0 != "]" }) }
        // Of more colons than one it is an IPv6 address.
        return rest.count { $0 == ":" } == 1 ? String(rest.prefix { $0 != ":" }) : String(rest)
    }

    private var bracketed: String {
        host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    }
}

/// What commands work with.
public struct ControlEnvironment: Sendable {
    public var store: any Store
    public var secret: ServerSecret
    public var stage: Stage
    public var admissions: Admissions
    public var pushes: PushSupervisor
    public var usage: UsageLog
    public var addresses: PublicAddresses
    public var version: String
    public var logger: Logger
    /// For bcrypt, which takes tens of milliseconds by design.
    public var threads: NIOThreadPool
    public var now: @Sendable () -> Date
    /// All viewers of a stream, given how many of them are connections that play it.
    public var viewers: UsageLog.ViewerCount
    /// The newest segment's sequence.
    public var lastSegment: @Sendable (StreamAddress) -> Int64?
    /// Of passwords that are stored from here on.
    var passwordCost = Password.cost
    let knownStreams = KnownStreams()
    /// When the origin began.
    public let started: Date

    public init(
        store: any Store, secret: ServerSecret, stage: Stage, admissions: Admissions, pushes: PushSupervisor,
        usage: UsageLog, addresses: PublicAddresses, version: String, logger: Logger, threads: NIOThreadPool,
        now: @escaping @Sendable () -> Date = { Date() },
        viewers: @escaping UsageLog.ViewerCount = { $1 },
        lastSegment: @escaping @Sendable (StreamAddress) -> Int64? = { _ in nil }
    ) {
        self.store = store
        self.secret = secret
        self.stage = stage
        self.admissions = admissions
        self.pushes = pushes
        self.usage = usage
        self.addresses = addresses
        self.version = version
        self.logger = logger
        self.threads = threads
        self.now = now
        self.viewers = viewers
        self.lastSegment = lastSegment
        started = now()
    }

    func hash(_ password: String) async throws -> String {
        try await threads.runIfActive { [passwordCost] in try Password.hash(password, cost: passwordCost) }
    }
}

/// Streams that somebody may publish, as last heard of: shops ask for thousands of tickets for one.
final class KnownStreams: Sendable {
    private struct Name: Sendable, Hashable {
        var app, stream: String
    }

    private static let maximum = 10_000
    private let names = Mutex<Set<Name>>([])

    /// Asks the store unless it said yes before. Yes when the store does not answer.
    func has(app: String, stream: String, in store: any StreamStore) async -> Bool {
        let name = Name(app: app, stream: stream)
        if names.withLock({ $0.contains(name) }) { return true }
        guard let users = try? await store.publishers(app: app, stream: stream) else { return true }
        guard !users.isEmpty else { return false }
        names.withLock { names in
            if names.count >= Self.maximum { names = [] }
            names.insert(name)
        }
        return true
    }
}
