import Basics
import Media
import NIOCore

/// A finished media segment. Its bytes never change, and its name is never used again for other bytes.
public struct Segment: Sendable {
    /// The media sequence number (RFC 8216 §3).
    public let sequence: Int64
    /// The discontinuities of the stream before this segment, the one right before it left out
    /// (`EXT-X-DISCONTINUITY-SEQUENCE` of a playlist that begins with it).
    public let discontinuitySequence: Int64
    /// `media_<sequence>.ts` or `.m4s`.
    public let name: String
    public let container: SegmentContainer
    /// What `EXT-X-MAP` names for this segment; nil for MPEG-TS.
    public let initialization: InitializationFile?
    /// `EXTINF`: from this segment's first decode time to the next one's; always above zero.
    public let duration: MediaTime
    /// An `EXT-X-DISCONTINUITY` stands before it.
    public let isDiscontinuity: Bool
    /// When its first access unit happened, in Unix milliseconds.
    public let programDateTime: Int64
    /// Its first access unit is a keyframe, so that playback may start here (audio alone: always).
    public let startsWithKeyframe: Bool
    /// Decode times of the first access unit and of the latest one.
    public let firstTime: MediaTime
    public let lastTime: MediaTime
    /// Video frames in it, and the time from the first one's decoding to the last one's: for the measured frame rate.
    public let videoFrames: Int
    public let videoSpan: MediaTime
    /// What it carries.
    public let tracks: TrackSet
    public let bytes: ByteBuffer

    /// A strong entity tag with its quotation marks. Date and size are part of it, so that a name reused by mistake
    /// after a lost counter still gets another tag.
    public let entityTag: String

    init(
        position: SequenceNumbers.Position, container: SegmentContainer, initialization: InitializationFile?,
        duration: MediaTime,
        isDiscontinuity: Bool, programDateTime: Int64, startsWithKeyframe: Bool, firstTime: MediaTime,
        lastTime: MediaTime, videoFrames: Int, videoSpan: MediaTime, tracks: TrackSet, bytes: ByteBuffer
    ) {
        let sequence = position.media
        self.sequence = sequence
        self.discontinuitySequence = position.discontinuity
        self.name = "media_\(sequence)\(container.fileExtension)"
        self.container = container
        self.initialization = initialization
        self.duration = duration
        self.isDiscontinuity = isDiscontinuity
        self.programDateTime = programDateTime
        self.startsWithKeyframe = startsWithKeyframe
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.videoFrames = videoFrames
        self.videoSpan = videoSpan
        self.tracks = tracks
        self.bytes = bytes
        let date = String(programDateTime, radix: 16)
        self.entityTag = "\"\(sequence)-\(date)-\(String(bytes.readableBytes, radix: 16))\""
    }

    /// Bits per second over its duration.
    public var bandwidth: Int {
        BandwidthMeter.bitsPerSecond(bytes: bytes.readableBytes, duration: duration)
    }
}

/// The file format of a segment.
public enum SegmentContainer: Sendable, Hashable {
    /// MPEG-TS, which every HLS player reads.
    case transportStream
    /// Fragmented MP4 with an initialization file (`EXT-X-MAP`), for the codecs that players do not take
    /// in MPEG-TS.
    case fragmentedMP4

    /// The end of a segment's name, with its dot.
    public var fileExtension: String {
        switch self {
        case .transportStream: ".ts"
        case .fragmentedMP4: ".m4s"
        }
    }

    /// The `Content-Type` of a segment.
    public var contentType: String {
        switch self {
        case .transportStream: "video/mp2t"
        case .fragmentedMP4: "video/mp4"
        }
    }
}

/// The initialization section that fragmented MP4 segments need (`EXT-X-MAP`).
public struct InitializationFile: Sendable, Hashable {
    /// `init_<sequence>.mp4`, with the sequence number of the first segment that uses it: another configuration has
    /// another name, so caches may keep it for ever.
    public let name: String
    public let bytes: ByteBuffer
    /// A strong entity tag with its quotation marks.
    public let entityTag: String

    init(name: String, bytes: ByteBuffer) {
        self.name = name
        self.bytes = bytes
        entityTag = bytes.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
    }

    /// The `Content-Type`.
    public static let contentType = "video/mp4"
}

/// A file that a media playlist names.
public enum PlaylistFile: Sendable {
    case segment(Segment)
    case initialization(InitializationFile)

    public var bytes: ByteBuffer {
        switch self {
        case .segment(let segment): segment.bytes
        case .initialization(let file): file.bytes
        }
    }

    public var contentType: String {
        switch self {
        case .segment(let segment): segment.container.contentType
        case .initialization: InitializationFile.contentType
        }
    }

    /// A strong entity tag with its quotation marks.
    public var entityTag: String {
        switch self {
        case .segment(let segment): segment.entityTag
        case .initialization(let file): file.entityTag
        }
    }
}
