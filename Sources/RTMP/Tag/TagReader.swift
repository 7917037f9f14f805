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
    /// More tracks than this in one message are an error: a track takes four bytes, and makes a message.
    static let maximumTracks = 32

    /// Reads what follows the packet type: the codec and its payload, or a multitrack body of one track (enhanced RTMP v2),
    /// which begins with the real packet type. Messages of several tracks are taken apart before (`trackParts`).
    /// - Parameters:
    ///   - packetType: replaced by the real one in a multitrack body.
    ///   - isMultitrack: whether the packet type said so.
    mutating func track(_ packetType: inout UInt8, isMultitrack: Bool) throws(RTMPError) -> TagTrack {
        guard isMultitrack else { return TagTrack(id: 0, codec: try fourCC(), payload: buffer) }
        let types = try byte()
        guard types >> 4 == 0 else {
            throw RTMPError(.malformedTag, "\(what) message of several tracks cannot be taken apart.")
        }
        packetType = types & 0x0F
        let codec = try fourCC()
        return TagTrack(id: try byte(), codec: codec, payload: buffer)
    }
}
