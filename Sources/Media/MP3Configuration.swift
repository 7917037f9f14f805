import NIOCore

/// MPEG audio layer III, which has no configuration of its own: every frame's header tells all.
public struct MP3Configuration: Sendable, Hashable, Codable {
    public var sampleRate: Int
    /// 1 or 2.
    public var channels: Int
    /// Samples of each channel in a frame: 1152 or 576.
    public var samplesPerFrame: Int

    /// `mp4a.40.34`, layer III as an MPEG-4 audio object type. It is the name that HLS and browsers' MediaSource list. Other players
    /// also know `mp4a.6B`, MPEG-1's own object type; Safari does not.
    public var codecString: String {
        "mp4a.40.34"
    }

    /// How long one frame plays.
    public var frameDuration: MediaTime {
        MediaTime(ticks: Int64(samplesPerFrame), timescale: Int64(sampleRate))
    }

    /// From the first frame's header.
    public init(frame: ByteBuffer) throws(MediaParseError) {
        guard let header = try MP3FrameHeader(frame) else { throw MediaParseError("MP3 frame", "ends too early") }
        sampleRate = header.sampleRate
        channels = header.channels
        samplesPerFrame = header.samples
    }
}
