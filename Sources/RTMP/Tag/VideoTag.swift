import Media
import NIOCore

/// The body of a video message, taken apart: FLV's VIDEODATA with AVC (codec id 7) or the HEVC (id 12) that Chinese
/// encoders use, and enhanced RTMP v1 and v2. Payloads are slices of the message.
public struct VideoTag: Sendable, Hashable {
    /// What the message holds.
    public enum Content: Sendable, Hashable {
        /// The codec's configuration record: avcC, hvcC, av1C or vpcC without box header.
        case sequenceHeader(ByteBuffer)
        /// One access unit, and presentation minus decode time in milliseconds (−8,388,608…8,388,607).
        case codedFrames(ByteBuffer, compositionOffset: Int32)
        /// No more pictures follow.
        case endOfSequence
        /// AMF that describes the picture, such as HDR's `colorInfo`.
        case metadata(ByteBuffer)
        /// AV1 in an MPEG-2 TS descriptor.
        case mpeg2TSSequenceHeader(ByteBuffer)
        /// A frame without picture: 0 begins, 1 ends a client-side seek.
        case command(UInt8)
    }

    public var codec: VideoCodec
    /// A picture decoding may start at. False for contents other than coded frames.
    public var isKeyframe: Bool
    public var content: Content
    /// Added to the message's timestamp, in nanoseconds (0…999,999).
    public var nanosecondOffset: Int64
    /// Set when it came in a multitrack message.
    public var track: TrackSelection?

    /// Reads a video message's body.
    /// - Throws: `malformedTag` when it ends early or has an unknown packet type, `unsupportedCodec` for codecs not
    ///   carried.
    public static func parse(_ body: ByteBuffer) throws(RTMPError) -> VideoTag {
        var reader = TagReader(buffer: body, what: "A video")
        let first = try reader.byte()
        return first & 0x80 == 0 ? try legacy(first, &reader) : try enhanced(first, &reader)
    }

    private static func legacy(_ first: UInt8, _ reader: inout TagReader) throws(RTMPError) -> VideoTag {
        let codec: VideoCodec
        switch first & 0x0F {
        case 7: codec = .avc
        case 12: codec = .hevc
        case let id: throw RTMPError(.unsupportedCodec, "Video codec id \(id)\(legacyName(id)) is not carried.")
        }
        let frameType = first >> 4
        if frameType == 5 {
            return VideoTag(codec, .command(try reader.byte()))
        }
        let packetType = try reader.byte()
        let offset = try reader.signed24()
        switch packetType {
        case 0: return VideoTag(codec, .sequenceHeader(reader.buffer))
        case 1: return VideoTag(codec, .codedFrames(reader.buffer, compositionOffset: offset), frameType: frameType)
        case 2: return VideoTag(codec, .endOfSequence)
        default: throw RTMPError(.malformedTag, "Unknown video packet type \(packetType).")
        }
    }

    private static func enhanced(_ first: UInt8, _ reader: inout TagReader) throws(RTMPError) -> VideoTag {
        let frameType = first >> 4 & 0x07
        var (packetType, nanoseconds) = try reader.modifiers(first & 0x0F, modEx: 7)
        var command: UInt8?
        if packetType != 4, frameType == 5 {
            command = try reader.byte()
        }
        var track: TrackSelection?
        let codec: FourCC
        if packetType == 6, command == nil {
            let types = try reader.byte()
            packetType = types & 0x0F
            let shared = types >> 4 == 2 ? nil : try reader.fourCC()
            let selection: TrackSelection
            (codec, reader.buffer, selection) = try reader.multitrack(type: types >> 4, codec: shared)
            track = selection
        } else {
            // Command frames may stop before the codec.
            codec = command != nil && reader.buffer.readableBytes < 4 ? FourCC(.avc) : try reader.fourCC()
        }
        guard let videoCodec = codec.videoCodec else {
            throw RTMPError(.unsupportedCodec, "Video codec \(codec) is not carried.")
        }
        let content =
            if let command { Content.command(command) } else {
                try enhancedContent(packetType, videoCodec, &reader)
            }
        var tag = VideoTag(videoCodec, content, frameType: frameType)
        tag.nanosecondOffset = nanoseconds
        tag.track = track
        return tag
    }

    private static func enhancedContent(
        _ packetType: UInt8, _ codec: VideoCodec, _ reader: inout TagReader
    ) throws(RTMPError) -> Content {
        switch packetType {
        case 0: return .sequenceHeader(reader.buffer)
        case 1:
            let offset = codec == .avc || codec == .hevc ? try reader.signed24() : 0
            return .codedFrames(reader.buffer, compositionOffset: offset)
        case 2: return .endOfSequence
        case 3: return .codedFrames(reader.buffer, compositionOffset: 0)
        case 4: return .metadata(reader.buffer)
        case 5: return .mpeg2TSSequenceHeader(reader.buffer)
        default: throw RTMPError(.malformedTag, "Unknown video packet type \(packetType).")
        }
    }

    private static func legacyName(_ id: UInt8) -> String {
        switch id {
        case 2: " (Sorenson H.263)"
        case 3: " (Screen video)"
        case 4, 5: " (VP6)"
        case 6: " (Screen video 2)"
        default: ""
        }
    }

    private init(_ codec: VideoCodec, _ content: Content, frameType: UInt8 = 0) {
        self.codec = codec
        self.content = content
        nanosecondOffset = 0
        track = nil
        // 1 is a keyframe, 4 one that a server made.
        if case .codedFrames = content { isKeyframe = frameType == 1 || frameType == 4 } else { isKeyframe = false }
    }
}
