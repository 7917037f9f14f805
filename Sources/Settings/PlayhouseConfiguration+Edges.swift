import Basics
import Logging
import Usher

// What faces the outside: listeners, limits, log.
extension PlayhouseConfiguration {
    /// `server.*`: the process as a whole.
    public struct Server: Sendable, Hashable {
        /// The host in URLs that replies show. `load` fills in the machine's name when nothing is given.
        public var publicHost = ""
        /// Threads that move bytes; 0: one per core.
        public var eventLoops = 0
        /// How long SIGTERM waits for viewers, pushes and publishers to end.
        public var drainTimeout = Duration.seconds(10)

        public init() {}
    }

    /// `http.*`: the listener of API, playlists and segments.
    public struct HTTP: Sendable, Hashable {
        public var listen = HostPort(host: "0.0.0.0", port: 8080)
        /// A connection with no request for this long is closed.
        public var idleTimeout = Duration.seconds(60)
        /// Whose `X-Forwarded-For` is believed.
        public var trustedProxies: [IPNetwork] = []

        public init() {}
    }

    /// `rtmp.*`: the listener of publishers and RTMP viewers.
    public struct RTMP: Sendable, Hashable {
        public var listen = HostPort(host: "0.0.0.0", port: 1935)
        public var handshakeTimeout = Duration.seconds(10)
        /// A publisher from whom nothing is received for this long is disconnected.
        public var idleTimeout = Duration.seconds(30)
        /// Bytes of one message.
        public var maxMessage = 8 << 20
        /// Apps whose publishers without credentials get Adobe's challenge at connect.
        public var challengeApps: [WildcardPattern] = []

        public init() {}
    }

    /// `api.*`: the signed API.
    public struct API: Sendable, Hashable {
        /// How far a request's timestamp may be from now, and how long replies are kept for replays.
        public var timestampWindow = Duration.seconds(300)
        /// Failed signatures per minute and address before 429; 0: no limit.
        public var rateLimit = 60

        public init() {}
    }

    /// `limits.*`: ceilings.
    public struct Limits: Sendable, Hashable {
        public var connections = 20000
        public var connectionsPerAddress = 1000
        /// Bytes of rings and segments of all streams together.
        public var memory = 1 << 30
        /// Bytes of one API request.
        public var body = 1 << 20

        public init() {}
    }

    /// `log.*`.
    public struct Log: Sendable, Hashable {
        public enum Format: String, Sendable, Hashable, CaseIterable {
            case text
            case json
        }

        public var level = Logger.Level.info
        public var format = Format.text

        public init() {}
    }

    /// `compat.*`: quirks of the API this one follows, off by default.
    public struct Compat: Sendable, Hashable {
        /// Whether a stored password hash is accepted in place of the password.
        public var acceptPasswordHash = false

        public init() {}
    }
}
