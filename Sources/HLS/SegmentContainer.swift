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
