import NIOCore

/// What a packager needs of H.264's sequence parameter set (ISO/IEC 14496-10 §7.3.2.1.1 and annex E).
public struct AVCSequenceParameterSet: Sendable, Hashable {
    public let profile: UInt8
    public let compatibility: UInt8
    public let level: UInt8
    /// 0 to 31.
    public let identifier: UInt32
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    public let chromaFormat: UInt32
    /// 8 to 14.
    public let lumaBitDepth: UInt32
    /// 8 to 14.
    public let chromaBitDepth: UInt32
    /// False when coded pictures may be fields of interlaced video.
    public let framesOnly: Bool
    /// The size after cropping.
    public let resolution: Resolution
    /// Frames a second, by `time_scale / (2 × num_units_in_tick)`; nil without timing information.
    public let frameRate: Double?
    /// Empty without video usability information.
    public let color: VideoColor

    /// The profiles whose parameter sets and configuration records have fields for the chroma format and the bit depth.
    private static let profilesWithChroma: Set<UInt8> = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]

    var hasChromaFields: Bool {
        Self.profilesWithChroma.contains(profile)
    }

    /// - Parameter nalUnit: header included, emulation prevention in place.
    public init(nalUnit: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(unescaping: nalUnit, structure: "H.264 sequence parameter set")
        guard AVCNALUnitType(header: UInt8(try reader.bits(8))) == .sequenceParameterSet else {
            throw reader.failure("another NAL unit type")
        }
        profile = UInt8(try reader.bits(8))
        compatibility = UInt8(try reader.bits(8))
        level = UInt8(try reader.bits(8))
        identifier = try reader.unsignedGolomb()
        guard identifier < 32 else { throw reader.failure("identifier \(identifier) is over 31") }

        var chroma: UInt32 = 1
        var separatePlanes = false
        var depths: (luma: UInt32, chroma: UInt32) = (8, 8)
        if Self.profilesWithChroma.contains(profile) {
            chroma = try reader.unsignedGolomb()
            guard chroma <= 3 else { throw reader.failure("chroma format \(chroma)") }
            if chroma == 3 {
                separatePlanes = try reader.flag()
            }
            let luma = try reader.unsignedGolomb()
            let colour = try reader.unsignedGolomb()
            guard luma <= 6, colour <= 6 else { throw reader.failure("bit depth over 14") }
            depths = (8 + luma, 8 + colour)
            _ = try reader.flag()
            if try reader.flag() {
                for list in 0..<(chroma == 3 ? 12 : 8) where try reader.flag() {
                    try Self.skipScalingList(&reader, size: list < 6 ? 16 : 64)
                }
            }
        }
        chromaFormat = chroma
        lumaBitDepth = depths.luma
        chromaBitDepth = depths.chroma

        try Self.skipOrderCount(&reader)
        _ = try reader.unsignedGolomb()
        _ = try reader.flag()
        let size = try Self.readSize(&reader, chromaArray: separatePlanes ? 0 : chroma)
        framesOnly = size.framesOnly
        resolution = size.resolution
        guard try reader.flag() else {
            frameRate = nil
            color = VideoColor()
            return
        }
        (color, frameRate) = try Self.readUsability(&reader)
    }

    private static func skipScalingList(_ reader: inout BitReader, size: Int) throws(MediaParseError) {
        var last: Int32 = 8
        var next: Int32 = 8
        for _ in 0..<size {
            if next != 0 {
                let delta = try reader.signedGolomb()
                next = (last &+ delta &+ 256) & 0xFF
            }
            last = next == 0 ? last : next
        }
    }

    private static func skipOrderCount(_ reader: inout BitReader) throws(MediaParseError) {
        _ = try reader.unsignedGolomb()
        switch try reader.unsignedGolomb() {
        case 0:
            _ = try reader.unsignedGolomb()
        case 1:
            _ = try reader.flag()
            _ = try reader.signedGolomb()
            _ = try reader.signedGolomb()
            let cycle = try reader.unsignedGolomb()
            guard cycle <= 255 else { throw reader.failure("an order count cycle over 255") }
            for _ in 0..<cycle {
                _ = try reader.signedGolomb()
            }
        case 2: break
        default: throw reader.failure("an order count type over 2")
        }
    }

    private static func readSize(
        _ reader: inout BitReader, chromaArray: UInt32
    ) throws(MediaParseError) -> (framesOnly: Bool, resolution: Resolution) {
        let columns = try reader.unsignedGolomb()
        let rows = try reader.unsignedGolomb()
        // The bound is far above any level's limit (1,055 macroblocks a side in level 6.2), and small enough that the arithmetic
        // below cannot overflow.
        guard columns < 4096, rows < 4096 else { throw reader.failure("a picture over 65,536 pixels a side") }
        let framesOnly = try reader.flag()
        if !framesOnly {
            _ = try reader.flag()
        }
        _ = try reader.flag()
        let fieldFactor = framesOnly ? 1 : 2
        var width = Int(columns + 1) * 16
        var height = Int(rows + 1) * 16 * fieldFactor
        if try reader.flag() {
            let horizontal = chromaArray == 1 || chromaArray == 2 ? 2 : 1
            let vertical = (chromaArray == 1 ? 2 : 1) * fieldFactor
            let left = Int(try reader.unsignedGolomb())
            let right = Int(try reader.unsignedGolomb())
            let top = Int(try reader.unsignedGolomb())
            let bottom = Int(try reader.unsignedGolomb())
            width -= (left + right) * horizontal
            height -= (top + bottom) * vertical
        }
        guard width > 0, height > 0 else { throw reader.failure("cropping leaves no picture") }
        return (framesOnly, Resolution(width: width, height: height))
    }

    /// The beginning of vui_parameters (annex E.1.1).
    private static func readUsability(
        _ reader: inout BitReader
    ) throws(MediaParseError) -> (color: VideoColor, frameRate: Double?) {
        if try reader.flag(), try reader.bits(8) == 255 {
            try reader.skip(32)
        }
        if try reader.flag() {
            _ = try reader.flag()
        }
        let color = try VideoColor(signalType: &reader)
        if try reader.flag() {
            _ = try reader.unsignedGolomb()
            _ = try reader.unsignedGolomb()
        }
        guard try reader.flag() else { return (color, nil) }
        let unitsInTick = try reader.bits(32)
        let timeScale = try reader.bits(32)
        guard unitsInTick > 0, timeScale > 0 else { return (color, nil) }
        return (color, Double(timeScale) / (2 * Double(unitsInTick)))
    }
}
