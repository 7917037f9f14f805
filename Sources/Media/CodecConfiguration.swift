import NIOCore

/// What a decoder must know before the first access unit of a track. RTMP carries it as a sequence header, MP4 as a sample
/// description.
public enum CodecConfiguration: Sendable, Hashable, Codable {
    case avc(AVCConfiguration)
    case hevc(HEVCConfiguration)
    case av1(AV1Configuration)
    case vp9(VP9Configuration)
    case aac(AACConfiguration)
    case mp3(MP3Configuration)
    case opus(OpusConfiguration)
    case ac3(AC3Configuration)
    case eac3(EAC3Configuration)
    case flac(FLACConfiguration)

    public var codec: Codec {
        switch self {
        case .avc: .video(.avc)
        case .hevc: .video(.hevc)
        case .av1: .video(.av1)
        case .vp9: .video(.vp9)
        case .aac: .audio(.aac)
        case .mp3: .audio(.mp3)
        case .opus: .audio(.opus)
        case .ac3: .audio(.ac3)
        case .eac3: .audio(.eac3)
        case .flac: .audio(.flac)
        }
    }

    /// The codec's configuration record, as RTMP's sequence header and MP4's sample description carry it; nil for MP3, AC-3 and
    /// Enhanced AC-3, whose frames tell all there is.
    public var record: ByteBuffer? {
        switch self {
        case .avc(let value): value.record
        case .hevc(let value): value.record
        case .av1(let value): value.record
        case .vp9(let value): value.record
        case .aac(let value): value.record
        case .opus(let value): value.record
        case .flac(let value): value.record
        case .mp3, .ac3, .eac3: nil
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
        case .ac3(let value): value.codecString
        case .eac3(let value): value.codecString
        case .flac(let value): value.codecString
        }
    }

    /// Displayed size in pixels, for video whose configuration tells it.
    public var resolution: Resolution? {
        switch self {
        case .avc(let value): value.resolution
        case .hevc(let value): value.resolution
        case .av1(let value): value.resolution
        case .vp9(let value): value.resolution
        case .aac, .mp3, .opus, .ac3, .eac3, .flac: nil
        }
    }

    /// What is known of the colors of video; empty for audio. The codec's own record tells it, and an encoder may announce more
    /// or something else beside it.
    public var color: VideoColor {
        get {
            switch self {
            case .avc(let value): value.color
            case .hevc(let value): value.color
            case .av1(let value): value.color
            case .vp9(let value): value.color
            case .aac, .mp3, .opus, .ac3, .eac3, .flac: VideoColor()
            }
        }
        set {
            switch self {
            case .avc(var value):
                value.color = newValue
                self = .avc(value)
            case .hevc(var value):
                value.color = newValue
                self = .hevc(value)
            case .av1(var value):
                value.color = newValue
                self = .av1(value)
            case .vp9(var value):
                value.color = newValue
                self = .vp9(value)
            case .aac, .mp3, .opus, .ac3, .eac3, .flac: break
            }
        }
    }

    /// Samples a second of audio, and what a container counts its times in; nil for video.
    public var sampleRate: Int? {
        switch self {
        case .aac(let value): value.sampleRate
        case .mp3(let value): value.sampleRate
        case .opus: OpusConfiguration.sampleRate
        case .ac3(let value): value.sampleRate
        case .eac3(let value): value.sampleRate
        case .flac(let value): value.sampleRate
        case .avc, .hevc, .av1, .vp9: nil
        }
    }

    /// Samples of each channel in an access unit of audio, at ``sampleRate``; nil where neither the codec nor the unit's first
    /// bytes say it.
    public func samples(inUnit payload: ByteBuffer) -> Int? {
        switch self {
        case .aac(let value): value.samplesPerFrame
        case .mp3(let value): value.samplesPerFrame
        case .opus: OpusConfiguration.samples(inPacket: payload)
        case .ac3, .eac3: AC3SyncFrame.samples(inUnit: payload)
        case .flac: FLACConfiguration.samples(inFrame: payload)
        case .avc, .hevc, .av1, .vp9: nil
        }
    }

    /// What an access unit says of a codec that has no configuration of its own.
    ///
    /// - Parameter former: what is known of the track.
    /// - Returns: nil when the unit says nothing new, or is of a codec whose configuration comes otherwise.
    /// - Throws: when the unit's head cannot be read.
    public init?(of unit: AccessUnit, after former: CodecConfiguration?) throws(MediaParseError) {
        let told: CodecConfiguration
        switch (unit.codec, former) {
        case (.audio(.mp3), _): told = .mp3(try MP3Configuration(frame: unit.payload))
        case (.audio(.ac3), _):
            let configuration = try AC3Configuration(frame: unit.payload)
            if case .ac3(let known)? = former, known.isContinued(by: configuration) { return nil }
            told = .ac3(configuration)
        case (.audio(.eac3), _):
            let configuration = try EAC3Configuration(frame: unit.payload)
            if case .eac3(let known)? = former, known.isContinued(by: configuration) { return nil }
            told = .eac3(configuration)
        case (.video(.vp9), .vp9(var configuration)?) where unit.isKeyframe:
            // VP9's record does not have the frame's size, its keyframes have.
            configuration.resolution = try VP9KeyframeHeader(frame: unit.payload).resolution
            told = .vp9(configuration)
        default: return nil
        }
        guard told != former else { return nil }
        self = told
    }
}

/// The size of a displayed frame in pixels, after cropping.
public struct Resolution: Sendable, Hashable, Codable {
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
