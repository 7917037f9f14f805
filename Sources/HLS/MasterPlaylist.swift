import Basics
import Media
import NIOCore

/// The text of a master playlist (RFC 8216 §4.3.4): the variants of one stream, the preferred one first.
public struct MasterPlaylist: Sendable, Hashable {
    public var renditions: [Rendition]
    /// What variants with an `audioGroup` are played with.
    public var audio: [AudioRendition]
    /// Every segment of every rendition starts with a keyframe, as far as is known.
    public var hasIndependentSegments: Bool

    public init(renditions: [Rendition], audio: [AudioRendition] = [], hasIndependentSegments: Bool) {
        self.renditions = renditions
        self.audio = audio
        self.hasIndependentSegments = hasIndependentSegments
    }

    public func rendered() -> ByteBuffer {
        var text = ByteBuffer()
        for piece in pieces {
            text.writeString(piece.text)
            text.writeString(PlaylistText.uri(piece.uri))
        }
        text.writeString("\n")
        return text
    }

    /// The addresses of all media playlists, and what stands before each from the end of the one before it on. The last one ends
    /// with the line.
    public var pieces: [(text: String, uri: String)] {
        // `AUDIO` is of version 4.
        var head =
            "#EXTM3U\n#EXT-X-VERSION:\(audio.isEmpty ? 3 : 4)\n"
            + (hasIndependentSegments ? "#EXT-X-INDEPENDENT-SEGMENTS\n" : "")
        for channel in captionChannels {
            let name = PlaylistText.quoted(channel)
            head +=
                "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\(name),INSTREAM-ID=\(name),AUTOSELECT=YES\n"
        }
        var pieces: [(text: String, uri: String)] = []
        for rendition in audio {
            pieces.append(("\(head)#EXT-X-MEDIA:\(Self.attributes(of: rendition)),URI=\"", rendition.uri))
            head = "\"\n"
        }
        for rendition in renditions {
            let attributes = (Self.attributes(of: rendition) + captions(of: rendition)).joined(separator: ",")
            pieces.append(("\(head)#EXT-X-STREAM-INF:\(attributes)\n", rendition.uri))
            head = "\n"
        }
        return pieces
    }

    /// The channels that any rendition has: one group for all of them.
    private var captionChannels: [String] {
        var channels: [String] = []
        for rendition in renditions {
            guard case .channels(let names) = rendition.captions else { continue }
            channels += names.filter { !channels.contains($0) }
        }
        return channels
    }

    /// `CLOSED-CAPTIONS`. `NONE` may be said only of all variants at once (RFC 8216bis §4.4.6.2), and what holds no video has none
    /// in any case.
    private func captions(of rendition: Rendition) -> [String] {
        if case .channels = rendition.captions { return ["CLOSED-CAPTIONS=\"cc\""] }
        let withVideo = renditions.filter { $0.resolution != nil }
        return withVideo.isEmpty || withVideo.contains { $0.captions != .none } ? [] : ["CLOSED-CAPTIONS=NONE"]
    }

    private static func attributes(of rendition: AudioRendition) -> String {
        var attributes = [
            "TYPE=AUDIO", "GROUP-ID=\(PlaylistText.quoted(rendition.group))",
            "NAME=\(PlaylistText.quoted(rendition.name))",
        ]
        if let language = rendition.language { attributes.append("LANGUAGE=\(PlaylistText.quoted(language))") }
        if rendition.isDefault { attributes.append("DEFAULT=YES") }
        attributes.append("AUTOSELECT=YES")
        if let channels = rendition.channels { attributes.append("CHANNELS=\"\(channels)\"") }
        return attributes.joined(separator: ",")
    }

    private static func attributes(of rendition: Rendition) -> [String] {
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
        if let range = rendition.videoRange {
            attributes.append("VIDEO-RANGE=\(range.rawValue)")
        }
        if let group = rendition.audioGroup { attributes.append("AUDIO=\(PlaylistText.quoted(group))") }
        return attributes
    }
}

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
    /// Nil for audio alone.
    public var resolution: Resolution?
    public var frameRate: Double?
    /// `VIDEO-RANGE`; nil where it is not known, which players take for `SDR`.
    public var videoRange: VideoColor.Range?
    /// `CLOSED-CAPTIONS`. What is not known is not said: a player then looks for captions itself.
    public var captions: Captions
    /// `AUDIO`: the group whose renditions it is played with; nil: its audio is in it.
    public var audioGroup: String?

    public init(
        uri: String, peakBandwidth: Int, averageBandwidth: Int? = nil, codecs: [String],
        resolution: Resolution? = nil, frameRate: Double? = nil, videoRange: VideoColor.Range? = nil,
        captions: Captions = .unknown
    ) {
        self.uri = uri
        self.peakBandwidth = peakBandwidth
        self.averageBandwidth = averageBandwidth
        self.codecs = codecs
        self.resolution = resolution
        self.frameRate = frameRate
        self.videoRange = videoRange
        self.captions = captions
    }
}

/// An audio track with a playlist of its own, for players to choose (`EXT-X-MEDIA`, RFC 8216 §4.3.4.1).
public struct AudioRendition: Sendable, Hashable {
    public var group: String
    /// What viewers are shown, one of its kind in the group.
    public var name: String
    /// An RFC 5646 tag, if known.
    public var language: String?
    /// It is played unless the viewer or his settings want another; one of the group.
    public var isDefault: Bool
    public var channels: Int?
    public var uri: String

    public init(
        group: String, name: String, language: String? = nil, isDefault: Bool, channels: Int? = nil, uri: String
    ) {
        self.group = group
        self.name = name
        self.language = language
        self.isDefault = isDefault
        self.channels = channels
        self.uri = uri
    }
}

/// What `EXT-X-STREAM-INF` says about a playlist's bit rates, measured.
enum BandwidthMeter {
    /// Rounded up; 0 for a duration that is not above zero.
    static func bitsPerSecond(bytes: Int, duration: MediaTime) -> Int {
        guard duration > .zero, bytes > 0 else { return 0 }
        let rate = Double(bytes) * 8 / duration.seconds
        return rate < 1e15 ? Int(rate.rounded(.up)) : 1_000_000_000_000_000
    }

    /// All segments together.
    static func average(
        of segments: [Segment], length: (Segment) -> Int = { $0.bytes.readableBytes }
    ) -> Int {
        var bytes = 0
        var duration = MediaTime.zero
        for segment in segments {
            bytes += length(segment)
            duration += segment.duration
        }
        return bitsPerSecond(bytes: bytes, duration: duration)
    }

    /// The peak segment bit rate (RFC 8216 §4.3.4.2): the largest of any run of segments that together last between
    /// half and one and a half target durations; the average when there is no such run.
    /// - Parameter length: which of a segment's bytes count.
    static func peak(
        of segments: [Segment], targetDuration: Int, length: (Segment) -> Int = { $0.bytes.readableBytes }
    ) -> Int {
        let target = Double(targetDuration)
        var peak = 0
        for start in segments.indices {
            var bytes = 0
            var duration = MediaTime.zero
            for segment in segments[start...] {
                bytes += length(segment)
                duration += segment.duration
                if duration.seconds > target * 1.5 { break }
                if duration.seconds >= target * 0.5 {
                    peak = max(peak, bitsPerSecond(bytes: bytes, duration: duration))
                }
            }
        }
        return max(peak, average(of: segments, length: length))
    }

    /// Video frames per second, moved to the nearest customary rate within half a percent; nil without two in a segment.
    static func frameRate(of segments: [Segment]) -> Double? {
        var steps = 0
        var span = MediaTime.zero
        for segment in segments where segment.videoFrames > 1 {
            steps += segment.videoFrames - 1
            span += segment.videoSpan
        }
        guard steps > 0, span > .zero else { return nil }
        let measured = Double(steps) / span.seconds
        let customary = [24_000 / 1_001.0, 24, 25, 30_000 / 1_001.0, 30, 48, 50, 60_000 / 1_001.0, 60, 120]
        let nearest = customary.min { abs($0 - measured) < abs($1 - measured) }
        if let nearest, abs(nearest - measured) <= nearest * 0.005 { return nearest }
        return measured
    }
}

/// The address of a media playlist inside a viewing session, relative to the master playlist.
///
/// The session stands in the path, so segments inherit it without a query, a cookie or a header. The ticket's key and
/// pass, or the token, and nothing else, stand in the query again: a node that does not know the session can then open another.
public enum SessionPath {
    /// `sess_<session>/<playlist>`, and `?key=…&pass=…` when there is a ticket, `?hdnea=…` when there is a token.
    ///
    /// - Parameters:
    ///   - playlist: a path below the session's folder, with nothing in it that would have to be encoded.
    ///   - token: with its name, `hdnea=…`.
    public static func uri(
        session: String, playlist: String = "chunklist.m3u8", key: String? = nil, pass: String? = nil,
        token: String? = nil
    ) -> String {
        var query: [String] = []
        if let token, token.hasPrefix("hdnea=") {
            // As signers write it, so that it can be recognized.
            query.append("hdnea=\(PercentCoding.encode(String(token.dropFirst(6)), keeping: "=~!*/:,"))")
        }
        if let key { query.append("key=\(PercentCoding.encode(key))") }
        if let pass { query.append("pass=\(PercentCoding.encode(pass))") }
        let path = "sess_\(PercentCoding.encode(session))/\(playlist)"
        return query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
    }
}
