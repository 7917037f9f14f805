import Foundation

/// What is on air, as the API sees it.
public protocol StageControl: Sendable {
    /// The streams of an app's instance that are on air, by name.
    func activeStreams(app: String, instance: String) async -> [StreamReport]

    /// nil when it is not on air.
    func stream(app: String, instance: String, stream: String) async -> StreamReport?

    /// Sends the encoder away and ends the stream. `instance` nil: on whatever instances it is.
    /// - Returns: how many streams were closed.
    func close(app: String, instance: String?, stream: String) async -> Int

    /// The origin as a whole.
    func server() async -> ServerReport
}

/// The origin as a whole, for `server.status`.
public struct ServerReport: Sendable, Hashable {
    public var started: Date
    /// On air, of all accounts.
    public var streams: Int
    /// Of all protocols and accounts.
    public var viewers: Int

    public init(started: Date, streams: Int, viewers: Int) {
        self.started = started
        self.streams = streams
        self.viewers = viewers
    }
}

/// One stream on air: what `stream.active` and `stream.details` say of it.
public struct StreamReport: Sendable, Hashable {
    public var app: String
    public var instance: String
    public var stream: String
    /// `live`, `channel`, `switchboard` or `transcode`.
    public var type = "live"
    /// `live`, or `recovering` while a dropped encoder may still return.
    public var state = "live"
    public var isRecording = false
    /// When the encoder connected, and when it began to publish.
    public var connected: Date
    public var published: Date
    /// The encoder's address without port, what it calls itself, and `RTMP`, `SRT` …
    public var encoderAddress: String
    public var encoderSoftware: String
    public var encoderProtocol: String
    /// RFC 6381, such as `mp4a.40.2` and `avc1.42801e`; nil where there is no such track, or not yet.
    public var audioCodec: String?
    public var videoCodec: String?
    /// `AAC`, `H264` …
    public var audioType: String?
    public var videoType: String?
    /// Pixels.
    public var width: Int?
    public var height: Int?
    /// Pictures per second, measured.
    public var frameRate: Double
    /// Bits per second, measured.
    public var bitrate: Int
    /// The encoder's own.
    public var metadata: JSONObject
    /// Names of the renditions being made.
    public var transcoders: [String] = []
    /// Number of the newest HLS segment.
    public var lastChunkID: Int64
    /// Of all protocols.
    public var viewers: Int

    public init(
        app: String, instance: String, stream: String, connected: Date, published: Date, encoderAddress: String = "",
        encoderSoftware: String = "", encoderProtocol: String = "RTMP", audioCodec: String? = nil,
        videoCodec: String? = nil, audioType: String? = nil, videoType: String? = nil, width: Int? = nil,
        height: Int? = nil, frameRate: Double = 0, bitrate: Int = 0, metadata: JSONObject = [:], lastChunkID: Int64 = 0,
        viewers: Int = 0
    ) {
        self.app = app
        self.instance = instance
        self.stream = stream
        self.connected = connected
        self.published = published
        self.encoderAddress = encoderAddress
        self.encoderSoftware = encoderSoftware
        self.encoderProtocol = encoderProtocol
        self.audioCodec = audioCodec
        self.videoCodec = videoCodec
        self.audioType = audioType
        self.videoType = videoType
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.bitrate = bitrate
        self.metadata = metadata
        self.lastChunkID = lastChunkID
        self.viewers = viewers
    }
}
