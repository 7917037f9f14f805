import Basics
import Media
import NIOCore

/// Takes an MPEG-TS stream apart (ISO/IEC 13818-1): bytes go in as they come, access units come out.
///
/// Reads the first program, of it the first video track (H.264, H.265) and the first audio track (AAC in ADTS, MP3,
/// Opus). Configurations come from the stream itself. A PES packet of video must hold one access unit, as encoders
/// write it. Where sync is lost, a table is damaged or packets are missing, the units concerned are dropped and counted in
/// ``statistics``. No bytes whatever end the reading.
public struct TransportStreamDemuxer: Sendable {
    /// What was found in the stream, in its order.
    public enum Event: Sendable, Equatable {
        /// The tracks of the program that can be read. Comes at the beginning and whenever they change.
        case tracks([Codec])
        /// A track's configuration. Comes before the track's first unit and whenever it changes.
        case configuration(CodecConfiguration)
        /// The stream says that its clock does not continue.
        case discontinuity
        /// An access unit. Its times go on when the stream's 33 bits wrap.
        case unit(AccessUnit)
    }

    public struct Limits: Sendable {
        /// Bytes of one PES packet, which is one access unit of video. A longer packet is dropped.
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
        /// PES packets that were dropped, because they were damaged or too long, or had no time stamp, or missed packets.
        public var droppedPES = 0
        /// Video access units and audio frames that could not be read although their PES packet was whole. All audio bytes
        /// up to the next frame count as one.
        public var droppedUnits = 0
        /// Bytes of audio passed over in search of a frame.
        public var lostAudioBytes = 0
    }

    public private(set) var statistics = Statistics()
    private let limits: Limits
    /// Bytes that were not read yet: less than two packets when `receive` has returned.
    private var input = ByteBuffer()
    private var isSynchronized = false
    private var tables = ProgramReader()
    private var streams: [ElementaryStream] = []
    private var unwrapper = TimestampUnwrapper(bits: 33)

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes the next bytes of the stream, of any number.
    ///
    /// - Parameter events: gets what the bytes complete. Between calls the demultiplexer holds no more than one unfinished
    ///   PES packet of each track.
    public mutating func receive(_ bytes: ByteBuffer, into events: inout [Event]) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeImmutableBuffer(bytes)
        }
        while synchronize(), let packet = input.readSlice(length: TransportStream.packetLength) {
            read(packet, into: &events)
        }
        // Copies the few bytes that are left, so that the caller's whole buffer is not kept in memory.
        input = ByteBuffer(bytes: input.readableBytesView)
    }

    /// Gives the units that are still open at the end of the stream. Only the beginning of the next unit, or the end of the
    /// stream, tells where such a unit ends.
    public mutating func finish(into events: inout [Event]) {
        if !isSynchronized, input.readableBytes == TransportStream.packetLength,
            input.getInteger(at: input.readerIndex, as: UInt8.self) == TransportStream.syncByte
        {
            // The last packet cannot be confirmed by a next one.
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

    /// Moves to the next packet.
    /// - Returns: false when more bytes are needed for it.
    private mutating func synchronize() -> Bool {
        while input.readableBytes >= TransportStream.packetLength {
            let first = input.getInteger(at: input.readerIndex, as: UInt8.self)
            if first == TransportStream.syncByte {
                if isSynchronized { return true }
                // The value of a sync byte may occur anywhere, so the sync byte of the next packet has to confirm it.
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

    /// Goes on with the tracks that are in the new map as well, and begins the others.
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
            // The unit before the discontinuity is whole, and the counter begins anew.
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
            // A sender may send the same packet twice in a row.
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
