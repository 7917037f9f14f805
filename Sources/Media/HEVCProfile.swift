import NIOCore

/// H.265's general profile, tier and level: 12 bytes, the same in parameter sets and in the configuration record
/// (ITU-T H.265 §7.3.3).
public struct HEVCProfile: Sendable, Hashable, Codable {
    /// 0 to 3.
    public let space: UInt8
    public let isHighTier: Bool
    /// general_profile_idc, 0 to 31: 1 Main, 2 Main 10.
    public let profile: UInt8
    /// The 32 compatibility flags, the first in the highest bit.
    public let compatibility: UInt32
    /// The 48 bits of constraint flags, in the low bits.
    public let constraints: UInt64
    /// Thirty times the level: 93 is level 3.1.
    public let level: UInt8

    init(_ reader: inout BitReader) throws(MediaParseError) {
        space = UInt8(try reader.bits(2))
        isHighTier = try reader.flag()
        profile = UInt8(try reader.bits(5))
        compatibility = try reader.bits(32)
        let high = UInt64(try reader.bits(16))
        constraints = high << 32 | UInt64(try reader.bits(32))
        level = UInt8(try reader.bits(8))
    }

    func write(into record: inout ByteBuffer) {
        record.writeInteger(space << 6 | (isHighTier ? 0x20 : 0) | profile)
        record.writeInteger(compatibility)
        record.writeInteger(UInt16(truncatingIfNeeded: constraints >> 32))
        record.writeInteger(UInt32(truncatingIfNeeded: constraints))
        record.writeInteger(level)
    }

    /// The part of the codec name behind `hvc1.`: `1.6.L93.B0`. The compatibility flags stand in reverse bit order, and zero bytes
    /// at the end of the constraint flags are left out (ISO/IEC 14496-15 annex E).
    var name: String {
        let spaces = ["", "A", "B", "C"]
        var reversed: UInt32 = 0
        for bit in UInt32(0)..<32 where compatibility & (1 << bit) != 0 {
            reversed |= 1 << (31 - bit)
        }
        var parts = [
            "\(spaces[Int(space & 3)])\(profile)", String(reversed, radix: 16, uppercase: true),
            "\(isHighTier ? "H" : "L")\(level)",
        ]
        var rest = constraints << 16
        while rest != 0 {
            parts.append(String(rest >> 56, radix: 16, uppercase: true))
            rest <<= 8
        }
        return parts.joined(separator: ".")
    }
}
