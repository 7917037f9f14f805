import NIOCore

/// Opus's identification header, OpusHead (RFC 7845 §5.1).
public struct OpusConfiguration: Sendable, Hashable, Codable {
    /// Opus is decoded at 48 kHz, whatever the sample rate of its source.
    public static let sampleRate = 48_000

    /// Output channels, 1 to 255.
    public var channels: Int
    /// Samples, at 48 kHz, to leave out at the beginning.
    public var preSkip: Int
    /// The sample rate of the source, for information only; 0 when it is unknown.
    public var inputSampleRate: Int
    /// Gain to apply, in 1/256 dB.
    public var outputGain: Int16
    /// 0: one stream, mono or stereo; 1: surround in Vorbis order; 255: undefined.
    public var mappingFamily: UInt8
    /// Opus streams in a packet.
    public var streams: Int
    /// How many of them are stereo.
    public var coupledStreams: Int
    /// For each output channel, the decoded channel it takes; empty for family 0.
    public var channelMapping: [UInt8]
    /// The OpusHead as received.
    public var record: ByteBuffer

    /// `opus`, the name in MP4 (RFC 6381's registry).
    public var codecString: String {
        "opus"
    }

    /// From an OpusHead, as enhanced RTMP's sequence start carries it.
    ///
    /// - Throws: when it is cut short, has another magic or a major version over 0, or names no channels.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var reader = BoxFieldReader(record, structure: "OpusHead")
        guard try reader.integer(UInt64.self) == 0x4F70_7573_4865_6164 else { throw reader.failure("no OpusHead") }
        guard try reader.uint8() & 0xF0 == 0 else { throw reader.failure("a version over 15") }
        channels = Int(try reader.uint8())
        guard channels > 0 else { throw reader.failure("no channels") }
        preSkip = Int(try reader.integer(UInt16.self, endianness: .little))
        inputSampleRate = Int(try reader.integer(UInt32.self, endianness: .little))
        outputGain = try reader.integer(Int16.self, endianness: .little)
        mappingFamily = try reader.uint8()
        channelMapping = []
        if mappingFamily == 0 {
            guard channels <= 2 else { throw reader.failure("\(channels) channels in mapping family 0") }
            streams = 1
            coupledStreams = channels - 1
        } else {
            streams = Int(try reader.uint8())
            coupledStreams = Int(try reader.uint8())
            guard streams > 0, coupledStreams <= streams, streams + coupledStreams <= 255 else {
                throw reader.failure("\(streams) streams, \(coupledStreams) of them coupled")
            }
            for _ in 0..<channels {
                channelMapping.append(try reader.uint8())
            }
        }
        self.record = record
    }

    /// Samples of each channel, at 48 kHz, in a packet, read from its first bytes (RFC 6716 §3.1); nil for a packet
    /// that is empty, cut short, or longer than the 120 ms that Opus allows.
    public static func samples(inPacket packet: ByteBuffer) -> Int? {
        guard let table = packet.getInteger(at: packet.readerIndex, as: UInt8.self) else { return nil }
        let configuration = Int(table >> 3)
        let frame: Int
        switch configuration {
        case 0..<12: frame = [480, 960, 1920, 2880][configuration & 3]
        case 12..<16: frame = [480, 960][configuration & 1]
        default: frame = [120, 240, 480, 960][configuration & 3]
        }
        let count: Int
        switch table & 3 {
        case 0: count = 1
        case 1, 2: count = 2
        default:
            guard let second = packet.getInteger(at: packet.readerIndex + 1, as: UInt8.self) else { return nil }
            count = Int(second & 0x3F)
        }
        let samples = frame * count
        return samples > 0 && samples <= 5760 ? samples : nil
    }

    /// How long a packet plays; nil when its first bytes cannot be read.
    public static func duration(ofPacket packet: ByteBuffer) -> MediaTime? {
        samples(inPacket: packet).map { MediaTime(ticks: Int64($0), timescale: Int64(sampleRate)) }
    }
}
