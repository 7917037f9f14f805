import Media
import NIOCore

/// A four-character codec name of enhanced RTMP.
public struct FourCC: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// - Parameter text: exactly four ASCII characters; anything else is padded or cut.
    init(_ text: StaticString) {
        rawValue = text.withUTF8Buffer { bytes in
            bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
    }

    public init(_ codec: VideoCodec) {
        self =
            switch codec {
            case .avc: FourCC("avc1")
            case .hevc: FourCC("hvc1")
            case .av1: FourCC("av01")
            case .vp9: FourCC("vp09")
            case .vp8: FourCC("vp08")
            }
    }

    public init(_ codec: AudioCodec) {
        self =
            switch codec {
            case .aac: FourCC("mp4a")
            case .mp3: FourCC(".mp3")
            case .opus: FourCC("Opus")
            case .ac3: FourCC("ac-3")
            case .eac3: FourCC("ec-3")
            case .flac: FourCC("fLaC")
            }
    }

    public var videoCodec: VideoCodec? {
        VideoCodec.allCases.first { FourCC($0) == self }
    }

    public var audioCodec: AudioCodec? {
        AudioCodec.allCases.first { FourCC($0) == self }
    }

    public var description: String {
        String(
            decoding: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: rawValue >> UInt32($0)) }
                .map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
