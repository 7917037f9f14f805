import Media
import NIOCore

/// How a codec is announced in the program map: stream_type and descriptors (ISO/IEC 13818-1 table 2-34).
enum StreamMapping {
    static let mpeg1Audio: UInt8 = 0x03
    static let mpeg2Audio: UInt8 = 0x04
    static let privateData: UInt8 = 0x06
    static let adtsAAC: UInt8 = 0x0F
    static let avc: UInt8 = 0x1B
    static let hevc: UInt8 = 0x24
    /// ATSC A/53 part 3 §6.7 and annex G; HLS names them so, too.
    static let ac3: UInt8 = 0x81
    static let eac3: UInt8 = 0x87

    static let registrationTag: UInt8 = 0x05
    static let extensionTag: UInt8 = 0x7F
    static let opusRegistration: [UInt8] = [0x4F, 0x70, 0x75, 0x73]

    /// Why MPEG-TS cannot carry this configuration; nil when it can.
    static func reasonAgainst(_ configuration: CodecConfiguration) -> String? {
        switch configuration {
        case .avc, .hevc, .mp3, .ac3, .eac3: nil
        case .av1, .vp9, .flac: "there is no mapping for it"
        case .aac(let value): value.reasonAgainstADTS
        case .opus(let value):
            OpusMapping.channelCode(value) == nil ? "its channel mapping is not one of the standard ones" : nil
        }
    }

    static func streamType(_ configuration: CodecConfiguration) -> UInt8 {
        switch configuration {
        case .avc: avc
        case .hevc: hevc
        case .aac: adtsAAC
        case .mp3(let value): value.samplesPerFrame == 1152 ? mpeg1Audio : mpeg2Audio
        case .ac3: ac3
        case .eac3: eac3
        case .opus, .av1, .vp9, .flac: privateData
        }
    }

    static func descriptors(_ configuration: CodecConfiguration) -> [UInt8] {
        switch configuration {
        case .hevc: [registrationTag, 4, 0x48, 0x45, 0x56, 0x43]
        case .opus(let value):
            [registrationTag, 4] + opusRegistration
                + [extensionTag, 2, OpusMapping.extensionDescriptor, OpusMapping.channelCode(value) ?? 0]
        case .ac3: [registrationTag, 4] + "AC-3".utf8
        case .eac3: [registrationTag, 4] + "EAC3".utf8
        case .avc, .aac, .mp3, .av1, .vp9, .flac: []
        }
    }
}
