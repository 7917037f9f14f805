import Basics
import NIOCore

/// H.264's AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
public struct AVCConfiguration: Sendable, Hashable, Codable {
    /// AVCProfileIndication: 66 baseline, 77 main, 100 high.
    public var profile: UInt8
    /// The constraint flags, `profile_compatibility`.
    public var compatibility: UInt8
    /// AVCLevelIndication, ten times the level: 31 is level 3.1.
    public var level: UInt8
    /// Bytes in each NAL unit's length prefix: 1, 2 or 4.
    public var lengthSize: Int
    /// Each as a NAL unit, header included, emulation prevention in place.
    public var sequenceParameterSets: [ByteBuffer]
    /// Each as a NAL unit, header included, emulation prevention in place.
    public var pictureParameterSets: [ByteBuffer]
    /// The record as received, written back untouched into `avcC`.
    public var record: ByteBuffer
    /// Displayed size; nil when the record holds no sequence parameter set that can be read.
    public var resolution: Resolution?
    /// Frames a second by the sequence parameter set's clock; nil when the set has none.
    public var frameRate: Double?
    /// See ``CodecConfiguration/color``.
    public var color = VideoColor()

    /// `avc1.PPCCLL`, hexadecimal (RFC 6381 §3.3).
    public var codecString: String {
        "avc1." + Hexadecimal.encode([profile, compatibility, level])
    }

    /// Reads a record. Bytes behind the picture parameter sets (the high profiles' extension) are kept in
    /// ``record`` and not read: encoders often leave them out or fill them wrongly.
    ///
    /// - Throws: when the record is cut short, its version is not 1, or a set in it is not of its kind.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var reader = BoxFieldReader(record, structure: "avcC")
        let version = try reader.uint8()
        guard version == 1 else { throw reader.failure("version \(version) is not 1") }
        profile = try reader.uint8()
        compatibility = try reader.uint8()
        level = try reader.uint8()
        lengthSize = Int(try reader.uint8() & 3) + 1
        guard lengthSize != 3 else { throw reader.failure("NAL unit lengths of 3 bytes") }
        sequenceParameterSets = try reader.nalUnits(count: Int(try reader.uint8() & 0x1F))
        pictureParameterSets = try reader.nalUnits(count: Int(try reader.uint8()))
        self.record = record
        for set in sequenceParameterSets where AVCNALUnitType(of: set) != .sequenceParameterSet {
            throw reader.failure("a sequence parameter set of another NAL unit type")
        }
        for set in pictureParameterSets where AVCNALUnitType(of: set) != .pictureParameterSet {
            throw reader.failure("a picture parameter set of another NAL unit type")
        }
        readParameterSet()
    }

    /// Makes a record of parameter sets found in the stream, with 4-byte NAL unit lengths.
    ///
    /// - Throws: when there is no sequence parameter set, or more or longer sets than a record holds.
    public init(
        sequenceParameterSets: [ByteBuffer], pictureParameterSets: [ByteBuffer]
    ) throws(MediaParseError) {
        guard let first = sequenceParameterSets.first, sequenceParameterSets.count <= 31,
            pictureParameterSets.count <= 255
        else { throw MediaParseError("avcC", "no sequence parameter set, or too many sets") }
        let sequence = try AVCSequenceParameterSet(nalUnit: first)
        profile = sequence.profile
        compatibility = sequence.compatibility
        level = sequence.level
        lengthSize = 4
        self.sequenceParameterSets = sequenceParameterSets
        self.pictureParameterSets = pictureParameterSets
        var record = ByteBuffer()
        record.writeBytes([1, profile, compatibility, level, 0xFF, 0xE0 | UInt8(sequenceParameterSets.count)])
        try record.writeParameterSets(sequenceParameterSets, structure: "avcC")
        record.writeInteger(UInt8(pictureParameterSets.count))
        try record.writeParameterSets(pictureParameterSets, structure: "avcC")
        if sequence.hasChromaFields {
            record.writeInteger(0xFC | UInt8(sequence.chromaFormat))
            record.writeInteger(0xF8 | UInt8(sequence.lumaBitDepth - 8))
            record.writeInteger(0xF8 | UInt8(sequence.chromaBitDepth - 8))
            record.writeInteger(UInt8(0))
        }
        self.record = record
        resolution = sequence.resolution
        frameRate = sequence.frameRate
        color = sequence.color
    }

    private mutating func readParameterSet() {
        // A stream whose parameter set cannot be read here may still play. Its size and rate are then unknown.
        guard let set = sequenceParameterSets.first,
            let sequence = try? AVCSequenceParameterSet(nalUnit: set)
        else { return }
        resolution = sequence.resolution
        frameRate = sequence.frameRate
        color = sequence.color
    }
}
