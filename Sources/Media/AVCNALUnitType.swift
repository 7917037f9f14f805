import NIOCore

/// The NAL unit types of H.264 that a packager looks at (ISO/IEC 14496-10 table 7-1).
public struct AVCNALUnitType: RawRepresentable, Sendable, Hashable {
    /// 0 to 31.
    public let rawValue: UInt8

    public static let nonIDRSlice = AVCNALUnitType(rawValue: 1)
    public static let idrSlice = AVCNALUnitType(rawValue: 5)
    public static let supplementalEnhancement = AVCNALUnitType(rawValue: 6)
    public static let sequenceParameterSet = AVCNALUnitType(rawValue: 7)
    public static let pictureParameterSet = AVCNALUnitType(rawValue: 8)
    public static let accessUnitDelimiter = AVCNALUnitType(rawValue: 9)
    public static let filler = AVCNALUnitType(rawValue: 12)

    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue & 0x1F
    }

    /// - Parameter header: the unit's first byte.
    @inlinable
    public init(header: UInt8) {
        self.rawValue = header & 0x1F
    }

    /// The type of a unit; nil for an empty one.
    public init?(of nalUnit: ByteBuffer) {
        guard let header = nalUnit.getInteger(at: nalUnit.readerIndex, as: UInt8.self) else { return nil }
        self.init(header: header)
    }

    /// A coded slice of a picture.
    @inlinable
    public var isSlice: Bool {
        rawValue >= 1 && rawValue <= 5
    }

    /// Whether the unit is a supplemental enhancement unit with a recovery point message. A decoder may start on the frame that
    /// follows it, although that is no IDR (open GOP, gradual refresh; ISO/IEC 14496-10 §D.1.8).
    public static func isRecoveryPoint(_ nalUnit: ByteBuffer) -> Bool {
        guard AVCNALUnitType(of: nalUnit) == .supplementalEnhancement else { return false }
        var reader = BitReader(unescaping: nalUnit, structure: "SEI")
        do throws(MediaParseError) {
            try reader.skip(8)
            // The last byte holds the stop bit, so another message begins only when at least 16 bits are left.
            while reader.bitsRemaining >= 16 {
                let type = try reader.extendedNumber()
                let size = try reader.extendedNumber()
                if type == 6 {
                    return true
                }
                guard size <= reader.bitsRemaining / 8 else { return false }
                try reader.skip(size * 8)
            }
        } catch {
            return false
        }
        return false
    }
}
