import NIOCore

/// What is known of closed captions inside video.
public enum Captions: Sendable, Hashable, Codable {
    /// Not enough was seen to say.
    case unknown
    /// A while of video had none.
    case none
    /// There are some, in these channels as HLS names them (`INSTREAM-ID`): `CC1` to `CC4` of CEA-608, `SERVICE1` … of CEA-708 where
    /// there is no CEA-608 beside it. `CC1` when no channel has been used yet.
    case channels([String])
}

/// Finds closed captions (CEA-608 and CEA-708, ANSI/SCTE 128-1 §8) in the access units of a video track.
///
/// It looks at the heads of NAL units up to the first slice, and into supplemental enhancement information; nothing of slices is
/// read. Encoders that may have captions send their packets with every frame from the start, empty ones while nobody speaks; so
/// video that has had none for ``patience`` will hardly have any.
public struct CaptionDetector: Sendable {
    /// How much video without captions it takes to say that there are none.
    public static let patience = MediaTime(milliseconds: 10_000)
    /// Units and bytes looked at: more than any encoder puts before a slice.
    private static let mostUnits = 24
    private static let mostBytes = 4_096
    /// Times that are further apart than this tell nothing of how much video was between.
    private static let longestStep = MediaTime(milliseconds: 1_000)

    private enum Layout: Sendable {
        case avc(lengthSize: Int)
        case hevc(lengthSize: Int)
        case av1
    }

    private var layout: Layout?
    private var watched = MediaTime.zero
    private var latest: MediaTime?
    private var isPresent = false
    /// Bits 0 to 3 are `CC1` to `CC4`.
    private var channels: UInt8 = 0
    /// Bit n is service n, 1 to 6.
    private var services: UInt8 = 0

    /// - Parameter configuration: of the video track. In codecs other than H.264, H.265 and AV1 no captions are found, nor is it said
    ///   that there are none.
    public init(_ configuration: CodecConfiguration?) {
        look(into: configuration)
    }

    /// The track goes on with another configuration.
    public mutating func look(into configuration: CodecConfiguration?) {
        switch configuration {
        case .avc(let value): layout = .avc(lengthSize: value.lengthSize)
        case .hevc(let value): layout = .hevc(lengthSize: value.lengthSize)
        case .av1: layout = .av1
        default: layout = nil
        }
    }

    public var captions: Captions {
        if isPresent {
            let used = (0..<4).filter { channels & 1 << $0 != 0 }.map { "CC\($0 + 1)" }
            if !used.isEmpty { return .channels(used) }
            let modern = (1..<7).filter { services & 1 << $0 != 0 }.map { "SERVICE\($0)" }
            return .channels(modern.isEmpty ? ["CC1"] : modern)
        }
        return layout != nil && watched >= Self.patience ? .none : .unknown
    }

    /// Looks at the next access unit of the track.
    public mutating func observe(_ unit: AccessUnit) {
        if !isPresent {
            let step = latest.map { unit.decodeTime - $0 } ?? .zero
            if step > .zero, step <= Self.longestStep { watched += step }
            latest = unit.decodeTime
        }
        switch layout {
        case nil: break
        case .avc(let lengthSize):
            look(unit.payload, lengthSize: lengthSize) { header in
                let type = AVCNALUnitType(header: header)
                return type.isSlice ? nil : type == .supplementalEnhancement ? 1 : 0
            }
        case .hevc(let lengthSize):
            look(unit.payload, lengthSize: lengthSize) { header in
                let type = HEVCNALUnitType(header: header)
                return type.isSlice ? nil : type == .prefixEnhancement ? 2 : 0
            }
        case .av1:
            var units = AV1OpenBitstreamUnits(unit.payload)
            for _ in 0..<Self.mostUnits {
                guard let next = try? units.next(),
                    next.type < AV1OpenBitstreamUnits.frameHeader || next.type == AV1OpenBitstreamUnits.metadata
                else { return }
                // metadata_type METADATA_TYPE_ITUT_T35.
                if next.type == AV1OpenBitstreamUnits.metadata,
                    next.payload.getInteger(at: next.payload.readerIndex, as: UInt8.self) == 4
                {
                    var reader = BitReader(next.payload, structure: "AV1 metadata")
                    try? reader.skip(8)
                    try? read(&reader, bytes: next.payload.readableBytes - 1)
                }
            }
        }
    }

    /// - Parameter headerLength: of a NAL unit by its first byte, when it is supplemental enhancement information; 0 for others; nil
    ///   for a slice, which ends the search.
    private mutating func look(_ payload: ByteBuffer, lengthSize: Int, headerLength: (UInt8) -> Int?) {
        var units = LengthPrefixedNALUnits(payload, lengthSize: lengthSize)
        for _ in 0..<Self.mostUnits {
            guard let range = try? units.nextRange(),
                let header = payload.getInteger(at: range.lowerBound, as: UInt8.self).flatMap(headerLength)
            else { return }
            guard header > 0, range.count > header,
                let unit = payload.getSlice(at: range.lowerBound, length: min(range.count, Self.mostBytes))
            else { continue }
            var reader = BitReader(unescaping: unit, structure: "SEI")
            try? readMessages(&reader, headerLength: header)
        }
    }

    /// sei_message after sei_message (ISO/IEC 14496-10 §7.3.2.3.1).
    private mutating func readMessages(_ reader: inout BitReader, headerLength: Int) throws(MediaParseError) {
        try reader.skip(headerLength * 8)
        // The last byte holds the stop bit, so another message begins only when at least 16 bits are left.
        while reader.bitsRemaining >= 16 {
            let type = try reader.extendedNumber()
            let size = try reader.extendedNumber()
            guard size <= reader.bitsRemaining / 8 else { return }
            // user_data_registered_itu_t_t35.
            if type == 4 {
                var message = reader
                try read(&message, bytes: size)
            }
            try reader.skip(size * 8)
        }
    }

    /// A message of ITU-T T.35: country, provider and, when they are those of ATSC, captions.
    private mutating func read(_ reader: inout BitReader, bytes: Int) throws(MediaParseError) {
        // United States, ATSC, GA94, cc_data.
        guard bytes >= 10, try reader.bits(8) == 0xB5, try reader.bits(16) == 0x0031,
            try reader.bits(32) == 0x4741_3934, try reader.bits(8) == 3
        else { return }
        isPresent = true
        _ = try reader.flag()
        let hasData = try reader.flag()
        _ = try reader.flag()
        let count = try reader.bits(5)
        try reader.skip(8)
        guard hasData else { return }
        for _ in 0..<count {
            try reader.skip(5)
            let isValid = try reader.flag()
            let type = try reader.bits(2)
            let first = try reader.bits(8)
            let second = try reader.bits(8)
            if isValid { note(type, first, second) }
        }
    }

    /// A pair of bytes: of field 1 or 2 of CEA-608, or of a packet of CEA-708, or its beginning.
    private mutating func note(_ type: UInt32, _ first: UInt32, _ second: UInt32) {
        switch type {
        case 0, 1:
            // Every caption begins with control codes, whose first byte, parity left out, is 0x10 to 0x17 in the field's first
            // channel and 0x18 to 0x1F in its second. In field 2 lower ones are not captions.
            let code = first & 0x7F
            guard (0x10...0x1F).contains(code) else { return }
            channels |= 1 << UInt8(type * 2 + (code & 0x08 == 0 ? 0 : 1))
        case 3:
            // Behind the packet's head stands that of a block: the service and a length that is not 0.
            let service = second >> 5
            if (1...6).contains(service), second & 0x1F != 0 { services |= 1 << UInt8(service) }
        default: break
        }
    }
}
