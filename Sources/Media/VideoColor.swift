import NIOCore

/// How the numbers of video become light (ITU-T H.273), and what its mastering says of it. What is not said is nil.
public struct VideoColor: Sendable, Hashable, Codable {
    /// ColourPrimaries: 1 BT.709, 9 BT.2020.
    public var primaries: UInt8?
    /// TransferCharacteristics: 1 BT.709, 16 PQ, 18 HLG.
    public var transfer: UInt8?
    /// MatrixCoefficients: 1 BT.709, 9 BT.2020.
    public var matrix: UInt8?
    /// VideoFullRangeFlag.
    public var isFullRange: Bool?
    public var contentLight: ContentLight?
    public var masteringDisplay: MasteringDisplay?

    /// How bright the content is (CTA-861.3), in candelas per square metre.
    public struct ContentLight: Sendable, Hashable, Codable {
        /// MaxCLL, of any pixel.
        public var maximum: UInt16
        /// MaxFALL, of a frame's average.
        public var maximumAverage: UInt16

        public init(maximum: UInt16, maximumAverage: UInt16) {
            self.maximum = maximum
            self.maximumAverage = maximumAverage
        }
    }

    /// The display that the content was mastered on (SMPTE ST 2086), in the units that MP4 and SEI messages have.
    public struct MasteringDisplay: Sendable, Hashable, Codable {
        /// A place in CIE 1931, in steps of 0.00002.
        public struct Chromaticity: Sendable, Hashable, Codable {
            public var x: UInt16
            public var y: UInt16

            public init(x: UInt16, y: UInt16) {
                self.x = x
                self.y = y
            }
        }

        public var red: Chromaticity
        public var green: Chromaticity
        public var blue: Chromaticity
        public var white: Chromaticity
        /// In steps of 0.0001 candelas per square metre.
        public var maximumLuminance: UInt32
        public var minimumLuminance: UInt32

        public init(
            red: Chromaticity, green: Chromaticity, blue: Chromaticity, white: Chromaticity, maximumLuminance: UInt32,
            minimumLuminance: UInt32
        ) {
            self.red = red
            self.green = green
            self.blue = blue
            self.white = white
            self.maximumLuminance = maximumLuminance
            self.minimumLuminance = minimumLuminance
        }
    }

    /// The kind of display that can show it, as HLS's `VIDEO-RANGE` names it.
    public enum Range: String, Sendable, Hashable {
        case sdr = "SDR"
        case hlg = "HLG"
        case pq = "PQ"
    }

    public init(
        primaries: UInt8? = nil, transfer: UInt8? = nil, matrix: UInt8? = nil, isFullRange: Bool? = nil,
        contentLight: ContentLight? = nil, masteringDisplay: MasteringDisplay? = nil
    ) {
        self.primaries = primaries
        self.transfer = transfer
        self.matrix = matrix
        self.isFullRange = isFullRange
        self.contentLight = contentLight
        self.masteringDisplay = masteringDisplay
    }

    /// Three code points of a byte each. 2 means "unspecified" in all three tables, and counts as not said.
    init(_ reader: inout BitReader, isFullRange: Bool?) throws(MediaParseError) {
        let codes = (try reader.bits(8), try reader.bits(8), try reader.bits(8))
        self.init(
            primaries: Self.said(codes.0), transfer: Self.said(codes.1), matrix: Self.said(codes.2),
            isFullRange: isFullRange)
    }

    private static func said(_ code: UInt32) -> UInt8? {
        code == 2 ? nil : UInt8(truncatingIfNeeded: code)
    }

    /// video_signal_type of H.264's and H.265's video usability information (annex E of both): from
    /// video_signal_type_present_flag to matrix_coefficients.
    init(signalType reader: inout BitReader) throws(MediaParseError) {
        self.init()
        guard try reader.flag() else { return }
        try reader.skip(3)
        let isFull = try reader.flag()
        isFullRange = isFull
        if try reader.flag() {
            self = try VideoColor(&reader, isFullRange: isFull)
        }
    }

    /// Nil when the transfer characteristics are not said: a player then takes it for `SDR`.
    public var range: Range? {
        switch transfer {
        case nil: nil
        case 16: .pq
        case 18: .hlg
        default: .sdr
        }
    }

    /// Whether it says how numbers become light; a full range alone counts.
    public var hasCodes: Bool {
        primaries != nil || transfer != nil || matrix != nil || isFullRange == true
    }

    /// This, with what it does not say taken from `other`.
    public func completed(by other: VideoColor) -> VideoColor {
        VideoColor(
            primaries: primaries ?? other.primaries, transfer: transfer ?? other.transfer,
            matrix: matrix ?? other.matrix, isFullRange: isFullRange ?? other.isFullRange,
            contentLight: contentLight ?? other.contentLight,
            masteringDisplay: masteringDisplay ?? other.masteringDisplay)
    }
}
