import Media
import NIOCore

/// Turns a peer's bytes into messages: the chunk layer of RTMP 1.0 §5.3, with Set Chunk Size and Abort applied.
///
/// Give it bytes with ``receive(_:now:)``, then call ``next()`` until it returns nil.
///
/// Bodies: a message that lies whole in one chunk of the buffer just received, and fills at least half of that buffer's
/// storage, is a slice of it – no copy. Anything smaller is copied out, because a slice keeps the whole read buffer
/// alive: a 300-byte audio frame in a GOP cache must not hold 64 KiB. So a body never holds more than twice its bytes.
/// A message in several chunks is gathered once into a buffer that grows with the bytes that arrive, not with the
/// length announced; what is copied has storage of its own size in the end.
///
/// After an error the decoder must not be used again.
public struct ChunkDecoder: Sendable {
    /// The peer's chunk size in bytes.
    public private(set) var chunkSize = RTMP.defaultChunkSize
    /// Bytes received and not yet decoded.
    public var undecodedBytes: Int {
        input.readableBytes + leftover.readableBytes
    }

    /// First allocation for a message that spans chunks, in bytes: the announced length is not believed beyond this.
    private static let firstBodyCapacity = 4_096

    private let limits: RTMPLimits
    private var input = ByteBuffer()
    /// The beginning of a chunk header that the last buffer cut off: fewer than 18 bytes.
    private var leftover = ByteBuffer()
    private var streams: ChunkStreamTable
    /// The chunk stream whose chunk is being read, and how many of the chunk's bytes are still to come.
    private var current: Int?
    private var chunkRemaining = 0
    private var partialMessages = 0
    private var partialBytes = 0
    /// Memory that unfinished messages have taken, in bytes.
    private(set) var partialCapacity = 0
    private var budget: DecodeBudget

    public init(limits: RTMPLimits = RTMPLimits()) {
        self.limits = limits
        streams = ChunkStreamTable(capacity: limits.maxChunkStreams)
        budget = DecodeBudget(limits.decodeBudget)
    }

    /// Takes bytes from the peer.
    /// - Throws: `tooMuchBuffered` when earlier bytes were not decoded and the sum exceeds the limit.
    public mutating func receive(_ bytes: ByteBuffer, now: NIODeadline) throws(RTMPError) {
        budget.refill(now: now)
        guard input.readableBytes > 0 else {
            input = bytes
            return
        }
        guard input.readableBytes + bytes.readableBytes <= limits.maxUndecodedBytes else {
            throw RTMPError(.tooMuchBuffered, "More than \(limits.maxUndecodedBytes) bytes wait to be decoded.")
        }
        // What has been decoded is not kept along.
        var joined = CountedStorage.buffer(capacity: input.readableBytes + bytes.readableBytes)
        joined.writeImmutableBuffer(input)
        joined.writeImmutableBuffer(bytes)
        input = joined
    }

    /// The next whole message, other than Set Chunk Size and Abort, which are applied here.
    /// - Returns: nil when more bytes are needed.
    public mutating func next() throws(RTMPError) -> RTMPMessage? {
        while true {
            if let index = current {
                guard let message = try readPayload(index) else {
                    if current == nil { continue }
                    // An emptied read buffer is let go, so that the socket may use it again.
                    if input.readableBytes == 0 { input = ByteBuffer() }
                    return nil
                }
                switch message.type {
                case .setChunkSize: try setChunkSize(message.body)
                case .abort: try abort(message.body)
                default: return message
                }
            } else {
                guard let header = readHeader() else { return nil }
                try begin(header)
            }
        }
    }

    private mutating func readHeader() -> ChunkHeader? {
        guard leftover.readableBytes > 0 else {
            if let header = ChunkHeader.peek(input, streams: streams) {
                input.moveReaderIndex(forwardBy: header.size)
                return header
            }
            // A copy of a few bytes, so that the big read buffer is let go.
            leftover = ByteBuffer()
            leftover.writeImmutableBuffer(input)
            input = ByteBuffer()
            return nil
        }
        let kept = leftover.readableBytes
        let added = min(ChunkHeader.maximumSize - kept, input.readableBytes)
        if let slice = input.getSlice(at: input.readerIndex, length: added) {
            leftover.writeImmutableBuffer(slice)
        }
        guard let header = ChunkHeader.peek(leftover, streams: streams) else {
            input.moveReaderIndex(forwardBy: added)
            return nil
        }
        if header.size >= kept {
            input.moveReaderIndex(forwardBy: header.size - kept)
            leftover.clear()
        } else {
            // The bytes kept as a possible repeated extended timestamp are payload: put them back in front.
            leftover.moveReaderIndex(forwardBy: header.size)
            input.moveReaderIndex(forwardBy: added)
            var rest = ByteBufferAllocator().buffer(capacity: leftover.readableBytes + input.readableBytes)
            rest.writeImmutableBuffer(leftover)
            rest.writeImmutableBuffer(input)
            input = rest
            leftover.clear()
        }
        return header
    }

    private mutating func begin(_ header: ChunkHeader) throws(RTMPError) {
        guard let index = streams.indexCreating(header.chunkStreamID) else {
            throw RTMPError(.tooManyChunkStreams, "More than \(streams.capacity) chunk streams.")
        }
        if streams[index].isPartial {
            try continueMessage(header, index)
        } else {
            try beginMessage(header, index)
        }
        chunkRemaining = min(chunkSize, streams[index].length - streams[index].body.readableBytes)
        current = index
        guard budget.charge(payload: chunkRemaining) else {
            throw RTMPError(.decodeWorkExceeded, "Too many chunks for too few bytes.")
        }
    }

    /// Continuations are type 3. A full header is let pass when it says nothing new, as some encoders repeat it.
    private func continueMessage(_ header: ChunkHeader, _ index: Int) throws(RTMPError) {
        let stream = streams[index]
        let agrees =
            switch header.format {
            case 0:
                header.length == stream.length && header.type == stream.type
                    && header.streamID == stream.streamID && header.timestamp == stream.timestamp
            case 1: header.length == stream.length && header.type == stream.type
            default: true
            }
        guard agrees else {
            throw RTMPError(
                .invalidChunk,
                "A message began on chunk stream \(stream.id) with "
                    + "\(stream.length - stream.body.readableBytes) bytes of the last one missing.")
        }
    }

    private mutating func beginMessage(_ header: ChunkHeader, _ index: Int) throws(RTMPError) {
        // A first chunk of type 1 is taken: librtmp opens chunk stream 2 with one.
        guard header.format < 2 || streams[index].hasHeader else {
            throw RTMPError(
                .invalidChunk,
                "A type \(header.format) chunk on chunk stream \(header.chunkStreamID), which has no header yet.")
        }
        if header.format < 3 {
            streams[index].extendedTimestamp = header.isExtended ? header.timestamp : nil
            streams[index].delta = header.timestamp
        }
        if header.format == 0 {
            streams[index].timestamp = header.timestamp
            streams[index].streamID = header.streamID
            // After a type 0 chunk a type 3 chunk adds the same value again (§5.3.1.2.4). Beyond 4.6 hours that would
            // double the clock and nobody means it: librtmp then sends type 3 for "same time".
            if header.isExtended { streams[index].delta = 0 }
        } else {
            streams[index].timestamp &+= streams[index].delta
        }
        if header.format < 2 {
            streams[index].length = header.length
            streams[index].type = header.type
            streams[index].hasHeader = true
        }
        let limit = limits.maxSize(of: streams[index].type)
        guard streams[index].length <= limit else {
            throw RTMPError(
                .messageTooLarge,
                "\(streams[index].type) of \(streams[index].length) bytes; at most \(limit) are taken.")
        }
    }

    /// Takes the current chunk's bytes that are there.
    /// - Returns: the message when this completed it. `current` is nil when the chunk is complete.
    private mutating func readPayload(_ index: Int) throws(RTMPError) -> RTMPMessage? {
        let length = streams[index].length
        if !streams[index].isPartial, chunkRemaining == length, input.readableBytes >= length {
            current = nil
            return message(index, body: wholeBody(length))
        }
        let count = min(chunkRemaining, input.readableBytes)
        if !streams[index].isPartial {
            guard count > 0 else { return nil }
            guard partialMessages < limits.maxPartialMessages else {
                throw RTMPError(.tooManyChunkStreams, "More than \(limits.maxPartialMessages) unfinished messages.")
            }
            partialMessages += 1
            streams[index].isPartial = true
            streams[index].body = CountedStorage.buffer(
                capacity: min(length, max(count, ChunkDecoder.firstBodyCapacity)))
            partialCapacity += streams[index].body.storageCapacity
        }
        partialBytes += count
        guard partialBytes <= limits.maxPartialBytes else {
            throw RTMPError(.tooMuchBuffered, "Unfinished messages exceed \(limits.maxPartialBytes) bytes.")
        }
        if let slice = input.readSlice(length: count) {
            let before = streams[index].body.storageCapacity
            makeRoom(for: count, index)
            streams[index].body.writeImmutableBuffer(slice)
            partialCapacity += streams[index].body.storageCapacity - before
        }
        chunkRemaining -= count
        guard chunkRemaining == 0 else { return nil }
        current = nil
        guard streams[index].body.readableBytes == length else { return nil }
        let body = streams[index].body
        dropPartial(index)
        return message(index, body: body)
    }

    /// Doubles the storage of the message in progress when `count` bytes do not fit, but not beyond what it takes in all.
    private mutating func makeRoom(for count: Int, _ index: Int) {
        let body = streams[index].body
        guard body.writableBytes < count else { return }
        streams[index].body = CountedStorage.buffer(
            capacity: min(streams[index].length, max(2 * body.storageCapacity, body.readableBytes + count)))
        streams[index].body.writeImmutableBuffer(body)
    }

    private mutating func wholeBody(_ length: Int) -> ByteBuffer {
        guard length > 0, let slice = input.readSlice(length: length) else { return ByteBuffer() }
        if length >= input.storageCapacity / 2 { return slice }
        var copy = CountedStorage.buffer(capacity: length)
        copy.writeImmutableBuffer(slice)
        return copy
    }

    private func message(_ index: Int, body: ByteBuffer) -> RTMPMessage {
        let stream = streams[index]
        return RTMPMessage(
            type: stream.type, streamID: stream.streamID, chunkStreamID: stream.id, timestamp: stream.timestamp,
            body: body)
    }

    private mutating func dropPartial(_ index: Int) {
        guard streams[index].isPartial else { return }
        partialMessages -= 1
        partialBytes -= streams[index].body.readableBytes
        partialCapacity -= streams[index].body.storageCapacity
        streams[index].isPartial = false
        streams[index].body = ByteBuffer()
    }

    /// What it holds of bytes that are no whole message yet, or not decoded, by capacity.
    var heldBytes: Int { partialCapacity + input.storageCapacity + leftover.storageCapacity }

    /// Pays for a part of an aggregate message, or a track of several, with `payload` bytes, as for a chunk: each part is a message to deal with.
    mutating func chargePart(payload: Int) throws(RTMPError) {
        guard budget.charge(payload: payload) else {
            throw RTMPError(.decodeWorkExceeded, "Too many parts of messages for too few bytes.")
        }
    }

    private mutating func setChunkSize(_ body: ByteBuffer) throws(RTMPError) {
        guard case .setChunkSize(let size) = try ProtocolControlMessage(type: .setChunkSize, body: body) else { return }
        chunkSize = min(Int(size), max(1, limits.maxChunkSize))
    }

    private mutating func abort(_ body: ByteBuffer) throws(RTMPError) {
        guard case .abort(let id) = try ProtocolControlMessage(type: .abort, body: body) else { return }
        if let index = streams.index(of: id) { dropPartial(index) }
    }
}
