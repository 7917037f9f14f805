import FragmentedMP4
import Media
import NIOCore

/// A partial segment (RFC 8216bis §3.4, §4.4.4.9): a few frames of each track, written and given out as soon as the last of
/// them has come. Its bytes never change; those of a segment are those of its parts, one after the other.
public struct Part: Sendable {
    public let name: MediaFileName
    /// `DURATION`, always above zero.
    public let duration: MediaTime
    /// `INDEPENDENT`: it begins with a keyframe, or holds audio alone.
    public let isIndependent: Bool
    /// The video's fragment and the audio's behind it, either of which may be missing.
    public internal(set) var bytes: ByteBuffer
    /// How many of the bytes are the video's fragment.
    let videoLength: Int
    /// The address of its bytes for caches: quotation marks included.
    public let entityTag: String
    /// When its fragments begin and end; nil for a track that it has nothing of.
    var videoSpan: TrackSpan?
    var audioSpan: TrackSpan?

    func span(_ kind: TrackID.Kind) -> TrackSpan? {
        switch kind {
        case .video: videoSpan
        case .audio: audioSpan
        case .data: nil
        }
    }

    /// The fragment of one track, a slice of its bytes; nil when it has none.
    public func fragment(_ kind: TrackID.Kind) -> ByteBuffer? {
        let range: Range<Int>
        switch kind {
        case .video: range = 0..<videoLength
        case .audio: range = videoLength..<max(videoLength, bytes.readableBytes)
        case .data: return nil
        }
        return range.isEmpty ? nil : bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
    }
}

/// The name of a file that a media playlist names. It is never used again for other bytes.
public enum MediaFileName: Sendable, Hashable, CustomStringConvertible {
    /// `media_<sequence>.m4s` or `.ts`.
    case segment(Int64, SegmentContainer)
    /// `init_<sequence>.mp4`, with the sequence number of the first segment that uses it.
    case initialization(Int64)
    /// `part_<life>_<number>.m4s`: the sequence number of the first segment of a publication, and a number that goes on over
    /// its segments. So the part that comes next has a name before it is known which segment it belongs to, and a hint at it
    /// (`EXT-X-PRELOAD-HINT`) is never wrong.
    case part(life: Int64, number: Int64)
    /// `video_<sequence>.m4s`, `audio_<sequence>.m4s`: what a segment has of one track, for DASH.
    case trackSegment(TrackID.Kind, Int64)
    /// `init_video_<sequence>.mp4`, `init_audio_<sequence>.mp4`: what `initialization` has of one track.
    case trackInitialization(TrackID.Kind, Int64)

    public var description: String {
        switch self {
        case .trackSegment(let kind, let sequence): "\(kind)_\(sequence).m4s"
        case .trackInitialization(let kind, let sequence): "init_\(kind)_\(sequence).mp4"
        case .segment(let sequence, let container): "media_\(sequence)\(container.fileExtension)"
        case .initialization(let sequence): "init_\(sequence).mp4"
        case .part(let life, let number): "part_\(life)_\(number).m4s"
        }
    }

    /// - Returns: nil for what is not spelled as such a name.
    public init?(_ text: String) {
        var text = text
        guard let name = text.withUTF8({ Self.read($0) }) else { return nil }
        self = name
    }

    private static func read(_ text: UnsafeBufferPointer<UInt8>) -> Self? {
        func numbers(_ prefix: StaticString, _ suffix: StaticString) -> (first: Int64, second: Int64?)? {
            Self.numbers(in: text, after: prefix, before: suffix)
        }
        if let found = numbers("part_", ".m4s") {
            return found.second.map { .part(life: found.first, number: $0) }
        }
        if let found = numbers("media_", ".m4s") {
            return found.second == nil ? .segment(found.first, .fragmentedMP4) : nil
        }
        if let found = numbers("media_", ".ts") {
            return found.second == nil ? .segment(found.first, .transportStream) : nil
        }
        if let found = numbers("init_", ".mp4") { return found.second == nil ? .initialization(found.first) : nil }
        if let found = numbers("video_", ".m4s") {
            return found.second == nil ? .trackSegment(.video, found.first) : nil
        }
        if let found = numbers("audio_", ".m4s") {
            return found.second == nil ? .trackSegment(.audio, found.first) : nil
        }
        if let found = numbers("init_video_", ".mp4") {
            return found.second == nil ? .trackInitialization(.video, found.first) : nil
        }
        if let found = numbers("init_audio_", ".mp4") {
            return found.second == nil ? .trackInitialization(.audio, found.first) : nil
        }
        return nil
    }

    /// The decimal number between the two texts, or both, parted by `_`; nil when there is anything else, or a number that
    /// `description` would spell in another way.
    private static func numbers(
        in text: UnsafeBufferPointer<UInt8>, after prefix: StaticString, before suffix: StaticString
    ) -> (first: Int64, second: Int64?)? {
        let (start, end) = (prefix.utf8CodeUnitCount, text.count - suffix.utf8CodeUnitCount)
        guard end > start, text[..<start].elementsEqual(UnsafeBufferPointer(start: prefix.utf8Start, count: start)),
            text[end...].elementsEqual(
                UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
        else { return nil }
        var first: Int64?
        var value: Int64 = 0
        var digits = 0
        for byte in text[start..<end] {
            if byte == UInt8(ascii: "_"), digits > 0, first == nil {
                first = value
                (value, digits) = (0, 0)
                continue
            }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits == 0 || value > 0 else { return nil }
            let (product, isOver) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !isOver, !isOverToo else { return nil }
            value = sum
            digits += 1
        }
        guard digits > 0 else { return nil }
        return first.map { ($0, value) } ?? (value, nil)
    }
}
