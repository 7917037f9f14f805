import NIOCore

/// What a packager needs of a VP9 keyframe's uncompressed header (VP9 bitstream specification §6.2): the size of the frame, which
/// the configuration record does not have.
public struct VP9KeyframeHeader: Sendable, Hashable {
    public let resolution: Resolution

    /// - Parameter frame: an access unit that begins with a keyframe.
    /// - Throws: when it is cut short, is no keyframe, or has no sync code.
    public init(frame: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(frame, structure: "VP9 keyframe")
        guard try reader.bits(2) == 2 else { throw reader.failure("no frame marker") }
        let lowBit = try reader.bits(1)
        let profile = try reader.bits(1) << 1 | lowBit
        if profile == 3 { try reader.skip(1) }
        let showsExistingFrame = try reader.flag()
        let isInterFrame = try reader.flag()
        guard !showsExistingFrame, !isInterFrame else { throw reader.failure("no keyframe") }
        // show_frame and error_resilient_mode.
        try reader.skip(2)
        guard try reader.bits(24) == 0x49_83_42 else { throw reader.failure("no sync code") }
        try Self.skipColor(&reader, profile: profile)
        resolution = Resolution(width: Int(try reader.bits(16)) + 1, height: Int(try reader.bits(16)) + 1)
    }

    /// color_config (§6.2.2).
    private static func skipColor(_ reader: inout BitReader, profile: UInt32) throws(MediaParseError) {
        let sRGB: UInt32 = 7
        if profile >= 2 { try reader.skip(1) }
        let hasOwnSubsampling = profile & 1 == 1
        if try reader.bits(3) == sRGB {
            if hasOwnSubsampling { try reader.skip(1) }
        } else {
            try reader.skip(hasOwnSubsampling ? 4 : 1)
        }
    }
}
