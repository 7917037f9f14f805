import NIOCore

/// H.265's HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1).
public struct HEVCConfiguration: Sendable, Hashable, Codable {
    /// general_profile_space, tier, profile, compatibility, constraints and level.
    public var profile: HEVCProfile
    /// Bytes in each NAL unit's length prefix: 1, 2 or 4.
    public var lengthSize: Int
    /// Each as a NAL unit, header included, emulation prevention in place.
    public var videoParameterSets: [ByteBuffer]
    /// Each as a NAL unit, header included, emulation prevention in place.
    public var sequenceParameterSets: [ByteBuffer]
    /// Each as a NAL unit, header included, emulation prevention in place.
    public var pictureParameterSets: [ByteBuffer]
    /// The record as received, written back untouched into `hvcC`.
    public var record: ByteBuffer
    /// Displayed size; nil when the record holds no sequence parameter set that can be read.
    public var resolution: Resolution?
    /// See ``CodecConfiguration/color``.
    public var color = VideoColor()

    /// `hvc1.` and the profile's name (ISO/IEC 14496-15 annex E): `hvc1.1.6.L93.B0`.
    public var codecString: String {
        "hvc1." + profile.name
    }

    /// Reads a record.
    ///
    /// - Throws: when the record is cut short or its version is neither 1 nor 0, which early encoders wrote.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var reader = BoxFieldReader(record, structure: "hvcC")
        let version = try reader.uint8()
        guard version <= 1 else { throw reader.failure("version \(version) is not 1") }
        var profileBytes = BitReader(reader.bytes, structure: "hvcC")
        profile = try HEVCProfile(&profileBytes)
        try reader.skip(12)
        // Segmentation, parallelism, chroma format, bit depths and average frame rate are not needed here.
        try reader.skip(8)
        lengthSize = Int(try reader.uint8() & 3) + 1
        guard lengthSize != 3 else { throw reader.failure("NAL unit lengths of 3 bytes") }
        videoParameterSets = []
        sequenceParameterSets = []
        pictureParameterSets = []
        for _ in 0..<(try reader.uint8()) {
            let type = HEVCNALUnitType(rawValue: try reader.uint8() & 0x3F)
            let units = try reader.nalUnits(count: Int(try reader.integer(UInt16.self)))
            switch type {
            case .videoParameterSet: videoParameterSets += units
            case .sequenceParameterSet: sequenceParameterSets += units
            case .pictureParameterSet: pictureParameterSets += units
            default: break
            }
        }
        self.record = record
        if let sequence = sequenceParameterSets.first.flatMap({ try? HEVCSequenceParameterSet(nalUnit: $0) }) {
            resolution = sequence.resolution
            color = sequence.color
        }
    }

    /// Makes a record of parameter sets found in the stream, with 4-byte NAL unit lengths.
    ///
    /// - Throws: when there is no sequence parameter set that can be read, or a set is over 65,535 bytes.
    public init(
        videoParameterSets: [ByteBuffer], sequenceParameterSets: [ByteBuffer], pictureParameterSets: [ByteBuffer]
    ) throws(MediaParseError) {
        guard let first = sequenceParameterSets.first else {
            throw MediaParseError("hvcC", "no sequence parameter set")
        }
        let sequence = try HEVCSequenceParameterSet(nalUnit: first)
        profile = sequence.profile
        lengthSize = 4
        self.videoParameterSets = videoParameterSets
        self.sequenceParameterSets = sequenceParameterSets
        self.pictureParameterSets = pictureParameterSets
        resolution = sequence.resolution
        color = sequence.color
        var record = ByteBuffer(bytes: [1])
        profile.write(into: &record)
        record.writeBytes([0xF0, 0, 0xFC, 0xFC | UInt8(sequence.chromaFormat)])
        record.writeBytes([0xF8 | UInt8(sequence.lumaBitDepth - 8), 0xF8 | UInt8(sequence.chromaBitDepth - 8)])
        // No average frame rate; one temporal layer, nested; lengths of 4 bytes; then three arrays.
        record.writeBytes([0, 0, 0x0F])
        record.writeInteger(UInt8(3))
        for (type, sets) in [
            (HEVCNALUnitType.videoParameterSet, videoParameterSets),
            (.sequenceParameterSet, sequenceParameterSets), (.pictureParameterSet, pictureParameterSets),
        ] {
            guard sets.count <= 64 else { throw MediaParseError("hvcC", "over 64 parameter sets of a kind") }
            record.writeInteger(0x80 | type.rawValue)
            record.writeInteger(UInt16(sets.count))
            try record.writeParameterSets(sets, structure: "hvcC")
        }
        self.record = record
    }
}
