import Media
import NIOCore

/// What the tags of audio and of video have in common.
public protocol MediaTag {
    var trackID: UInt8 { get }
    var role: TagRole { get }
    func codecConfiguration() throws(MediaParseError) -> CodecConfiguration?
    func accessUnit(decodeTime: MediaTime) -> AccessUnit?
    /// What a ``TagRole/metadata`` says of colors: empty takes back what was said before; nil when it says nothing of them.
    var announcedColor: VideoColor? { get }
}

/// What a tag is for, whatever its codec.
public enum TagRole: Sendable, Hashable {
    /// What a decoder must know before the first frame.
    case header
    /// Describes the frames from here on, and holds until the next one.
    case metadata
    case frames
    /// Ends of sequence, commands.
    case other
}

extension VideoTag: MediaTag {
    public var role: TagRole {
        switch content {
        case .sequenceHeader, .mpeg2TSSequenceHeader: .header
        case .metadata: .metadata
        case .codedFrames: .frames
        case .endOfSequence, .command: .other
        }
    }

    /// What a decoder must know, when this is a sequence header.
    /// - Returns: nil for other contents and for VP8, which has no configuration.
    /// - Throws: when the record does not parse.
    public func codecConfiguration() throws(MediaParseError) -> CodecConfiguration? {
        guard case .sequenceHeader(let record) = content else { return nil }
        switch codec {
        case .avc: return .avc(try AVCConfiguration(record: record))
        case .hevc: return .hevc(try HEVCConfiguration(record: record))
        case .av1: return .av1(try AV1Configuration(record: record))
        case .vp9: return .vp9(try VP9Configuration(record: record))
        case .vp8: return nil
        }
    }

    /// The coded frame, when this is one.
    /// - Parameter decodeTime: the message's timestamp, unwrapped; the tag's nanoseconds are added.
    public func accessUnit(decodeTime: MediaTime) -> AccessUnit? {
        guard case .codedFrames(let payload, let offset) = content, payload.readableBytes > 0 else { return nil }
        return AccessUnit(
            track: TrackID(.video, number: trackID), codec: .video(codec),
            decodeTime: decodeTime + MediaTime(nanoseconds: nanosecondOffset),
            compositionOffset: MediaTime(milliseconds: Int64(offset)), isKeyframe: isKeyframe, payload: payload)
    }
}

extension AudioTag: MediaTag {
    public var role: TagRole {
        switch content {
        case .sequenceHeader: .header
        case .multichannelConfiguration: .metadata
        case .codedFrames: .frames
        case .endOfSequence: .other
        }
    }

    /// What a decoder must know, when this is a sequence header.
    /// - Returns: nil for other contents, and for MP3, AC-3 and Enhanced AC-3, whose frames tell it.
    /// - Throws: when the record does not parse.
    public func codecConfiguration() throws(MediaParseError) -> CodecConfiguration? {
        switch (codec, content) {
        case (.aac, .sequenceHeader(let record)): .aac(try AACConfiguration(record: record))
        case (.opus, .sequenceHeader(let record)): .opus(try OpusConfiguration(record: record))
        case (.flac, .sequenceHeader(let record)): .flac(try FLACConfiguration(record: record))
        default: nil
        }
    }

    /// The coded frame, when this is one.
    /// - Parameter decodeTime: the message's timestamp, unwrapped; the tag's nanoseconds are added.
    public func accessUnit(decodeTime: MediaTime) -> AccessUnit? {
        guard case .codedFrames(let payload) = content, payload.readableBytes > 0 else { return nil }
        return AccessUnit(
            track: TrackID(.audio, number: trackID), codec: .audio(codec),
            decodeTime: decodeTime + MediaTime(nanoseconds: nanosecondOffset), isKeyframe: true, payload: payload)
    }

    public var announcedColor: VideoColor? { nil }
}
