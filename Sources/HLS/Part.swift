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

    public var description: String {
        switch self {
        case .segment(let sequence, let container): "media_\(sequence)\(container.fileExtension)"
        case .initialization(let sequence): "init_\(sequence).mp4"
        case .part(let life, let number): "part_\(life)_\(number).m4s"
        }
    }

    /// - Returns: nil for what is not spelled as such a name.
    public init?(_ text: some StringProtocol) {
        let numbers: [Int64]
        if let found = Self.numbers(in: text, after: "media_", before: ".m4s"), found.count == 1 {
            numbers = found
            self = .segment(numbers[0], .fragmentedMP4)
        } else if let found = Self.numbers(in: text, after: "media_", before: ".ts"), found.count == 1 {
            numbers = found
            self = .segment(numbers[0], .transportStream)
        } else if let found = Self.numbers(in: text, after: "part_", before: ".m4s"), found.count == 2 {
            numbers = found
            self = .part(life: numbers[0], number: numbers[1])
        } else if let found = Self.numbers(in: text, after: "init_", before: ".mp4"), found.count == 1 {
            numbers = found
            self = .initialization(numbers[0])
        } else {
            return nil
        }
    }

    /// The decimal numbers between the two texts, parted by `_`; nil when there is anything else, or a number that
    /// `description` would spell in another way.
    private static func numbers(in text: some StringProtocol, after prefix: String, before suffix: String) -> [Int64]? {
        let text = text.utf8
        guard text.count > prefix.utf8.count + suffix.utf8.count, text.starts(with: prefix.utf8),
            text.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        else { return nil }
        var numbers: [Int64] = []
        var value: Int64 = 0
        var digits = 0
        for byte in text.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count) {
            if byte == UInt8(ascii: "_"), digits > 0, numbers.isEmpty {
                numbers.append(value)
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
        numbers.append(value)
        return numbers
    }
}
