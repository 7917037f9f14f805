import Basics
import NIOCore

/// VP9's VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding §2.2).
public struct VP9Configuration: Sendable, Hashable, Codable {
    /// 0 to 3.
    public var profile: UInt8
    /// Ten times the level; 0 when the encoder did not know it.
    public var level: UInt8
    /// 8, 10 or 12.
    public var bitDepth: Int
    /// The record as received; see ``fields`` for what stands in `vpcC` behind its version and flags.
    public var record: ByteBuffer
    /// The record does not have the size; nil until a keyframe has told it.
    public var resolution: Resolution?
    /// See ``CodecConfiguration/color``.
    public var color: VideoColor

    /// `vp09.PP.LL.DD`: `vp09.00.10.08`.
    public var codecString: String {
        "vp09.\(profile.padded(to: 2)).\(level.padded(to: 2)).\(bitDepth.padded(to: 2))"
    }

    /// The record's fields, without a box's version and flags.
    public var fields: ByteBuffer {
        var fields = record
        if Self.hasVersion(record) {
            fields.moveReaderIndex(forwardBy: 4)
        }
        return fields
    }

    /// Reads a record. The version and flags of its box may stand before it: some encoders send them, others do not.
    ///
    /// - Throws: when the record is cut short or its bit depth is not 8, 10 or 12.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var reader = BoxFieldReader(record, structure: "vpcC")
        if Self.hasVersion(record) {
            try reader.skip(4)
        }
        profile = try reader.uint8()
        guard profile <= 3 else { throw reader.failure("profile \(profile)") }
        level = try reader.uint8()
        let depth = try reader.uint8()
        bitDepth = Int(depth >> 4)
        guard [8, 10, 12].contains(bitDepth) else { throw reader.failure("a bit depth of \(bitDepth)") }
        var codes = BitReader(reader.bytes, structure: "vpcC")
        try reader.skip(5)
        color = try VideoColor(&codes, isFullRange: depth & 1 == 1)
        self.record = record
    }

    /// The fields are 8 bytes (VP9 has no initialisation data), so 12 bytes beginning with version 1 and no flags are
    /// the box's whole contents.
    private static func hasVersion(_ record: ByteBuffer) -> Bool {
        record.readableBytes >= 12 && record.getInteger(at: record.readerIndex, as: UInt32.self) == 0x0100_0000
    }
}
