import Basics
import Storage
import Usher

// What happens inside: streams, packaging, admission, pushes, what is kept.
extension PlayhouseConfiguration {
    /// `live.*`: streams between publisher and subscribers.
    public struct Live: Sendable, Hashable {
        /// Silence of the first publisher after which a second one takes over.
        public var takeoverAfter = Duration.seconds(5)
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

    /// `usher.*`: who may watch.
    public struct Usher: Sendable, Hashable {
        /// Of streams without settings of their own.
        public var defaultProtection = Protection.none
        /// Streams, as `app/stream`, that need a ticket whatever their settings say.
        public var protected: [WildcardPattern] = []

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

        public init() {}
    }
}
