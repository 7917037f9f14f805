import NIOCore

/// The text of a master playlist (RFC 8216 §4.3.4): the variants of one stream, the preferred one first.
public struct MasterPlaylist: Sendable, Hashable {
    public var renditions: [Rendition]
    /// Every segment of every rendition starts with a keyframe, as far as is known.
    public var hasIndependentSegments: Bool

    public init(renditions: [Rendition], hasIndependentSegments: Bool) {
        self.renditions = renditions
        self.hasIndependentSegments = hasIndependentSegments
    }

    public func rendered() -> ByteBuffer {
        var text = ByteBuffer()
        text.writeString("#EXTM3U\n#EXT-X-VERSION:3\n")
        if hasIndependentSegments { text.writeString("#EXT-X-INDEPENDENT-SEGMENTS\n") }
        for rendition in renditions {
            text.writeString("#EXT-X-STREAM-INF:\(Self.attributes(of: rendition))\n")
            text.writeString("\(PlaylistText.uri(rendition.uri))\n")
        }
        return text
    }

    private static func attributes(of rendition: Rendition) -> String {
        // BANDWIDTH is required, and players divide by it.
        let bandwidth = max(1, rendition.peakBandwidth, rendition.averageBandwidth ?? 0)
        var attributes = ["BANDWIDTH=\(bandwidth)"]
        if let average = rendition.averageBandwidth, average > 0 {
            attributes.append("AVERAGE-BANDWIDTH=\(average)")
        }
        let codecs = rendition.codecs.filter { !$0.isEmpty }
        if !codecs.isEmpty {
            attributes.append("CODECS=\(PlaylistText.quoted(codecs.joined(separator: ",")))")
        }
        if let resolution = rendition.resolution, resolution.width > 0, resolution.height > 0 {
            attributes.append("RESOLUTION=\(resolution.width)x\(resolution.height)")
        }
        if let rate = rendition.frameRate, rate > 0 {
            attributes.append("FRAME-RATE=\(PlaylistText.rate(rate))")
        }
        return attributes.joined(separator: ",")
    }
}
