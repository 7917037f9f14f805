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
    /// Empty without video usability information, or where that cannot be reached.
    public let color: VideoColor

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
        // What stands between is of no use here, and a stream whose set is wrong there may still play.
        color = (try? Self.readColor(&reader, subLayers: subLayers)) ?? VideoColor()
    }

    /// From log2_max_pic_order_cnt_lsb_minus4 to the video usability information's video_signal_type.
    private static func readColor(_ reader: inout BitReader, subLayers: Int) throws(MediaParseError) -> VideoColor {
        let orderCountBits = Int(min(try reader.unsignedGolomb(), 12)) + 4
        for _ in (try reader.flag() ? 0 : subLayers)...subLayers {
            for _ in 0..<3 { _ = try reader.unsignedGolomb() }
        }
        // Sizes of coding and transform blocks, depths of the hierarchies.
        for _ in 0..<6 { _ = try reader.unsignedGolomb() }
        if try reader.flag(), try reader.flag() { try skipScalingLists(&reader) }
        // amp_enabled_flag, sample_adaptive_offset_enabled_flag.
        try reader.skip(2)
        if try reader.flag() {
            try reader.skip(4 + 4)
            _ = try reader.unsignedGolomb()
            _ = try reader.unsignedGolomb()
            try reader.skip(1)
        }
        try skipShortTermReferences(&reader)
        if try reader.flag() {
            let count = try reader.unsignedGolomb()
            guard count <= 32 else { throw reader.failure("\(count) long-term references") }
            try reader.skip(Int(count) * (orderCountBits + 1))
        }
        // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag.
        try reader.skip(2)
        guard try reader.flag() else { return VideoColor() }
        if try reader.flag(), try reader.bits(8) == 255 { try reader.skip(32) }
        if try reader.flag() { try reader.skip(1) }
        return try VideoColor(signalType: &reader)
    }

    /// scaling_list_data (§7.3.4).
    private static func skipScalingLists(_ reader: inout BitReader) throws(MediaParseError) {
        for size in 0..<4 {
            for _ in 0..<(size == 3 ? 2 : 6) {
                guard try reader.flag() else {
                    _ = try reader.unsignedGolomb()
                    continue
                }
                if size > 1 { _ = try reader.signedGolomb() }
                for _ in 0..<min(64, 16 << (2 * size)) { _ = try reader.signedGolomb() }
            }
        }
    }

    /// num_short_term_ref_pic_sets, and each st_ref_pic_set (§7.3.7).
    private static func skipShortTermReferences(_ reader: inout BitReader) throws(MediaParseError) {
        let sets = try reader.unsignedGolomb()
        guard sets <= 64 else { throw reader.failure("\(sets) sets of references") }
        var count = 0
        for index in 0..<sets {
            if index > 0, try reader.flag() {
                // Told by its difference to the set before.
                try reader.skip(1)
                _ = try reader.unsignedGolomb()
                var kept = 0
                for _ in 0...count {
                    var isKept = try reader.flag()
                    if !isKept { isKept = try reader.flag() }
                    if isKept { kept += 1 }
                }
                count = kept
            } else {
                let negative = try reader.unsignedGolomb()
                let positive = try reader.unsignedGolomb()
                guard negative <= 16, positive <= 16 else { throw reader.failure("over 16 references") }
                count = Int(negative + positive)
                for _ in 0..<count {
                    _ = try reader.unsignedGolomb()
                    try reader.skip(1)
                }
            }
            guard count <= 32 else { throw reader.failure("over 32 references") }
        }
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
