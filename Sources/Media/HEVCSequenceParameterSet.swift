import NIOCore

/// What a packager needs of H.265's sequence parameter set (ITU-T H.265 §7.3.2.2).
public struct HEVCSequenceParameterSet: Sendable, Hashable {
    public let profile: HEVCProfile
    /// 0 to 15.
    public let identifier: UInt32
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    public let chromaFormat: UInt32
    /// 8 to 16.
    public let lumaBitDepth: UInt32
    /// 8 to 16.
    public let chromaBitDepth: UInt32
    /// The size inside the conformance window.
    public let resolution: Resolution

    /// - Parameter nalUnit: header included, emulation prevention in place.
    public init(nalUnit: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(unescaping: nalUnit, structure: "H.265 sequence parameter set")
        guard HEVCNALUnitType(header: UInt8(try reader.bits(8))) == .sequenceParameterSet else {
            throw reader.failure("another NAL unit type")
        }
        try reader.skip(8 + 4)
        let subLayers = Int(try reader.bits(3))
        _ = try reader.flag()
        profile = try HEVCProfile(&reader)
        try Self.skipSubLayers(&reader, count: subLayers)
        identifier = try reader.unsignedGolomb()
        guard identifier < 16 else { throw reader.failure("identifier \(identifier) is over 15") }
        chromaFormat = try reader.unsignedGolomb()
        guard chromaFormat <= 3 else { throw reader.failure("chroma format \(chromaFormat)") }
        let separatePlanes = chromaFormat == 3 ? try reader.flag() : false
        var width = Int(try reader.unsignedGolomb())
        var height = Int(try reader.unsignedGolomb())
        if try reader.flag() {
            let sampled = separatePlanes ? 0 : chromaFormat
            let horizontal = sampled == 1 || sampled == 2 ? 2 : 1
            let vertical = sampled == 1 ? 2 : 1
            let left = Int(try reader.unsignedGolomb())
            let right = Int(try reader.unsignedGolomb())
            let top = Int(try reader.unsignedGolomb())
            let bottom = Int(try reader.unsignedGolomb())
            width -= (left + right) * horizontal
            height -= (top + bottom) * vertical
        }
        guard width > 0, height > 0, width <= 65_536, height <= 65_536 else {
            throw reader.failure("a picture of \(width)×\(height)")
        }
        resolution = Resolution(width: width, height: height)
        let luma = try reader.unsignedGolomb()
        let chroma = try reader.unsignedGolomb()
        guard luma <= 8, chroma <= 8 else { throw reader.failure("bit depth over 16") }
        lumaBitDepth = 8 + luma
        chromaBitDepth = 8 + chroma
    }

    private static func skipSubLayers(_ reader: inout BitReader, count: Int) throws(MediaParseError) {
        guard count > 0 else { return }
        var present: [(profile: Bool, level: Bool)] = []
        for _ in 0..<count {
            let profile = try reader.flag()
            present.append((profile, try reader.flag()))
        }
        try reader.skip(2 * (8 - count))
        for layer in present {
            try reader.skip((layer.profile ? 88 : 0) + (layer.level ? 8 : 0))
        }
    }
}
