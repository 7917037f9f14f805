import Basics
import Media
import NIOCore

/// Takes an MPEG-TS stream apart (ISO/IEC 13818-1): bytes go in as they come, access units come out.
///
/// Reads the first program, of it the first video track (H.264, H.265) and the first audio track (AAC in ADTS, MP3,
/// Opus). Configurations come from the stream itself. A PES packet of video must hold one access unit, as encoders
/// write it. Lost sync, damaged tables and lost packets cost the units they hit and are counted in ``statistics``;
/// nothing in the bytes is an error of the whole stream.
public struct TransportStreamDemuxer: Sendable {
    /// What has been found, in the order of the stream.
    public enum Event: Sendable, Equatable {
        /// The program's tracks that can be read, at the beginning and whenever they change.
        case tracks([Codec])
        /// Before a track's first unit and whenever it changes.
        case configuration(CodecConfiguration)
        /// The stream says that its clock does not continue.
        case discontinuity
        /// A unit; times continue over the wrap of the stream's 33 bits.
        case unit(AccessUnit)
    }

    public struct Limits: Sendable {
        /// Bytes of one PES packet, so of one access unit; a longer one is dropped.
        public var pesBytes: Int

        public init(pesBytes: Int = 8 << 20) {
            self.pesBytes = pesBytes
        }
    }

    /// What could not be read, since the beginning.
    public struct Statistics: Sendable, Equatable {
        /// Bytes passed over in search of packets.
        public var lostBytes = 0
        /// Packets that their sender marked as damaged, or whose header contradicts itself.
        public var damagedPackets = 0
        /// Places where a continuity counter did not continue.
        public var counterGaps = 0
        /// Sections with a wrong checksum or impossible length.
        public var damagedSections = 0
        /// PES packets dropped: damaged, too long, without a time, or with packets missing.
        public var droppedPES = 0
        /// Video access units and audio frames inside whole PES packets that could not be read. Audio bytes that are no
        /// frame count as one until the next frame.
        public var droppedUnits = 0
        /// Bytes of audio passed over in search of a frame.
        public var lostAudioBytes = 0
    }

    public private(set) var statistics = Statistics()
    private let limits: Limits
    /// Less than two packets once `receive` returns.
    private var input = ByteBuffer()
    private var isSynchronized = false
    private var tables = ProgramReader()
    private var streams: [ElementaryStream] = []
    private var unwrapper = TimestampUnwrapper(bits: 33)

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes the stream's next bytes, as many as there are.
    ///
    /// - Parameter events: what they complete is appended. Between calls the demultiplexer holds at most the PES packet
    ///   that is open of each track.
    public mutating func receive(_ bytes: ByteBuffer, into events: inout [Event]) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeImmutableBuffer(bytes)
        }
        while synchronize(), let packet = input.readSlice(length: TransportStream.packetLength) {
            read(packet, into: &events)
        }
        // Keeps a few bytes, not the caller's whole buffer.
        input = ByteBuffer(bytes: input.readableBytesView)
    }

    /// Hands out the units whose end only the next one's beginning, or the stream's end, can tell.
    public mutating func finish(into events: inout [Event]) {
        if !isSynchronized, input.readableBytes == TransportStream.packetLength,
            input.getInteger(at: input.readerIndex, as: UInt8.self) == TransportStream.syncByte
        {
            // One packet alone cannot be confirmed by the next.
            read(input, into: &events)
        }
        statistics.lostBytes += isSynchronized ? 0 : input.readableBytes
        input = ByteBuffer()
        isSynchronized = false
        for index in streams.indices {
            if let pes = streams[index].assembler.finish() {
                deliver(pes, from: index, into: &events)
            }
        }
    }

    /// Moves to the next packet; false when more bytes are needed for it.
    private mutating func synchronize() -> Bool {
        while input.readableBytes >= TransportStream.packetLength {
            let first = input.getInteger(at: input.readerIndex, as: UInt8.self)
            if first == TransportStream.syncByte {
                if isSynchronized { return true }
                // A sync byte may stand anywhere: the next packet's confirms it.
                let next = input.readerIndex + TransportStream.packetLength
                guard next < input.writerIndex else { return false }
                if input.getInteger(at: next, as: UInt8.self) == TransportStream.syncByte {
                    isSynchronized = true
                    return true
                }
            }
            isSynchronized = false
            input.moveReaderIndex(forwardBy: 1)
            statistics.lostBytes += 1
        }
        return false
    }

    private mutating func read(_ bytes: ByteBuffer, into events: inout [Event]) {
        guard let packet = Packet(bytes) else {
            statistics.damagedPackets += 1
            return
        }
        if let index = streams.firstIndex(where: { $0.pid == packet.pid }) {
            read(packet, of: index, into: &events)
        } else if let payload = packet.payload {
            let map = tables.read(
                pid: packet.pid, payload: payload, isStart: packet.isStart, damaged: &statistics.damagedSections)
            if let map {
                apply(map, into: &events)
            }
        }
    }

    /// Keeps the streams that go on, and begins the new ones.
    private mutating func apply(_ map: ProgramMap, into events: inout [Event]) {
        var chosen: [ElementaryStream] = []
        for entry in map.streams {
            guard let codec = entry.codec, !chosen.contains(where: { $0.codec.isVideo == codec.isVideo }),
                !chosen.contains(where: { $0.pid == entry.pid })
            else { continue }
            let running = streams.first { $0.pid == entry.pid && $0.codec == codec }
            chosen.append(running ?? ElementaryStream(pid: entry.pid, codec: codec, opus: entry.opus))
        }
        for index in streams.indices where !chosen.contains(where: { $0.pid == streams[index].pid }) {
            if let pes = streams[index].assembler.finish() {
                deliver(pes, from: index, into: &events)
            }
        }
        let isNew = chosen.map(\.codec) != streams.map(\.codec)
        streams = chosen
        if isNew {
            events.append(.tracks(chosen.map(\.codec)))
        }
    }

    private mutating func read(_ packet: Packet, of index: Int, into events: inout [Event]) {
        if packet.isDiscontinuous {
            // The unit before it is whole; what comes counts anew.
            if let pes = streams[index].assembler.finish() {
                deliver(pes, from: index, into: &events)
            }
            streams[index].counter = nil
            if packet.pid == tables.clockPID {
                events.append(.discontinuity)
            }
        }
        guard let payload = packet.payload else { return }
        if let last = streams[index].counter {
            // The same packet may be sent twice in a row.
            if packet.counter == last { return }
            if packet.counter != (last &+ 1) & 0x0F {
                statistics.counterGaps += 1
                if streams[index].assembler.abandon() {
                    statistics.droppedPES += 1
                }
                streams[index].lose()
            }
        }
        streams[index].counter = packet.counter
        if packet.isStart {
            if let pes = streams[index].assembler.finish() {
                deliver(pes, from: index, into: &events)
            }
            streams[index].assembler.begin()
        }
        switch streams[index].assembler.append(payload, limit: limits.pesBytes) {
        case .incomplete: break
        case .complete(let pes): deliver(pes, from: index, into: &events)
        case .tooLong:
            statistics.droppedPES += 1
            streams[index].lose()
        }
    }

    private mutating func deliver(_ bytes: ByteBuffer, from index: Int, into events: inout [Event]) {
        guard let pes = PESPacket(bytes) else {
            statistics.droppedPES += 1
            return
        }
        let decode = (pes.decode ?? pes.presentation).map { unwrapped($0) }
        let presentation = pes.presentation.map { unwrapped($0) }
        let isRead = streams[index].read(
            pes.payload, decode: decode, presentation: presentation, statistics: &statistics,
            into: &events)
        if !isRead {
            statistics.droppedPES += 1
        }
    }

    private mutating func unwrapped(_ stamp: UInt64) -> MediaTime {
        MediaTime(ticks: unwrapper.unwrap(stamp), timescale: TransportStream.timescale)
    }
}
