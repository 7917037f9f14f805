import NIOCore

/// What a packager needs of AV1's sequence header (AV1 specification §5.5.1).
public struct AV1SequenceHeader: Sendable, Hashable {
    /// The largest frame size of the sequence.
    public let resolution: Resolution
    /// Empty where it cannot be reached.
    public let color: VideoColor

    /// - Parameter payload: the unit without its OBU header.
    public init(payload: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(payload, structure: "AV1 sequence header")
        let profile = try reader.bits(3)
        // still_picture.
        try reader.skip(1)
        let isReduced = try reader.flag()
        if isReduced {
            try reader.skip(5)
        } else {
            try Self.skipOperatingPoints(&reader)
        }
        let widthBits = Int(try reader.bits(4)) + 1
        let heightBits = Int(try reader.bits(4)) + 1
        resolution = Resolution(
            width: Int(try reader.bits(widthBits)) + 1, height: Int(try reader.bits(heightBits)) + 1)
        color = (try? Self.readColor(&reader, profile: profile, isReduced: isReduced)) ?? VideoColor()
    }

    /// From frame_id_numbers_present_flag to color_config (§5.5.2).
    private static func readColor(
        _ reader: inout BitReader, profile: UInt32, isReduced: Bool
    ) throws(MediaParseError) -> VideoColor {
        if !isReduced, try reader.flag() { try reader.skip(4 + 3) }
        // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter.
        try reader.skip(3)
        if !isReduced {
            // enable_interintra_compound, enable_masked_compound, enable_warped_motion, enable_dual_filter.
            try reader.skip(4)
            let hasOrderHint = try reader.flag()
            if hasOrderHint { try reader.skip(2) }
            // seq_choose_screen_content_tools, else seq_force_screen_content_tools.
            var mayForceInteger = try reader.flag()
            if !mayForceInteger { mayForceInteger = try reader.flag() }
            // seq_choose_integer_mv, else seq_force_integer_mv.
            if mayForceInteger, try !reader.flag() { try reader.skip(1) }
            if hasOrderHint { try reader.skip(3) }
        }
        // enable_superres, enable_cdef, enable_restoration.
        try reader.skip(3)
        let isDeep = try reader.flag()
        if profile == 2, isDeep { try reader.skip(1) }
        let isMonochrome = profile == 1 ? false : try reader.flag()
        var color = VideoColor()
        if try reader.flag() { color = try VideoColor(&reader, isFullRange: nil) }
        // sRGB has no color_range: it is full.
        let isRGB = color.primaries == 1 && color.transfer == 13 && color.matrix == 0
        color.isFullRange = !isMonochrome && isRGB ? true : try reader.flag()
        return color
    }

    private static func skipOperatingPoints(_ reader: inout BitReader) throws(MediaParseError) {
        var delayBits: Int?
        if try reader.flag() {
            try reader.skip(64)
            if try reader.flag() {
                _ = try reader.unsignedGolomb()
            }
            if try reader.flag() {
                delayBits = Int(try reader.bits(5)) + 1
                try reader.skip(32 + 5 + 5)
            }
        }
        let hasDisplayDelay = try reader.flag()
        for _ in 0...(try reader.bits(5)) {
            try reader.skip(12)
            if try reader.bits(5) > 7 {
                try reader.skip(1)
            }
            if let delayBits, try reader.flag() {
                try reader.skip(2 * delayBits + 1)
            }
            if hasDisplayDelay, try reader.flag() {
                try reader.skip(4)
            }
        }
    }
}
