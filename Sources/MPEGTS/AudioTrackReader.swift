import Media
import NIOCore

/// Takes audio frames out of PES packets: AAC frames out of ADTS, MP3 frames, Opus packets. A frame may begin in one PES packet
/// and end in the next one. The time of a PES packet is that of the first frame that begins in it.
struct AudioTrackReader: Sendable {
    enum Framing: Sendable {
        case adts
        case mp3
        case opus(OpusConfiguration)
    }

    /// What is found at a place of the stream.
    private enum Place {
        case frame(Frame)
        /// More bytes are needed to know.
        case incomplete
        case noFrame
    }

    /// A frame that was found: where its bytes are, and how long it plays.
    private struct Frame {
        var headerLength: Int
        var length: Int
        var samples: Int
        var configuration: CodecConfiguration
    }

    private let framing: Framing
    private var configuration: CodecConfiguration?
    /// The fields of the last ADTS header and the configuration that was made of them, so that equal headers share one.
    private var lastMade: (type: Int, sampleRate: Int, channels: Int, configuration: CodecConfiguration)?
    /// The beginning of a frame that ends in the next PES packet. It is shorter than a frame, so under 8 KiB.
    private var carried = ByteBuffer()
    private var isSynchronized = true
    /// The time that the last PES packet gave to a frame, and the samples since that frame began.
    private var anchor: MediaTime?
    private var samplesSince: Int64 = 0
    private var sampleRate: Int64 = 48_000

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// Says that bytes are missing before those that come next.
    mutating func lose() {
        carried = ByteBuffer()
        anchor = nil
    }

    mutating func read(
        _ payload: ByteBuffer, time: MediaTime?, statistics: inout TransportStreamDemuxer.Statistics,
        into events: inout [TransportStreamDemuxer.Event]
    ) {
        if case .opus(let head) = framing {
            readOpus(payload, head: head, time: time, dropped: &statistics.droppedUnits, into: &events)
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
        search: while bytes.readableBytes > 0 {
            if let time = pendingTime, total - bytes.readableBytes >= boundary {
                restart(at: time)
                pendingTime = nil
            }
            let frame: Frame
            switch place(in: bytes) {
            case .frame(let found): frame = found
            case .incomplete: break search
            case .noFrame:
                skip(&bytes, statistics: &statistics)
                continue
            }
            guard let whole = bytes.readSlice(length: frame.length) else { break }
            isSynchronized = true
            var unit = whole
            unit.moveReaderIndex(forwardBy: frame.headerLength)
            deliver(unit, frame.configuration, samples: frame.samples, into: &events)
        }
        carried = ByteBuffer(bytes: bytes.readableBytesView)
    }

    /// Moves on to the next place where a frame may begin: every header begins with eight set bits. The bytes passed over are
    /// counted; no error is made for them, because a stream may hold any number.
    private mutating func skip(_ bytes: inout ByteBuffer, statistics: inout TransportStreamDemuxer.Statistics) {
        if isSynchronized { statistics.droppedUnits += 1 }
        isSynchronized = false
        let distance = bytes.withUnsafeReadableBytes { bytes in
            bytes.dropFirst().firstIndex(of: 0xFF).map { $0 - bytes.startIndex } ?? bytes.count
        }
        bytes.moveReaderIndex(forwardBy: distance)
        statistics.lostAudioBytes += distance
    }

    private mutating func place(in bytes: ByteBuffer) -> Place {
        switch framing {
        case .adts:
            guard let isHeader = ADTSHeader.stands(atHeadOf: bytes) else { return .incomplete }
            guard isHeader, let header = try? ADTSHeader(bytes), header.blocks == 1,
                isConfirmed(bytes, at: header.frameLength, sync: 0xFFF0, mask: 0xFFF6),
                let configuration = aacConfiguration(header)
            else { return .noFrame }
            return .frame(
                Frame(
                    headerLength: header.headerLength, length: header.frameLength, samples: header.samples,
                    configuration: configuration))
        case .mp3:
            guard let isHeader = MP3FrameHeader.stands(atHeadOf: bytes) else { return .incomplete }
            guard isHeader, let header = try? MP3FrameHeader(bytes),
                isConfirmed(bytes, at: header.frameLength, sync: 0xFFE2, mask: 0xFFE6),
                let configuration = try? MP3Configuration(frame: bytes)
            else { return .noFrame }
            return .frame(
                Frame(
                    headerLength: 0, length: header.frameLength, samples: header.samples,
                    configuration: .mp3(configuration)))
        case .opus:
            return .noFrame
        }
    }

    /// Whether another sync word follows where the frame ends. After bytes that were no frame, a sync word counts only then.
    private func isConfirmed(_ bytes: ByteBuffer, at length: Int, sync: UInt16, mask: UInt16) -> Bool {
        guard !isSynchronized, let next = bytes.getInteger(at: bytes.readerIndex + length, as: UInt16.self) else {
            return true
        }
        return next & mask == sync
    }

    private mutating func aacConfiguration(_ header: ADTSHeader) -> CodecConfiguration? {
        // Channel configuration 0 means that the frame itself tells the channels, and frames are not read.
        guard header.channelConfiguration > 0 else { return nil }
        if let lastMade, lastMade.type == header.objectType, lastMade.sampleRate == header.sampleRate,
            lastMade.channels == header.channelConfiguration
        {
            return lastMade.configuration
        }
        let configuration = try? AACConfiguration(
            objectType: header.objectType, sampleRate: header.sampleRate,
            channelConfiguration: header.channelConfiguration)
        guard let made = configuration.map(CodecConfiguration.aac) else { return nil }
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
        // Frames that come before the first time stamp have no place on the timeline.
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
