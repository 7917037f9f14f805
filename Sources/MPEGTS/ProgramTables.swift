import Media
import NIOCore

/// The two packets that tell a receiver what is in the stream: program association and program map
/// (ISO/IEC 13818-1 §2.4.4).
struct ProgramTables: Sendable {
    static let mapPID: UInt16 = 0x1000
    static let videoPID: UInt16 = 0x100
    static let audioPID: UInt16 = 0x101
    private static let programNumber: UInt16 = 1

    /// Both packets. Only their continuity counters change from one writing to the next.
    private var packets = ByteBuffer()
    private var continuityCounter: UInt8 = 0

    init(tracks: TrackSet) {
        Self.writePacket(pid: TransportStream.programAssociationPID, section: Self.association(), into: &packets)
        Self.writePacket(pid: Self.mapPID, section: Self.map(tracks), into: &packets)
    }

    mutating func write(into output: inout ByteBuffer) {
        let start = output.writerIndex
        output.writeImmutableBuffer(packets)
        output.setInteger(0x10 | continuityCounter, at: start + 3)
        output.setInteger(0x10 | continuityCounter, at: start + TransportStream.packetLength + 3)
        continuityCounter = (continuityCounter &+ 1) & 0x0F
    }

    private static func association() -> ByteBuffer {
        var body = ByteBuffer()
        body.writeInteger(programNumber)
        body.writeInteger(0xE000 | mapPID)
        return section(tableID: 0, identifier: 1, body: body)
    }

    private static func map(_ tracks: TrackSet) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeInteger(0xE000 | (tracks.video == nil ? audioPID : videoPID))
        // The program itself has no descriptors.
        body.writeInteger(UInt16(0xF000))
        for (configuration, pid) in [(tracks.video, videoPID), (tracks.audio, audioPID)] {
            guard let configuration else { continue }
            let descriptors = StreamMapping.descriptors(configuration)
            body.writeInteger(StreamMapping.streamType(configuration))
            body.writeInteger(0xE000 | pid)
            body.writeInteger(0xF000 | UInt16(descriptors.count))
            body.writeBytes(descriptors)
        }
        return section(tableID: 2, identifier: programNumber, body: body)
    }

    /// A table of one section, of version 0 and in force, with its checksum.
    private static func section(tableID: UInt8, identifier: UInt16, body: ByteBuffer) -> ByteBuffer {
        var section = ByteBuffer()
        section.writeInteger(tableID)
        section.writeInteger(0xB000 | UInt16(5 + body.readableBytes + 4))
        section.writeInteger(identifier)
        section.writeBytes([0xC1, 0, 0])
        section.writeImmutableBuffer(body)
        section.writeInteger(SectionChecksum.compute(section.readableBytesView))
        return section
    }

    private static func writePacket(pid: UInt16, section: ByteBuffer, into output: inout ByteBuffer) {
        output.writeInteger(TransportStream.syncByte)
        output.writeInteger(0x4000 | pid)
        output.writeInteger(UInt8(0x10))
        // pointer_field 0: the section begins at once.
        output.writeInteger(UInt8(0))
        output.writeImmutableBuffer(section)
        output.writeRepeatingByte(0xFF, count: TransportStream.payloadLength - 1 - section.readableBytes)
    }
}
