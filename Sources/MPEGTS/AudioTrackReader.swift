import Media
import NIOCore

/// Takes audio frames out of PES packets: AAC out of ADTS, MP3 frames, Opus packets. A frame may begin in one PES
/// packet and end in the next; a packet's time is that of the first frame that begins in it.
struct AudioTrackReader: Sendable {
    enum Framing: Sendable {
        case adts
        case mp3
        case opus(OpusConfiguration)
    }

    /// A frame found: where its bytes are, and how long it plays.
    private struct Frame {
        var headerLength: Int
        var length: Int
        var samples: Int
        var configuration: CodecConfiguration
    }

    private let framing: Framing
    private var configuration: CodecConfiguration?
    /// The last ADTS header's fields and the configuration made of them, so that it is made once.
    private var lastMade: (type: Int, sampleRate: Int, channels: Int, configuration: CodecConfiguration)?
    /// The beginning of a frame that ends in the next PES packet: shorter than a frame, so under 8 KiB.
    private var carried = ByteBuffer()
    private var isSynchronized = true
    /// The time of the frame that a PES packet timed, and the samples since.
    private var anchor: MediaTime?
    private var samplesSince: Int64 = 0
    private var sampleRate: Int64 = 48_000

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// Bytes are missing before what comes next.
    mutating func lose() {
        carried = ByteBuffer()
        anchor = nil
    }

    mutating func read(
        _ payload: ByteBuffer, time: MediaTime?, dropped: inout Int,
        into events: inout [TransportStreamDemuxer.Event]
    ) {
        if case .opus(let head) = framing {
            readOpus(payload, head: head, time: time, dropped: &dropped, into: &events)
            return
        }
        var bytes = payload
        let boundary = carried.readableBytes
        if boundary > 0 {
            bytes = carried
            bytes.writeImmutableBuffer(payload)
        }
        let total = bytes.readableBytes
        var pendingTime = time
        while bytes.readableBytes > 0 {
            if let time = pendingTime, total - bytes.readableBytes >= boundary {
                restart(at: time)
                pendingTime = nil
            }
            let frame: Frame?
            do throws(MediaParseError) {
                frame = try nextFrame(bytes)
            } catch {
                if isSynchronized {
                    dropped += 1
                }
                isSynchronized = false
                bytes.moveReaderIndex(forwardBy: 1)
                continue
            }
            guard let frame, bytes.readableBytes >= frame.length else { break }
            isSynchronized = true
            guard let whole = bytes.readSlice(length: frame.length) else { break }
            var unit = whole
            unit.moveReaderIndex(forwardBy: frame.headerLength)
            deliver(unit, frame.configuration, samples: frame.samples, into: &events)
        }
        carried = ByteBuffer(bytes: bytes.readableBytesView)
    }

    /// The frame that begins here; nil when more bytes are needed to tell.
    private mutating func nextFrame(_ bytes: ByteBuffer) throws(MediaParseError) -> Frame? {
        switch framing {
        case .adts:
            guard let header = try ADTSHeader(bytes) else { return nil }
            try confirm(bytes, at: header.frameLength, sync: 0xFFF0, mask: 0xFFF6)
            guard header.blocks == 1 else {
                throw MediaParseError("ADTS header", "\(header.blocks) raw data blocks in a frame")
            }
            return Frame(
                headerLength: header.headerLength, length: header.frameLength, samples: header.samples,
                configuration: try aacConfiguration(header))
        case .mp3:
            guard let header = try MP3FrameHeader(bytes) else { return nil }
            try confirm(bytes, at: header.frameLength, sync: 0xFFE2, mask: 0xFFE6)
            return Frame(
                headerLength: 0, length: header.frameLength, samples: header.samples,
                configuration: .mp3(try MP3Configuration(frame: bytes)))
        case .opus:
            return nil
        }
    }

    /// After bytes that were no frame, a sync word counts only when another follows where the frame ends.
    private func confirm(
        _ bytes: ByteBuffer, at length: Int, sync: UInt16, mask: UInt16
    ) throws(MediaParseError) {
        guard !isSynchronized, let next = bytes.getInteger(at: bytes.readerIndex + length, as: UInt16.self) else {
            return
        }
        guard next & mask == sync else { throw MediaParseError("audio frame", "no sync word behind it") }
    }

    private mutating func aacConfiguration(_ header: ADTSHeader) throws(MediaParseError) -> CodecConfiguration {
        if let lastMade, lastMade.type == header.objectType, lastMade.sampleRate == header.sampleRate,
            lastMade.channels == header.channelConfiguration
        {
            return lastMade.configuration
        }
        let made = CodecConfiguration.aac(
            try AACConfiguration(
                objectType: header.objectType, sampleRate: header.sampleRate,
                channelConfiguration: header.channelConfiguration))
        lastMade = (header.objectType, header.sampleRate, header.channelConfiguration, made)
        return made
    }

    private mutating func readOpus(
        _ payload: ByteBuffer, head: OpusConfiguration, time: MediaTime?, dropped: inout Int,
        into events: inout [TransportStreamDemuxer.Event]
    ) {
        var bytes = payload
        if let time {
            restart(at: time)
        }
        while bytes.readableBytes > 0 {
            guard let packet = OpusMapping.readPacket(from: &bytes),
                let samples = OpusConfiguration.samples(inPacket: packet)
            else {
                dropped += 1
                return
            }
            deliver(packet, .opus(head), samples: samples, into: &events)
        }
    }

    private mutating func restart(at time: MediaTime) {
        anchor = time
        samplesSince = 0
    }

    private mutating func deliver(
        _ payload: ByteBuffer, _ frameConfiguration: CodecConfiguration, samples: Int,
        into events: inout [TransportStreamDemuxer.Event]
    ) {
        // Before the first time that is told, nothing can be placed.
        guard var time = anchor else { return }
        time += MediaTime(ticks: samplesSince, timescale: sampleRate)
        if configuration != frameConfiguration {
            configuration = frameConfiguration
            restart(at: time)
            sampleRate = Int64(Self.sampleRate(frameConfiguration))
            events.append(.configuration(frameConfiguration))
        }
        samplesSince += Int64(samples)
        events.append(
            .unit(
                AccessUnit(codec: frameConfiguration.codec, decodeTime: time, isKeyframe: true, payload: payload)))
    }

    private static func sampleRate(_ configuration: CodecConfiguration) -> Int {
        switch configuration {
        case .aac(let value): value.sampleRate
        case .mp3(let value): value.sampleRate
        default: OpusConfiguration.sampleRate
        }
    }
}
