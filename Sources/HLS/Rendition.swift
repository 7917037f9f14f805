import Media

/// A variant of a stream in a master playlist.
public struct Rendition: Sendable, Hashable {
    /// Its media playlist, relative to the master playlist.
    public var uri: String
    /// `BANDWIDTH`: the peak, in bits per second.
    public var peakBandwidth: Int
    /// `AVERAGE-BANDWIDTH`, if known.
    public var averageBandwidth: Int?
    /// RFC 6381 names; empty ones are left out.
    public var codecs: [String]
    /// Nil for sound alone.
    public var resolution: Resolution?
    public var frameRate: Double?

    public init(
        uri: String, peakBandwidth: Int, averageBandwidth: Int? = nil, codecs: [String],
        resolution: Resolution? = nil, frameRate: Double? = nil
    ) {
        self.uri = uri
        self.peakBandwidth = peakBandwidth
        self.averageBandwidth = averageBandwidth
        self.codecs = codecs
        self.resolution = resolution
        self.frameRate = frameRate
    }
}
