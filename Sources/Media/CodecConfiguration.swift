import NIOCore

/// What a decoder must know before the first access unit of a track. RTMP carries it as a sequence header, MP4 as a sample
/// description.
public enum CodecConfiguration: Sendable, Hashable {
    case avc(AVCConfiguration)
    case hevc(HEVCConfiguration)
    case av1(AV1Configuration)
    case vp9(VP9Configuration)
    case aac(AACConfiguration)
    case mp3(MP3Configuration)
    case opus(OpusConfiguration)

    public var codec: Codec {
        switch self {
        case .avc: .video(.avc)
        case .hevc: .video(.hevc)
        case .av1: .video(.av1)
        case .vp9: .video(.vp9)
        case .aac: .audio(.aac)
        case .mp3: .audio(.mp3)
        case .opus: .audio(.opus)
        }
    }

    /// The codec's configuration record, as RTMP's sequence header and MP4's sample description carry it; nil for MP3, whose
    /// frames tell all there is.
    public var record: ByteBuffer? {
        switch self {
        case .avc(let value): value.record
        case .hevc(let value): value.record
        case .av1(let value): value.record
        case .vp9(let value): value.record
        case .aac(let value): value.record
        case .opus(let value): value.record
        case .mp3: nil
        }
    }

    /// The RFC 6381 name for HLS's `CODECS` and a page's MediaSource, such as `avc1.42801e` or `mp4a.40.2`.
    public var codecString: String {
        switch self {
        case .avc(let value): value.codecString
        case .hevc(let value): value.codecString
        case .av1(let value): value.codecString
        case .vp9(let value): value.codecString
        case .aac(let value): value.codecString
        case .mp3(let value): value.codecString
        case .opus(let value): value.codecString
        }
    }

    /// Displayed size in pixels, for video whose configuration tells it.
    public var resolution: Resolution? {
        switch self {
        case .avc(let value): value.resolution
        case .hevc(let value): value.resolution
        case .av1(let value): value.resolution
        case .vp9(let value): value.resolution
        case .aac, .mp3, .opus: nil
        }
    }
}

/// The size of a displayed frame in pixels, after cropping.
public struct Resolution: Sendable, Hashable {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }
}

/// Why a codec's header could not be read: which structure it was, and what is wrong with it.
public struct MediaParseError: Error, Sendable, Hashable, CustomStringConvertible {
    public var structure: String
    public var reason: String

    public init(_ structure: String, _ reason: String) {
        self.structure = structure
        self.reason = reason
    }

    public var description: String {
        "\(structure): \(reason)"
    }
}
