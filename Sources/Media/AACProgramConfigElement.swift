import NIOCore

/// AAC's program_config_element (ISO/IEC 14496-3 §4.4.1.1): which channels a stream has when no standard layout fits.
struct AACProgramConfigElement {
    /// The element with its 3-bit id before it and filled to whole bytes, as a raw data block begins with it.
    let bytes: ByteBuffer
    let channels: Int

    /// Reads the element inside an AudioSpecificConfig and writes it anew, because it is aligned otherwise in the stream.
    init(_ reader: inout BitReader) throws(MediaParseError) {
        var copier = Copier(reader: reader)
        // ID_PCE.
        copier.writer.write(5, bits: 3)
        // element_instance_tag, object_type, sampling_frequency_index.
        _ = try copier.copy(4 + 2 + 4)
        let front = try copier.copy(4)
        let side = try copier.copy(4)
        let back = try copier.copy(4)
        let lowFrequency = try copier.copy(2)
        let associatedData = try copier.copy(3)
        let coupling = try copier.copy(4)
        for mixdownBits in [4, 4, 3] where try copier.copy(1) == 1 {
            _ = try copier.copy(mixdownBits)
        }
        var count = Int(lowFrequency)
        for _ in 0..<(front + side + back) {
            count += try copier.copy(1) == 1 ? 2 : 1
            _ = try copier.copy(4)
        }
        for _ in 0..<(lowFrequency + associatedData) {
            _ = try copier.copy(4)
        }
        for _ in 0..<coupling {
            _ = try copier.copy(5)
        }
        copier.reader.align()
        copier.writer.align()
        let comment = try copier.copy(8)
        for _ in 0..<comment {
            _ = try copier.copy(8)
        }
        reader = copier.reader
        bytes = copier.writer.bytes
        channels = count
    }

    private struct Copier {
        var reader: BitReader
        var writer = BitWriter()

        mutating func copy(_ count: Int) throws(MediaParseError) -> UInt32 {
            let value = try reader.bits(count)
            writer.write(value, bits: count)
            return value
        }
    }
}
