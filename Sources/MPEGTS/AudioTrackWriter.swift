import Media
import NIOCore

/// Writes audio as PES packets of several frames each. With one frame in each packet a third of the bytes would be stuffing.
struct AudioTrackWriter: Sendable {
    private enum Framing: Sendable {
        case adts(AACConfiguration)
        case mp3(MP3Configuration)
        case opus
        case ac3(CodecConfiguration, sampleRate: Int)
    }

    /// The longest payload: the length of a PES packet has 16 bits and counts part of its header too.
    private static let maximumPayload = 65_000
    /// A frame that begins further than this from the end of the frame before it begins a packet of its own, with a time stamp of
    /// its own. Smaller distances come from times that were rounded to milliseconds, and inside a packet a receiver counts
    /// samples.
    private static let tolerance = MediaTime(milliseconds: 2)

    private let framing: Framing
    private let codec: Codec
    /// How much time one packet holds at most.
    private let limit: MediaTime
    /// Without video, audio carries the clock.
    private let carriesClock: Bool
    var packets = PacketWriter(pid: ProgramTables.audioPID)

    private var pending = ByteBuffer()
    private var start = MediaTime.zero
    private var end = MediaTime.zero

    /// Nil for codecs that MPEG-TS does not carry.
    init?(_ configuration: CodecConfiguration, limit: MediaTime, carriesClock: Bool) {
        codec = configuration.codec
        self.limit = carriesClock ? min(limit, ClockReference.interval) : limit
        self.carriesClock = carriesClock
        switch configuration {
        case .aac(let value): framing = .adts(value)
        case .mp3(let value): framing = .mp3(value)
        case .opus: framing = .opus
        case .ac3(let value): framing = .ac3(configuration, sampleRate: value.sampleRate)
        case .eac3(let value): framing = .ac3(configuration, sampleRate: value.sampleRate)
        default: return nil
        }
    }

    /// Takes a frame. The frames before it are written if it does not fit into their packet. An empty frame is left out.
    mutating func write(
        _ unit: AccessUnit, offset: MediaTime, clock: inout ClockReference, into output: inout ByteBuffer
    ) throws(TransportStreamError) {
        let size = unit.payload.readableBytes
        guard size > 0 else { return }
        guard size <= Self.maximumPayload / 2 else {
            throw .malformedUnit(codec, MediaParseError("audio frame", "\(size) bytes are too long"))
        }
        let time = unit.presentationTime + offset
        let distance = time - end
        if pending.readableBytes > 0,
            distance > Self.tolerance || distance < MediaTime.zero - Self.tolerance
                || pending.readableBytes + 2 * size + 64 > Self.maximumPayload
        {
            flush(clock: &clock, into: &output)
        }
        if pending.readableBytes == 0 {
            start = time
            end = time
        }
        let duration = try append(unit.payload)
        end += duration
        if end + duration - start > limit {
            flush(clock: &clock, into: &output)
        }
    }

    /// Writes the frames that wait if they have waited long enough by `time`, the decode time that the video has reached.
    mutating func flush(before time: MediaTime, clock: inout ClockReference, into output: inout ByteBuffer) {
        if time - start > limit {
            flush(clock: &clock, into: &output)
        }
    }

    /// Writes the frames that wait.
    mutating func flush(clock: inout ClockReference, into output: inout ByteBuffer) {
        let size = pending.readableBytes
        guard size > 0 else { return }
        var reference: MediaTime?
        if carriesClock {
            while let between = clock.nextBetween(time: start) {
                packets.writeClock(between, into: &output)
            }
            reference = clock.next(time: start, isForced: true)
        }
        let header = PESHeader(streamID: streamID, presentation: start, decode: start)
        packets.begin(
            length: header.length + size, clock: reference, isRandomAccess: carriesClock, into: &output)
        header.write(payloadLength: size, to: &packets, into: &output)
        packets.append(pending, into: &output)
        pending.clear()
    }

    private var streamID: UInt8 {
        switch framing {
        case .adts, .mp3: PESHeader.audio
        case .opus, .ac3: PESHeader.privateStream
        }
    }

    /// Appends a frame behind the header that its codec needs.
    /// - Returns: how long the frame plays.
    private mutating func append(_ payload: ByteBuffer) throws(TransportStreamError) -> MediaTime {
        switch framing {
        case .adts(let configuration):
            do throws(MediaParseError) {
                try configuration.writeADTSHeader(frameLength: payload.readableBytes, into: &pending)
            } catch {
                throw .malformedUnit(codec, error)
            }
            pending.writeImmutableBuffer(payload)
            return configuration.frameDuration
        case .mp3(let configuration):
            pending.writeImmutableBuffer(payload)
            return configuration.frameDuration
        case .opus:
            OpusMapping.writeControlHeader(packetLength: payload.readableBytes, into: &pending)
            pending.writeImmutableBuffer(payload)
            return OpusConfiguration.duration(ofPacket: payload) ?? .zero
        case .ac3(let configuration, let sampleRate):
            pending.writeImmutableBuffer(payload)
            let samples = configuration.samples(inUnit: payload) ?? 0
            return MediaTime(ticks: Int64(samples), timescale: Int64(sampleRate))
        }
    }
}
