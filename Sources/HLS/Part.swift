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
    /// What came meanwhile of the audio tracks besides the default one; not part of `bytes`.
    var alternatives: [AlternativeTracks.Fragment] = []

    func span(_ track: TrackID) -> TrackSpan? {
        switch track {
        case .video: videoSpan
        case .audio: audioSpan
        default: alternatives.first { $0.track == track }?.span
        }
    }

    /// The fragment of one track; nil when it has none.
    public func fragment(_ track: TrackID) -> ByteBuffer? {
        let range: Range<Int>
        switch track {
        case .video: range = 0..<videoLength
        case .audio: range = videoLength..<max(videoLength, bytes.readableBytes)
        default: return alternatives.first { $0.track == track }?.bytes
        }
        return range.isEmpty ? nil : bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
    }
}

/// The name of a file that a media playlist names. It is never used again for other bytes.
public enum MediaFileName: Sendable, Hashable, Codable, CustomStringConvertible {
    /// `media_<sequence>.m4s` or `.ts`.
    case segment(Int64, SegmentContainer)
    /// `init_<sequence>.mp4`, with the sequence number of the first segment that uses it.
    case initialization(Int64)
    /// `part_<life>_<number>.m4s`: the sequence number of the first segment of a publication, and a number that goes on over
    /// its segments. So the part that comes next has a name before it is known which segment it belongs to, and a hint at it
    /// (`EXT-X-PRELOAD-HINT`) is never wrong.
    case part(life: Int64, number: Int64)
    /// `video_<sequence>.m4s`, `audio_<sequence>.m4s`, `audio_<track>_<sequence>.m4s`: what a segment has of one track.
    case trackSegment(TrackID, Int64)
    /// `init_video_<sequence>.mp4` and so on: what `initialization` has of one track.
    case trackInitialization(TrackID, Int64)
    /// `part_video_<life>_<number>.m4s` and so on: what a part has of one track.
    case trackPart(TrackID, life: Int64, number: Int64)

    public var description: String {
        switch self {
        case .trackSegment(let track, let sequence): "\(track.fileName)_\(sequence).m4s"
        case .trackInitialization(let track, let sequence): "init_\(track.fileName)_\(sequence).mp4"
        case .trackPart(let track, let life, let number): "part_\(track.fileName)_\(life)_\(number).m4s"
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
        func numbers(_ prefix: StaticString, _ suffix: StaticString) -> Numbers? {
            Numbers(in: text, after: prefix, before: suffix)
        }
        if let found = numbers("part_", ".m4s") {
            return found.count == 2 ? .part(life: found[0], number: found[1]) : nil
        }
        if let found = numbers("media_", ".m4s") {
            return found.count == 1 ? .segment(found[0], .fragmentedMP4) : nil
        }
        if let found = numbers("media_", ".ts") {
            return found.count == 1 ? .segment(found[0], .transportStream) : nil
        }
        if let found = numbers("init_", ".mp4") { return found.count == 1 ? .initialization(found[0]) : nil }
        if let found = numbers("video_", ".m4s") {
            return found.track(.video, before: 1).map { .trackSegment($0, found.last) }
        }
        if let found = numbers("audio_", ".m4s") {
            return found.track(.audio, before: 1).map { .trackSegment($0, found.last) }
        }
        if let found = numbers("init_video_", ".mp4") {
            return found.track(.video, before: 1).map { .trackInitialization($0, found.last) }
        }
        if let found = numbers("init_audio_", ".mp4") {
            return found.track(.audio, before: 1).map { .trackInitialization($0, found.last) }
        }
        if let found = numbers("part_video_", ".m4s") {
            return found.track(.video, before: 2).map {
                .trackPart($0, life: found[found.count - 2], number: found.last)
            }
        }
        if let found = numbers("part_audio_", ".m4s") {
            return found.track(.audio, before: 2).map {
                .trackPart($0, life: found[found.count - 2], number: found.last)
            }
        }
        return nil
    }

    /// One to three decimal numbers, parted by `_`.
    private struct Numbers {
        private(set) var count = 0
        private var values: (Int64, Int64, Int64) = (0, 0, 0)

        subscript(index: Int) -> Int64 {
            index == 0 ? values.0 : index == 1 ? values.1 : values.2
        }

        var last: Int64 { self[count - 1] }

        /// The track whose number stands before so many others; the default one when there is none.
        func track(_ kind: TrackID.Kind, before rest: Int) -> TrackID? {
            if count == rest { return TrackID(kind) }
            guard count == rest + 1, kind == .audio, (1...255).contains(self[0]) else { return nil }
            return TrackID(kind, number: UInt8(self[0]))
        }

        /// - Returns: nil when there is anything else between the two texts, or a number that `description` would spell in another
        ///   way.
        init?(in text: UnsafeBufferPointer<UInt8>, after prefix: StaticString, before suffix: StaticString) {
            let (start, end) = (prefix.utf8CodeUnitCount, text.count - suffix.utf8CodeUnitCount)
            guard end > start,
                text[..<start].elementsEqual(UnsafeBufferPointer(start: prefix.utf8Start, count: start)),
                text[end...].elementsEqual(
                    UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
            else { return nil }
            var value: Int64 = 0
            var digits = 0
            for byte in text[start..<end] {
                if byte == UInt8(ascii: "_"), digits > 0, count < 2 {
                    add(value)
                    (value, digits) = (0, 0)
                    continue
                }
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits == 0 || value > 0 else {
                    return nil
                }
                let (product, isOver) = value.multipliedReportingOverflow(by: 10)
                let (sum, isOverToo) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
                guard !isOver, !isOverToo else { return nil }
                value = sum
                digits += 1
            }
            guard digits > 0 else { return nil }
            add(value)
        }

        private mutating func add(_ value: Int64) {
            switch count {
            case 0: values.0 = value
            case 1: values.1 = value
            default: values.2 = value
            }
            count += 1
        }
    }
}

extension TrackID {
    /// What it is called in the names of files and playlists: `video`, `audio`, `audio_1`.
    public var fileName: String {
        isDefault ? "\(kind)" : "\(kind)_\(number)"
    }
}
