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
        /// No more frames follow in this sequence.
        case endOfSequence
        /// AMF that describes the frames from here on (VideoPacketType.Metadata), such as HDR's `colorInfo`. Encoders send it
        /// once, before the first keyframe it holds for.
        case metadata(ByteBuffer)
        /// AV1 in an MPEG-2 TS descriptor.
        case mpeg2TSSequenceHeader(ByteBuffer)
        /// A frame without video: 0 begins, 1 ends a client-side seek.
        case command(UInt8)
    }

    public var codec: VideoCodec
    /// A frame that decoding may start at. False for contents other than coded frames.
    public var isKeyframe: Bool
    public var content: Content
    /// Added to the message's timestamp, in nanoseconds (0…999,999).
    public var nanosecondOffset: Int64
    /// Which track of its kind it belongs to (enhanced RTMP v2 multitrack). 0 is the default track, and the only one of
    /// messages without track ids.
    public var trackID: UInt8

    /// Reads a video message's body.
    /// - Throws: `malformedTag` when it ends early, has an unknown packet type or holds several tracks, which sessions take
    ///   apart before; `unsupportedCodec` for codecs not carried.
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
        if let command {
            // Command frames may stop before the codec.
            let codec = reader.buffer.readableBytes < 4 ? FourCC(.avc) : try reader.fourCC()
            var tag = VideoTag(try carried(codec), .command(command))
            tag.nanosecondOffset = nanoseconds
            return tag
        }
        let track = try reader.track(&packetType, isMultitrack: packetType == 6)
        let codec = try carried(track.codec)
        var content = TagReader(buffer: track.payload, what: reader.what)
        var tag = VideoTag(codec, try enhancedContent(packetType, codec, &content), frameType: frameType)
        tag.nanosecondOffset = nanoseconds
        tag.trackID = track.id
        return tag
    }

    private static func carried(_ codec: FourCC) throws(RTMPError) -> VideoCodec {
        guard let codec = codec.videoCodec else {
            throw RTMPError(.unsupportedCodec, "Video codec \(codec) is not carried.")
        }
        return codec
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
        trackID = 0
        // 1 is a keyframe, 4 one that a server made.
        if case .codedFrames = content { isKeyframe = frameType == 1 || frameType == 4 } else { isKeyframe = false }
    }
}
