import NIOCore

/// The fields of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), in the order in which they are read.
struct AudioSpecificConfig {
    static let structure = "AudioSpecificConfig"

    /// ISO/IEC 14496-3 table 1.18; index 15 means that the rate is written in full.
    static let sampleRates = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ]

    /// The channels of channelConfiguration 0 to 14; nil for reserved values.
    private static let channelCounts: [Int?] = [0, 1, 2, 3, 4, 5, 6, 8, nil, nil, nil, 7, 8, 24, 8]

    private(set) var objectType = 0
    private(set) var sampleRate = 0
    private(set) var channels = 0
    private(set) var channelConfiguration = 0
    private(set) var hasSpectralBandReplication = false
    private(set) var hasParametricStereo = false
    private(set) var extensionSampleRate: Int?
    private(set) var samplesPerFrame = 1024
    private(set) var programConfigElement: ByteBuffer?

    init(_ record: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(record, structure: Self.structure)
        objectType = try Self.readObjectType(&reader)
        sampleRate = try Self.readSampleRate(&reader)
        channelConfiguration = Int(try reader.bits(4))
        guard channelConfiguration < Self.channelCounts.count, let count = Self.channelCounts[channelConfiguration]
        else { throw reader.failure("channel configuration \(channelConfiguration)") }
        channels = count
        if objectType == 5 || objectType == 29 {
            hasSpectralBandReplication = true
            hasParametricStereo = objectType == 29
            extensionSampleRate = try Self.readSampleRate(&reader)
            objectType = try Self.readObjectType(&reader)
        }
        switch objectType {
        case 1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23:
            try readGeneralAudio(&reader)
            // An extension that is missing or cut short is no error, since the fields before it are enough to play.
            try? readSyncExtension(&reader)
        case 39:
            samplesPerFrame = try reader.flag() ? 480 : 512
        default:
            // Other coders (ALS, USAC) have fields of their own, which are passed through and not read.
            break
        }
    }

    private static func readObjectType(_ reader: inout BitReader) throws(MediaParseError) -> Int {
        let type = Int(try reader.bits(5))
        let whole = type == 31 ? 32 + Int(try reader.bits(6)) : type
        guard whole > 0 else { throw reader.failure("object type 0") }
        return whole
    }

    private static func readSampleRate(_ reader: inout BitReader) throws(MediaParseError) -> Int {
        let index = Int(try reader.bits(4))
        let rate = index == 15 ? Int(try reader.bits(24)) : index < sampleRates.count ? sampleRates[index] : 0
        guard rate > 0 else { throw reader.failure("sample rate index \(index)") }
        return rate
    }

    /// GASpecificConfig (§4.4.1).
    private mutating func readGeneralAudio(_ reader: inout BitReader) throws(MediaParseError) {
        let isShort = try reader.flag()
        if objectType == 23 {
            samplesPerFrame = isShort ? 480 : 512
        } else {
            samplesPerFrame = isShort ? 960 : 1024
        }
        if try reader.flag() {
            try reader.skip(14)
        }
        let hasExtension = try reader.flag()
        if channelConfiguration == 0 {
            let element = try AACProgramConfigElement(&reader)
            channels = element.channels
            programConfigElement = element.bytes
        }
        if objectType == 6 || objectType == 20 {
            try reader.skip(3)
        }
        if hasExtension {
            switch objectType {
            case 22: try reader.skip(5 + 11)
            case 17, 19, 20, 23: try reader.skip(3)
            default: break
            }
            try reader.skip(1)
        }
    }

    /// The backward compatible signalling behind the core's fields, found by its sync word (§1.6.6.2).
    private mutating func readSyncExtension(_ reader: inout BitReader) throws(MediaParseError) {
        guard !hasSpectralBandReplication, reader.bitsRemaining >= 16, try reader.bits(11) == 0x2B7,
            try Self.readObjectType(&reader) == 5, try reader.flag()
        else { return }
        let rate = try Self.readSampleRate(&reader)
        hasSpectralBandReplication = true
        extensionSampleRate = rate
        if reader.bitsRemaining >= 12, try reader.bits(11) == 0x548 {
            hasParametricStereo = try reader.flag()
        }
    }
}
