import Basics
import Logging
import Storage
import Usher

/// All settings of an origin, typed and checked. `PlayhouseConfiguration()` holds the defaults; `load` reads the file and
/// the environment over them. What each key means, its unit and range stand in `ConfigurationKey.all`, which
/// docs/configuration.md is generated from.
public struct PlayhouseConfiguration: Sendable, Hashable {
    public var server = Server()
    public var http = HTTP()
    public var https = TLS()
    public var rtmp = RTMP()
    public var rtmps = TLS()
    public var live = Live()
    public var hls = HLS()
    public var player = Player()
    public var thumbnail = Thumbnail()
    public var usher = Usher()
    public var push = Push()
    public var api = API()
    public var storage = Storage()
    public var limits = Limits()
    public var log = Log()
    public var compat = Compat()

    public init() {}
}

// What faces the outside: listeners, limits, log.
extension PlayhouseConfiguration {
    /// `server.*`: the process as a whole.
    public struct Server: Sendable, Hashable {
        /// The host in URLs that replies show. `load` fills in the machine's name when nothing is given.
        public var publicHost = ""
        /// What players' addresses in replies begin with, without a slash at its end; empty: https or http, `publicHost` and the
        /// port.
        public var publicURL = ""
        /// Threads that move bytes; 0: one per core.
        public var eventLoops = 0
        /// How long SIGTERM waits for viewers, pushes and publishers to end.
        public var drainTimeout = Duration.seconds(10)
        /// The same while others wait at the listening sockets for the program that comes next.
        public var upgradeTimeout = Duration.seconds(2)
        /// How soon after an orderly end a start goes on with what was. 0: never.
        public var resumeWithin = Duration.seconds(60)

        public init() {}
    }

    /// `http.*`: the listener of API, playlists and segments.
    public struct HTTP: Sendable, Hashable {
        public var listen = HostPort(host: "0.0.0.0", port: 8080)
        /// A connection with no request for this long is closed.
        public var idleTimeout = Duration.seconds(60)
        /// From a request's first byte to the end of its header.
        public var headerTimeout = Duration.seconds(10)
        /// From the end of a request's header to the end of its body.
        public var bodyTimeout = Duration.seconds(10)
        /// A client that takes nothing of its response for this long is closed.
        public var sendTimeout = Duration.seconds(30)
        /// Whose `X-Forwarded-For` is believed.
        public var trustedProxies: [IPNetwork] = []

        public init() {}
    }

    /// `https.*`, `rtmps.*`: a listener inside TLS.
    public struct TLS: Sendable, Hashable {
        /// nil: there is none.
        public var listen: HostPort?
        /// PEM files, the first for clients that ask for no name. `load` makes them absolute, and gives `rtmps` those of `https`
        /// where it has none of its own.
        public var certificates: [String] = []
        /// PEM files, one for each certificate, in their order. `load` fills in the certificates' own files where none are given.
        public var keys: [String] = []

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
        /// Of these, places that viewers cannot take. nil, `auto` in the file: `load` fills in one in fifty.
        public var connectionsReserved: Int?
        public var connectionsPerAddress = 1000
        /// Bytes of rings, segments and what waits for peers, of all streams together. 0, `auto` in the file: `load` fills in
        /// half of the machine's memory.
        public var memory = 0
        /// Bytes of one API request.
        public var body = 1 << 20
        /// Bytes of all API requests that are being read or answered.
        public var bodies = 64 << 20

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

// What happens inside: streams, packaging, admission, pushes, what is kept.
extension PlayhouseConfiguration {
    /// `live.*`: streams between publisher and subscribers.
    public struct Live: Sendable, Hashable {
        /// Silence of the first publisher after which a second one takes over.
        public var takeoverAfter = Duration.seconds(5)
        /// What backup encoders add to the stream's name; empty: there are none.
        public var backupSuffix = "_backup"
        /// Silence of the encoder on air after which the stream's other encoder goes on air instead.
        public var backupAfter = Duration.seconds(3)
        /// How long the primary encoder must have sent without a break before it is on air again.
        public var primaryAfter = Duration.seconds(10)
        /// How long a dropped encoder may take to return; stream settings override it.
        public var reconnectWindow = Duration.seconds(30)
        /// How long frames may be gathered before they are sent to many viewers at once.
        public var latency = Duration.milliseconds(100)
        /// Bytes of one stream's ring.
        public var gopBytes = 16 << 20
        /// A viewer that stays behind for this long is closed.
        public var slowViewerTimeout = Duration.seconds(20)

        public init() {}
    }

    /// `hls.*`: segments, playlists, HLS sessions.
    public struct HLS: Sendable, Hashable {
        public var segmentDuration = Duration.seconds(2)
        /// Of low-latency HLS.
        public var partDuration = Duration.milliseconds(200)
        /// Streams, as `app/stream`, that are given as MPEG-TS by default.
        public var mpegts: [WildcardPattern] = []
        public var audioOnly = false
        /// A segment without a keyframe is cut here all the same.
        public var segmentMaxDuration = Duration.seconds(30)
        public var segmentMaxBytes = 32 << 20
        /// Segments in a playlist; stream settings override it.
        public var window = 6
        /// A session without a request for this long is over.
        public var sessionTimeout = Duration.seconds(60)
        /// `Access-Control-Allow-Origin`; empty: no such header.
        public var corsOrigin = "*"

        public init() {}
    }

    /// `player.*`: the page that plays a stream.
    public struct Player: Sendable, Hashable {
        /// hls.js. Empty: the file of that name in `storage.path`, if there is one. `load` makes it absolute.
        public var hlsJS = ""

        public init() {}
    }

    /// `thumbnail.*`: pictures of what streams show.
    public struct Thumbnail: Sendable, Hashable {
        /// A name to be looked for in `PATH`, or a path.
        public var ffmpeg = "ffmpeg"
        /// Pictures made at one time; 0: none are.
        public var processes = 2
        /// A stream's next picture is made after this time at the earliest.
        public var interval = Duration.seconds(2)
        /// Pixels a picture is wide at most.
        public var width = 640

        public init() {}
    }

    /// `usher.*`: who may watch.
    public struct Usher: Sendable, Hashable {
        /// Of streams without settings of their own.
        public var defaultProtection = Protection.open
        /// Streams, as `app/stream`, that need a ticket whatever their settings say.
        public var protected: [WildcardPattern] = []
        /// Whether viewers of protected streams who come through a proxy that is not trusted are refused.
        public var requireTrustedProxy = false
        /// MaxMind DB files, in the order in which they are asked. `load` makes them absolute.
        public var countryDatabases: [String] = []

        public init() {}
    }

    /// `push.*`: streams that leave.
    public struct Push: Sendable, Hashable {
        /// Private, loopback and link-local networks that pushes may go to all the same.
        public var allowPrivate: [IPNetwork] = []
        public var connectTimeout = Duration.seconds(10)
        /// A destination that acknowledges nothing for this long is taken for dead.
        public var sendTimeout = Duration.seconds(20)
        public var retryInitial = Duration.seconds(1)
        public var retryMax = Duration.seconds(30)
        /// After a failure that waiting does not cure.
        public var permanentRetry = Duration.seconds(300)
        /// Running sessions.
        public var maxPerAccount = 100

        public init() {}
    }

    /// `storage.*`: what survives.
    public struct Storage: Sendable, Hashable {
        /// The folder of the database. `load` makes it absolute.
        public var path = "playhouse-data"
        /// Rows older than this are removed; zero: never.
        public var attemptRetention = Duration.seconds(90 * 86400)
        /// Rows older than this are removed; zero: never.
        public var eventRetention = Duration.seconds(90 * 86400)
        /// Days of usage older than this are removed; zero: never.
        public var usageRetention = Duration.seconds(400 * 86400)
        /// Minutes of viewers older than this are removed; zero: never.
        public var viewerRetention = Duration.seconds(14 * 86400)

        public init() {}
    }
}
