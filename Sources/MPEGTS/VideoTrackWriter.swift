import Media
import NIOCore

/// Writes H.264 and H.265 access units as PES packets: it replaces lengths by start codes, and puts a delimiter before each
/// unit and the parameter sets before each keyframe.
struct VideoTrackWriter: Sendable {
    private enum Kind: Sendable {
        case avc
        case hevc
    }

    private static let startCode = ByteBuffer(bytes: [0, 0, 0, 1])

    private let kind: Kind
    private let lengthSize: Int
    /// The access unit delimiter with its start code. It says that the unit may hold any kind of slice.
    private let delimiter: ByteBuffer
    /// The configuration's parameter sets with their start codes.
    private let parameterSets: ByteBuffer
    var packets = PacketWriter(pid: ProgramTables.videoPID)

    /// Nil for codecs that MPEG-TS does not carry.
    init?(_ configuration: CodecConfiguration) {
        let sets: [ByteBuffer]
        switch configuration {
        case .avc(let value):
            kind = .avc
            lengthSize = value.lengthSize
            delimiter = ByteBuffer(bytes: [0, 0, 0, 1, 0x09, 0xF0])
            sets = value.sequenceParameterSets + value.pictureParameterSets
        case .hevc(let value):
            kind = .hevc
            lengthSize = value.lengthSize
            delimiter = ByteBuffer(bytes: [0, 0, 0, 1, 0x46, 0x01, 0x50])
            sets = value.videoParameterSets + value.sequenceParameterSets + value.pictureParameterSets
        default: return nil
        }
        var bytes = ByteBuffer()
        for set in sets {
            bytes.writeImmutableBuffer(Self.startCode)
            bytes.writeImmutableBuffer(set)
        }
        parameterSets = bytes
    }

    /// What a unit takes when it is written.
    private struct Plan {
        var length = 0
        var hasParameterSets = false
    }

    /// Writes a unit. Nothing is written for a unit that has no NAL unit.
    mutating func write(
        _ unit: AccessUnit, offset: MediaTime, clock: inout ClockReference, into output: inout ByteBuffer
    ) throws(TransportStreamError) {
        guard var plan = try plan(unit) else { return }
        let insertsSets = unit.isKeyframe && !plan.hasParameterSets
        plan.length += delimiter.readableBytes + (insertsSets ? parameterSets.readableBytes : 0)

        let decode = unit.decodeTime + offset
        let header = PESHeader(
            streamID: PESHeader.video, presentation: unit.presentationTime + offset, decode: decode)
        while let reference = clock.nextBetween(time: decode) {
            packets.writeClock(reference, into: &output)
        }
        packets.begin(
            length: header.length + plan.length, clock: clock.next(time: decode, isForced: unit.isKeyframe),
            isRandomAccess: unit.isKeyframe, into: &output)
        // The length stays open, since a unit may be longer than its 16 bits can say.
        header.write(payloadLength: nil, to: &packets, into: &output)
        packets.append(delimiter, into: &output)
        if insertsSets {
            packets.append(parameterSets, into: &output)
        }
        try Self.walk(unit, lengthSize: lengthSize) { range, header in
            guard !isDelimiter(header) else { return }
            packets.append(Self.startCode, into: &output)
            packets.append(unit.payload, range: range, into: &output)
        }
    }

    /// Measures a unit. That reads it to its end, so a broken unit is noticed before anything of it is written.
    private func plan(_ unit: AccessUnit) throws(TransportStreamError) -> Plan? {
        var plan = Plan()
        var sets: UInt8 = 0
        try Self.walk(unit, lengthSize: lengthSize) { range, header in
            guard !isDelimiter(header) else { return }
            plan.length += Self.startCode.readableBytes + range.count
            sets |= parameterSetBit(header)
        }
        plan.hasParameterSets = sets == (kind == .avc ? 0b011 : 0b111)
        return plan.length > 0 ? plan : nil
    }

    private static func walk(
        _ unit: AccessUnit, lengthSize: Int, _ body: (_ range: Range<Int>, _ header: UInt8) -> Void
    ) throws(TransportStreamError) {
        var units = LengthPrefixedNALUnits(unit.payload, lengthSize: lengthSize)
        do throws(MediaParseError) {
            while let range = try units.nextRange() {
                guard let header = unit.payload.getInteger(at: range.lowerBound, as: UInt8.self) else { return }
                body(range, header)
            }
        } catch {
            throw .malformedUnit(unit.codec, error)
        }
    }

    /// Whether the NAL unit is left out: each unit gets a delimiter, so those that it brings are not written.
    private func isDelimiter(_ header: UInt8) -> Bool {
        switch kind {
        case .avc: AVCNALUnitType(header: header) == .accessUnitDelimiter
        case .hevc: HEVCNALUnitType(header: header) == .accessUnitDelimiter
        }
    }

    private func parameterSetBit(_ header: UInt8) -> UInt8 {
        switch kind {
        case .avc:
            switch AVCNALUnitType(header: header) {
            case .sequenceParameterSet: 0b001
            case .pictureParameterSet: 0b010
            default: 0
            }
        case .hevc:
            switch HEVCNALUnitType(header: header) {
            case .sequenceParameterSet: 0b001
            case .pictureParameterSet: 0b010
            case .videoParameterSet: 0b100
            default: 0
            }
        }
    }
}
