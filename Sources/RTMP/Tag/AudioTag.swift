import Media
import NIOCore

/// The body of an audio message, taken apart: FLV's AUDIODATA with AAC or MP3, and enhanced RTMP v2. Payloads are
/// slices of the message.
public struct AudioTag: Sendable, Hashable {
    /// What the message holds.
    public enum Content: Sendable, Hashable {
        /// The codec's configuration: AudioSpecificConfig, OpusHead or FLAC's STREAMINFO.
        case sequenceHeader(ByteBuffer)
        /// One coded frame (MP3: whole frames with their headers).
        case codedFrames(ByteBuffer)
        case endOfSequence
        /// The order of the channels, when it is not the codec's own (AudioPacketType.MultichannelConfig). It holds for the
        /// frames from here on.
        case multichannelConfiguration(ByteBuffer)
    }

    public var codec: AudioCodec
    public var content: Content
    /// Added to the message's timestamp, in nanoseconds (0…999,999).
    public var nanosecondOffset: Int64 = 0
    /// Which track of its kind it belongs to (enhanced RTMP v2 multitrack). 0 is the default track, and the only one of
    /// messages without track ids.
    public var trackID: UInt8 = 0

    /// Reads an audio message's body.
    /// - Throws: `malformedTag` when it ends early, has an unknown packet type or holds several tracks, which sessions take
    ///   apart before; `unsupportedCodec` for codecs not carried.
    public static func parse(_ body: ByteBuffer) throws(RTMPError) -> AudioTag {
        var reader = TagReader(buffer: body, what: "An audio")
        let first = try reader.byte()
        switch first >> 4 {
        case 2, 14:
            return AudioTag(codec: .mp3, content: .codedFrames(reader.buffer))
        case 9:
            return try enhanced(first, &reader)
        case 10:
            switch try reader.byte() {
            case 0: return AudioTag(codec: .aac, content: .sequenceHeader(reader.buffer))
            case 1: return AudioTag(codec: .aac, content: .codedFrames(reader.buffer))
            case let type: throw RTMPError(.malformedTag, "Unknown audio packet type \(type).")
            }
        case let id:
            throw RTMPError(.unsupportedCodec, "Audio codec id \(id)\(legacyName(id)) is not carried.")
        }
    }

    private static func enhanced(_ first: UInt8, _ reader: inout TagReader) throws(RTMPError) -> AudioTag {
        var (packetType, nanoseconds) = try reader.modifiers(first & 0x0F, modEx: 7)
        let track = try reader.track(&packetType, isMultitrack: packetType == 5)
        guard let codec = track.codec.audioCodec else {
            throw RTMPError(.unsupportedCodec, "Audio codec \(track.codec) is not carried.")
        }
        let content: Content
        switch packetType {
        case 0: content = .sequenceHeader(track.payload)
        case 1: content = .codedFrames(track.payload)
        case 2: content = .endOfSequence
        case 4: content = .multichannelConfiguration(track.payload)
        default: throw RTMPError(.malformedTag, "Unknown audio packet type \(packetType).")
        }
        return AudioTag(codec: codec, content: content, nanosecondOffset: nanoseconds, trackID: track.id)
    }

    private static func legacyName(_ id: UInt8) -> String {
        switch id {
        case 0, 3: " (PCM)"
        case 1: " (ADPCM)"
        case 4, 5, 6: " (Nellymoser)"
        case 7, 8: " (G.711)"
        case 11: " (Speex)"
        default: ""
        }
    }
}
