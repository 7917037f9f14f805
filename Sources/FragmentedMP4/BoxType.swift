/// A box's four-character code (ISO/IEC 14496-12 §4.2).
public struct BoxType: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The code as a big-endian number.
    public let code: UInt32

    /// Missing characters count as spaces, characters after the fourth byte are left out.
    public init(stringLiteral value: StaticString) {
        code = value.withUTF8Buffer { bytes in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32($1 < bytes.count ? bytes[$1] : 0x20) }
        }
    }
}
