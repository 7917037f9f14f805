import NIOCore

/// The head of a sync frame of AC-3 or Enhanced AC-3 (ETSI TS 102 366 §4.3 and annex E), which says all that a decoder must know.
struct AC3SyncFrame {
    static let structure = "AC-3 sync frame"
    /// Kilobits a second by AC-3's frmsizecod, halved.
    private static let bitRates = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
    ]
    private static let sampleRates = [48_000, 44_100, 32_000]
    /// Channels by acmod, low frequencies left out.
    private static let channelCounts = [2, 1, 2, 3, 3, 4, 4, 5]

    /// Enhanced AC-3: bsid over 10.
    let isEnhanced: Bool
    /// 0 an independent substream, 1 one that depends on the independent one before it, 2 an independent one of AC-3's own origin.
    private(set) var streamType: UInt8 = 0
    private(set) var substream: UInt8 = 0
    /// Bytes of the frame, this head included.
    let length: Int
    let sampleRate: Int
    /// Samples of each channel: 1536, or 256, 512 or 768.
    let samples: Int
    /// fscod, bsid, bsmod, acmod and lfeon as they stand in the frame. Enhanced AC-3 has bsmod behind fields that are not read
    /// here; it counts as 0, the main service, as when it is not said.
    let sampleRateCode: UInt8
    let identification: UInt8
    private(set) var serviceMode: UInt8 = 0
    let channelMode: UInt8
    let hasLowFrequencies: Bool
    /// frmsizecod, halved; AC-3 only.
    private(set) var bitRateCode: UInt8 = 0
    /// chanmap: which channels a dependent substream has, when it says so.
    private(set) var channelMap: UInt16?

    var channels: Int {
        Self.channelCounts[Int(channelMode)] + (hasLowFrequencies ? 1 : 0)
    }

    var isIndependent: Bool {
        streamType != 1
    }

    /// Reads the head at the beginning of `bytes`.
    ///
    /// - Throws: when there is none, or it is cut short, or it has a reserved value.
    init(_ bytes: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(bytes, structure: Self.structure)
        guard try reader.bits(16) == 0x0B77 else { throw reader.failure("no sync word") }
        // Both kinds have bsid in the sixth byte.
        guard let sixth = bytes.getInteger(at: bytes.readerIndex + 5, as: UInt8.self) else {
            throw reader.failure("ends too early")
        }
        identification = sixth >> 3
        isEnhanced = identification > 10
        guard identification <= 8 || (11...16).contains(identification) else {
            throw reader.failure("bsid \(identification)")
        }
        guard isEnhanced else {
            try reader.skip(16)
            let code = UInt8(try reader.bits(2))
            guard code < 3 else { throw reader.failure("a reserved sample rate") }
            let sizeCode = Int(try reader.bits(6))
            guard sizeCode < 2 * Self.bitRates.count else { throw reader.failure("frame size code \(sizeCode)") }
            sampleRateCode = code
            sampleRate = Self.sampleRates[Int(code)]
            bitRateCode = UInt8(sizeCode / 2)
            length = Self.length(bitRate: Self.bitRates[sizeCode / 2], code: code, isOdd: sizeCode % 2 == 1)
            samples = 1536
            try reader.skip(5)
            serviceMode = UInt8(try reader.bits(3))
            channelMode = UInt8(try reader.bits(3))
            // cmixlev, surmixlev, dsurmod.
            if channelMode & 1 == 1, channelMode != 1 { try reader.skip(2) }
            if channelMode & 4 == 4 { try reader.skip(2) }
            if channelMode == 2 { try reader.skip(2) }
            hasLowFrequencies = try reader.flag()
            return
        }
        streamType = UInt8(try reader.bits(2))
        guard streamType < 3 else { throw reader.failure("a reserved stream type") }
        substream = UInt8(try reader.bits(3))
        length = (Int(try reader.bits(11)) + 1) * 2
        sampleRateCode = UInt8(try reader.bits(2))
        let second = Int(try reader.bits(2))
        if sampleRateCode == 3 {
            guard second < 3 else { throw reader.failure("a reserved sample rate") }
            sampleRate = Self.sampleRates[second] / 2
            samples = 1536
        } else {
            sampleRate = Self.sampleRates[Int(sampleRateCode)]
            samples = [256, 512, 768, 1536][second]
        }
        channelMode = UInt8(try reader.bits(3))
        hasLowFrequencies = try reader.flag()
        try reader.skip(5)
        for _ in 0..<(channelMode == 0 ? 2 : 1) {
            // dialnorm, compr.
            try reader.skip(5)
            if try reader.flag() { try reader.skip(8) }
        }
        if streamType == 1, try reader.flag() {
            channelMap = UInt16(try reader.bits(16))
        }
    }

    /// Kilobits a second to bytes, in words of 16 bits; at 44.1 kHz every other frame is a word longer.
    private static func length(bitRate: Int, code: UInt8, isOdd: Bool) -> Int {
        switch code {
        case 0: bitRate * 4
        case 2: bitRate * 6
        default: (bitRate * 320 / 147 + (isOdd ? 1 : 0)) * 2
        }
    }

    /// Samples of each channel in an access unit, which is one sync frame or several: those of its first independent substream.
    /// Nil when none can be read.
    static func samples(inUnit unit: ByteBuffer) -> Int? {
        var total = 0
        var rest = unit
        while let frame = try? AC3SyncFrame(rest) {
            if frame.isIndependent, frame.substream == 0 { total += frame.samples }
            guard frame.length > 0, rest.readSlice(length: frame.length) != nil, rest.readableBytes > 0 else { break }
        }
        return total > 0 ? total : nil
    }
}
