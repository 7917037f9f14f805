import NIOCore

/// The NAL unit types of H.265 that a packager looks at (ITU-T H.265 table 7-1).
public struct HEVCNALUnitType: RawRepresentable, Sendable, Hashable {
    /// 0 to 63.
    public let rawValue: UInt8

    public static let idrWithRADL = HEVCNALUnitType(rawValue: 19)
    public static let idrNoLeading = HEVCNALUnitType(rawValue: 20)
    public static let cleanRandomAccess = HEVCNALUnitType(rawValue: 21)
    public static let videoParameterSet = HEVCNALUnitType(rawValue: 32)
    public static let sequenceParameterSet = HEVCNALUnitType(rawValue: 33)
    public static let pictureParameterSet = HEVCNALUnitType(rawValue: 34)
    public static let accessUnitDelimiter = HEVCNALUnitType(rawValue: 35)
    /// Supplemental enhancement information before the slices.
    public static let prefixEnhancement = HEVCNALUnitType(rawValue: 39)

    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue & 0x3F
    }

    /// - Parameter header: the unit's first byte.
    @inlinable
    public init(header: UInt8) {
        self.rawValue = header >> 1 & 0x3F
    }

    /// The type of a unit; nil for an empty one.
    public init?(of nalUnit: ByteBuffer) {
        guard let header = nalUnit.getInteger(at: nalUnit.readerIndex, as: UInt8.self) else { return nil }
        self.init(header: header)
    }

    /// A coded slice segment of a picture.
    @inlinable
    public var isSlice: Bool {
        rawValue < 32
    }

    /// A slice of an intra random access picture: a decoder may start here.
    @inlinable
    public var isRandomAccess: Bool {
        rawValue >= 16 && rawValue <= 23
    }
}
