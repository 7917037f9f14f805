import Basics
import NIOCore

/// AV1's AV1CodecConfigurationRecord (AV1 in ISO base media, §2.3).
public struct AV1Configuration: Sendable, Hashable, Codable {
    /// seq_profile: 0 Main, 1 High, 2 Professional.
    public var profile: UInt8
    /// seq_level_idx of the first operating point: 8 is level 4.0.
    public var level: UInt8
    public var isHighTier: Bool
    /// 8, 10 or 12.
    public var bitDepth: Int
    /// The record as received, written back untouched into `av1C`.
    public var record: ByteBuffer
    /// The sequence's largest frame size; nil when the record holds no sequence header that can be read.
    public var resolution: Resolution?
    /// See ``CodecConfiguration/color``.
    public var color = VideoColor()

    /// `av01.P.LLT.DD` (AV1 in ISO base media, §5): `av01.0.04M.08`.
    public var codecString: String {
        "av01.\(profile).\(level.padded(to: 2))\(isHighTier ? "H" : "M").\(bitDepth.padded(to: 2))"
    }

    /// - Throws: when the record is cut short or its marker and version are not 1.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var reader = BoxFieldReader(record, structure: "av1C")
        guard try reader.uint8() == 0x81 else { throw reader.failure("its marker and version are not 1") }
        let profileAndLevel = try reader.uint8()
        profile = profileAndLevel >> 5
        level = profileAndLevel & 0x1F
        let flags = try reader.uint8()
        isHighTier = flags & 0x80 != 0
        bitDepth = flags & 0x40 == 0 ? 8 : (flags & 0x20 == 0 ? 10 : 12)
        try reader.skip(1)
        self.record = record
        var units = AV1OpenBitstreamUnits(reader.bytes)
        while let unit = try? units.next() {
            if unit.type == AV1OpenBitstreamUnits.sequenceHeader {
                if let header = try? AV1SequenceHeader(payload: unit.payload) {
                    resolution = header.resolution
                    color = header.color
                }
                break
            }
        }
    }
}
