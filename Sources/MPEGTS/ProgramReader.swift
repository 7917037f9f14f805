import Media
import NIOCore

/// What a program map says of the tracks.
struct ProgramMap: Equatable {
    struct Stream: Equatable {
        let pid: UInt16
        /// Nil for a stream type that is not read.
        let codec: Codec?
        let opus: OpusConfiguration?
    }

    let clockPID: UInt16
    let streams: [Stream]

    /// - Parameter section: a program_map_section with its header and checksum.
    init?(_ section: ByteBuffer) {
        guard var body = ProgramReader.body(of: section, tableID: 2),
            let clock = body.readInteger(as: UInt16.self), let infoLength = body.readInteger(as: UInt16.self),
            body.readSlice(length: Int(infoLength & 0x0FFF)) != nil
        else { return nil }
        clockPID = clock & 0x1FFF
        var found: [Stream] = []
        while body.readableBytes > 0 {
            guard let type = body.readInteger(as: UInt8.self), let pid = body.readInteger(as: UInt16.self),
                let length = body.readInteger(as: UInt16.self),
                let descriptors = body.readSlice(length: Int(length & 0x0FFF))
            else { return nil }
            let opus = type == StreamMapping.privateData ? Self.opus(descriptors) : nil
            found.append(Stream(pid: pid & 0x1FFF, codec: Self.codec(type, opus: opus), opus: opus))
        }
        streams = found
    }

    private static func codec(_ streamType: UInt8, opus: OpusConfiguration?) -> Codec? {
        switch streamType {
        case StreamMapping.avc: .video(.avc)
        case StreamMapping.hevc: .video(.hevc)
        case StreamMapping.adtsAAC: .audio(.aac)
        case StreamMapping.mpeg1Audio, StreamMapping.mpeg2Audio: .audio(.mp3)
        case StreamMapping.privateData: opus == nil ? nil : .audio(.opus)
        default: nil
        }
    }

    /// The configuration that Opus's two descriptors hold; nil when either is missing.
    private static func opus(_ descriptors: ByteBuffer) -> OpusConfiguration? {
        var rest = descriptors
        var isOpus = false
        var channels: UInt8?
        while let tag = rest.readInteger(as: UInt8.self), let length = rest.readInteger(as: UInt8.self),
            let body = rest.readSlice(length: Int(length))
        {
            if tag == StreamMapping.registrationTag {
                isOpus = isOpus || body.readableBytesView.prefix(4).elementsEqual(StreamMapping.opusRegistration)
            } else if tag == StreamMapping.extensionTag,
                body.getInteger(at: body.readerIndex, as: UInt8.self) == OpusMapping.extensionDescriptor
            {
                channels = body.getInteger(at: body.readerIndex + 1, as: UInt8.self)
            }
        }
        return isOpus ? channels.flatMap { OpusMapping.head(channelCode: $0) } : nil
    }
}

/// Reads the program association table, and then the map of the first program in it.
struct ProgramReader: Sendable {
    private var association = SectionAssembler()
    private var map = SectionAssembler()
    private var mapPID: UInt16?
    /// The bytes of the map in force, by which its repetitions are recognised and not read again.
    private var current: ByteBuffer?
    /// PCR_PID of the map in force.
    private(set) var clockPID: UInt16?

    /// Takes a packet that belongs to no track.
    /// - Returns: the program map, when the packet completes one that differs from the map in force.
    mutating func read(pid: UInt16, payload: ByteBuffer, isStart: Bool, damaged: inout Int) -> ProgramMap? {
        if pid == TransportStream.programAssociationPID {
            for section in association.read(payload, isStart: isStart, damaged: &damaged) {
                readAssociation(section)
            }
            return nil
        }
        guard pid == mapPID else { return nil }
        var newest: ProgramMap?
        for section in map.read(payload, isStart: isStart, damaged: &damaged) where section != current {
            if let read = ProgramMap(section) {
                current = section
                clockPID = read.clockPID
                newest = read
            }
        }
        return newest
    }

    private mutating func readAssociation(_ section: ByteBuffer) {
        guard var body = Self.body(of: section, tableID: 0) else { return }
        while let number = body.readInteger(as: UInt16.self), let pid = body.readInteger(as: UInt16.self) {
            // Program 0 is the network's own table.
            guard number != 0 else { continue }
            if mapPID != pid & 0x1FFF {
                mapPID = pid & 0x1FFF
                map = SectionAssembler()
                current = nil
            }
            return
        }
    }

    /// The bytes between a section's header and its checksum. nil when the section belongs to another table, is not yet in
    /// force, or is not the first of its table.
    static func body(of section: ByteBuffer, tableID: UInt8) -> ByteBuffer? {
        guard section.readableBytes >= 12, section.getInteger(at: section.readerIndex, as: UInt8.self) == tableID,
            let version = section.getInteger(at: section.readerIndex + 5, as: UInt8.self), version & 1 == 1,
            section.getInteger(at: section.readerIndex + 6, as: UInt8.self) == 0
        else { return nil }
        return section.getSlice(at: section.readerIndex + 8, length: section.readableBytes - 12)
    }
}
