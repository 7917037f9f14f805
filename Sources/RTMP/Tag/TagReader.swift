import NIOCore

/// Reads the fields of an audio or video body; running out of bytes is a `malformedTag` that names the body.
struct TagReader {
    var buffer: ByteBuffer
    let what: StaticString

    mutating func byte() throws(RTMPError) -> UInt8 {
        guard let value = buffer.readInteger(as: UInt8.self) else { throw endsEarly() }
        return value
    }

    mutating func unsigned24() throws(RTMPError) -> UInt32 {
        guard let (high, low) = buffer.readMultipleIntegers(as: (UInt8, UInt16).self) else { throw endsEarly() }
        return UInt32(high) << 16 | UInt32(low)
    }

    mutating func signed24() throws(RTMPError) -> Int32 {
        Int32(bitPattern: try unsigned24() << 8) >> 8
    }

    mutating func fourCC() throws(RTMPError) -> FourCC {
        guard let value = buffer.readInteger(as: UInt32.self) else { throw endsEarly() }
        return FourCC(rawValue: value)
    }

    mutating func slice(_ length: Int) throws(RTMPError) -> ByteBuffer {
        guard let slice = buffer.readSlice(length: length) else { throw endsEarly() }
        return slice
    }

    /// Skips the ModEx packets in front of the real one (enhanced RTMP v2).
    /// - Returns: the packet type that follows them, and the last `TimestampOffsetNano`.
    mutating func modifiers(_ packetType: UInt8, modEx: UInt8) throws(RTMPError) -> (type: UInt8, nanoseconds: Int64) {
        var type = packetType
        var nanoseconds: Int64 = 0
        // Each takes three bytes at least, so the loop is bounded by the body.
        while type == modEx {
            var size = Int(try byte()) + 1
            if size == 256 {
                guard let long = buffer.readInteger(as: UInt16.self) else { throw endsEarly() }
                size = Int(long) + 1
            }
            var data = TagReader(buffer: try slice(size), what: what)
            let next = try byte()
            if next >> 4 == 0, data.buffer.readableBytes >= 3 {
                // The field has room for 16 ms; the specification allows 0…999,999 ns.
                nanoseconds = Int64(min(try data.unsigned24(), 999_999))
            }
            type = next & 0x0F
        }
        return (type, nanoseconds)
    }

    func endsEarly() -> RTMPError {
        RTMPError(.malformedTag, "\(what) message ends inside its header.")
    }
}

/// One track's part of an audio or video body.
struct TagTrack {
    var id: UInt8
    var codec: FourCC
    var payload: ByteBuffer
}

extension TagReader {
    /// More tracks than this in one message are an error: a track takes four bytes, and makes a tag of a hundred.
    static let maximumTracks = 32

    /// Reads what follows the packet type: the codec and its payload, or a multitrack body (enhanced RTMP v2), which begins
    /// with the real packet type.
    /// - Parameters:
    ///   - packetType: replaced by the real one in a multitrack body.
    ///   - isMultitrack: whether the packet type said so.
    /// - Returns: the default track (id 0), or the first one when there is no such track; and the others as they came.
    mutating func tracks(
        _ packetType: inout UInt8, isMultitrack: Bool
    ) throws(RTMPError) -> (first: TagTrack, others: [TagTrack]) {
        guard isMultitrack else {
            return (TagTrack(id: 0, codec: try fourCC(), payload: buffer), [])
        }
        let types = try byte()
        packetType = types & 0x0F
        // 0: one track, 1: many tracks of one codec, 2: each track names its codec.
        let layout = types >> 4
        let shared = layout == 2 ? nil : try fourCC()
        var others: [TagTrack] = []
        while buffer.readableBytes > 0 {
            guard others.count < TagReader.maximumTracks else {
                throw RTMPError(.malformedTag, "\(what) message has more than \(TagReader.maximumTracks) tracks.")
            }
            let codec = if let shared { shared } else { try fourCC() }
            let id = try byte()
            // One track has no size: it takes the rest.
            let length = layout == 0 ? buffer.readableBytes : Int(try unsigned24())
            others.append(TagTrack(id: id, codec: codec, payload: try slice(length)))
        }
        guard !others.isEmpty else { throw endsEarly() }
        let first = others.remove(at: others.firstIndex { $0.id == 0 } ?? 0)
        return (first, others)
    }
}
