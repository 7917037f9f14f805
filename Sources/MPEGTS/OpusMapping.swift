import Media
import NIOCore

/// Opus in MPEG-TS, by the mapping that ffmpeg and GStreamer write: each Opus packet stands behind a control header that has its
/// length.
enum OpusMapping {
    /// descriptor_tag_extension of Opus's audio descriptor.
    static let extensionDescriptor: UInt8 = 0x80

    /// The number of coupled streams in the standard layouts of 1 to 8 channels.
    private static let coupledStreams = [0, 1, 1, 2, 2, 2, 3, 3]
    private static let mappings: [[UInt8]] = [
        [0], [0, 1], [0, 2, 1], [0, 1, 2, 3], [0, 4, 1, 2, 3], [0, 4, 1, 2, 3, 5], [0, 4, 1, 2, 3, 5, 6],
        [0, 6, 1, 2, 3, 4, 5, 7],
    ]

    /// channel_config_code: the number of channels, for the standard layouts; nil for others.
    static func channelCode(_ configuration: OpusConfiguration) -> UInt8? {
        let channels = configuration.channels
        guard (1...8).contains(channels) else { return nil }
        if configuration.mappingFamily == 0 {
            return UInt8(channels)
        }
        guard configuration.mappingFamily == 1, configuration.coupledStreams == coupledStreams[channels - 1],
            configuration.streams == channels - configuration.coupledStreams,
            configuration.channelMapping == mappings[channels - 1]
        else { return nil }
        return UInt8(channels)
    }

    /// The OpusHead of a stream announced with `channelCode`; nil for codes other than the standard layouts.
    static func head(channelCode: UInt8) -> OpusConfiguration? {
        guard (1...8).contains(channelCode) else { return nil }
        let index = Int(channelCode) - 1
        var head = ByteBuffer(string: "OpusHead")
        head.writeInteger(UInt8(1))
        head.writeInteger(channelCode)
        // Pre-skip and gain are zero: the stream itself says, by trimming, which samples to leave out.
        head.writeInteger(UInt16(0))
        head.writeInteger(UInt32(OpusConfiguration.sampleRate), endianness: .little)
        head.writeInteger(UInt16(0))
        head.writeInteger(UInt8(channelCode > 2 ? 1 : 0))
        if channelCode > 2 {
            let coupled = coupledStreams[index]
            head.writeInteger(UInt8(Int(channelCode) - coupled))
            head.writeInteger(UInt8(coupled))
            head.writeBytes(mappings[index])
        }
        return try? OpusConfiguration(record: head)
    }

    /// opus_control_header: the prefix 0x3FF, no trimming, and the length as bytes of 255 and a rest.
    static func writeControlHeader(packetLength: Int, into output: inout ByteBuffer) {
        output.writeInteger(UInt16(0x7FE0))
        output.writeRepeatingByte(0xFF, count: packetLength / 255)
        output.writeInteger(UInt8(packetLength % 255))
    }

    /// Takes one packet with its control header from the head of `bytes`; nil when there is none.
    static func readPacket(from bytes: inout ByteBuffer) -> ByteBuffer? {
        guard let prefix = bytes.readInteger(as: UInt16.self), prefix & 0xFFE0 == 0x7FE0 else { return nil }
        var length = 0
        while true {
            guard let byte = bytes.readInteger(as: UInt8.self) else { return nil }
            // Each turn reads a byte, so the loop ends with the bytes.
            length += Int(byte)
            if byte != 0xFF { break }
        }
        for flag in [UInt16(0x10), 0x08] where prefix & flag != 0 {
            guard bytes.readInteger(as: UInt16.self) != nil else { return nil }
        }
        if prefix & 0x04 != 0 {
            guard let size = bytes.readInteger(as: UInt8.self), bytes.readSlice(length: Int(size)) != nil else {
                return nil
            }
        }
        return bytes.readSlice(length: length)
    }
}
