import Basics
import HLS
import NIOCore
import Usher

/// How streams are packaged and given to players over HTTP. Values outside their range are brought into it.
public struct DeliveryConfiguration: Sendable, Hashable {
    /// `hls.segment_duration`, `hls.window` and the bounds of a stream's segments. A stream's own `playlistCount` goes
    /// before `window`.
    public var segmenter: SegmenterConfiguration
    /// Streams, as `app/stream`, whose playlists list MPEG-TS unless something else is asked for. None by default.
    public var transportStreams: [WildcardPattern]
    /// `hls.audio_only`: master playlists have a variant of audio alone. False by default.
    public var listsAudioAlone: Bool
    /// Proxies whose `X-Forwarded-For` is believed. None by default: anybody can write that header.
    public var trustedProxies: [IPNetwork]
    /// Viewers of protected streams who come through a proxy that is not trusted are refused: otherwise all of them are one
    /// viewer at one address, and whoever has a ticket's link shares its session. False by default.
    public var requiresTrustedProxy: Bool
    /// Origins of pages whose scripts may read answers (`Access-Control-Allow-Origin`), such as
    /// `https://www.example.com`; `*` stands for all and is the default.
    public var allowedOrigins: [String]
    /// Seconds a stream that has ended stays fetchable with its `ENDLIST`, 0 to 3,600; longer where three times the
    /// playlist's length is longer. Default 60.
    public var linger: Int
    /// Streams kept at once, live and lingering, 1 to 100,000. Lingering ones go first; when all are live, another
    /// stream is not packaged. Default 1,000.
    public var maximumOutputs: Int
    /// How long a playlist request waits for a stream's first segment, in target durations, 0 to 10. Default 3.
    public var holdTargets: Int
    /// Requests that wait for what one stream brings next, 0 to 1,000,000; beyond it the answer is 503. Default 100,000.
    public var maximumHeld: Int
    /// Seconds without a playlist request after which a viewer of an unprotected stream is counted no more, 5 to 600.
    /// Default 30.
    public var viewerIdleTime: Int
    /// Viewers of unprotected streams counted at once, over all streams, 0 to 10,000,000. Default 100,000; more are
    /// served all the same.
    public var maximumCountedViewers: Int
    /// Media sequence numbers reserved in the store at a time, 10 to 1,000,000. Default 1,000: at two seconds a segment
    /// one write in a quarter of an hour.
    public var sequenceBlock: Int64
    /// `thumbnail.*`.
    public var thumbnails: ThumbnailConfiguration

    public init(
        segmenter: SegmenterConfiguration = SegmenterConfiguration(), transportStreams: [WildcardPattern] = [],
        listsAudioAlone: Bool = false, trustedProxies: [IPNetwork] = [],
        requiresTrustedProxy: Bool = false,
        allowedOrigins: [String] = ["*"], linger: Int = 60, maximumOutputs: Int = 1_000, holdTargets: Int = 3,
        maximumHeld: Int = 100_000, viewerIdleTime: Int = 30, maximumCountedViewers: Int = 100_000,
        sequenceBlock: Int64 = 1_000, thumbnails: ThumbnailConfiguration = ThumbnailConfiguration()
    ) {
        self.segmenter = segmenter
        self.transportStreams = transportStreams
        self.listsAudioAlone = listsAudioAlone
        self.trustedProxies = trustedProxies
        self.requiresTrustedProxy = requiresTrustedProxy
        self.allowedOrigins = allowedOrigins
        self.linger = min(max(linger, 0), 3_600)
        self.maximumOutputs = min(max(maximumOutputs, 1), 100_000)
        self.holdTargets = min(max(holdTargets, 0), 10)
        self.maximumHeld = min(max(maximumHeld, 0), 1_000_000)
        self.viewerIdleTime = min(max(viewerIdleTime, 5), 600)
        self.maximumCountedViewers = min(max(maximumCountedViewers, 0), 10_000_000)
        self.sequenceBlock = min(max(sequenceBlock, 10), 1_000_000)
        self.thumbnails = thumbnails
    }

    /// How long a request waits for the first segment.
    var holdTime: TimeAmount {
        // At most 30 s times 10.
        .nanoseconds(segmenter.segmentDuration.nanoseconds * Int64(holdTargets))
    }
}
