import NIOCore

extension RTMPMessage {
    /// The tracks of an audio or video message that carries several (enhanced RTMP v2), each as a message of its own, the
    /// default track first; nil for every other message, and for one that is malformed.
    ///
    /// The default track's message is one without track ids, which receivers read that know nothing of tracks; the others are
    /// multitrack messages of one track. Frame type, packet type, modifiers and payload stay as they came.
    func trackParts() -> [RTMPMessage]? {
        guard let first = body.getInteger(at: body.readerIndex, as: UInt8.self) else { return nil }
        let multitrack: UInt8
        switch type {
        // Frame type 5 is a command, which has no tracks.
        case .video where first & 0x80 != 0 && first & 0x70 != 0x50: multitrack = 6
        case .audio where first >> 4 == 9: multitrack = 5
        default: return nil
        }
        // Nearly every message ends here; 7 is ModEx, which hides the packet type behind it.
        guard first & 0x0F == multitrack || first & 0x0F == 7 else { return nil }
        return try? parts(multitrack)
    }

    private func parts(_ multitrack: UInt8) throws(RTMPError) -> [RTMPMessage]? {
        var reader = TagReader(buffer: body, what: "A multitrack")
        let (packetType, _) = try reader.modifiers(try reader.byte() & 0x0F, modEx: 7)
        guard packetType == multitrack else { return nil }
        let head = body.readableBytesView.dropLast(reader.buffer.readableBytes)
        let types = try reader.byte()
        let codecs: FourCC?
        // 0: one track, 1: many tracks of one codec, 2: each track names its codec.
        switch types >> 4 {
        case 1: codecs = try reader.fourCC()
        case 2: codecs = nil
        default: return nil
        }
        var tracks: [TagTrack] = []
        while reader.buffer.readableBytes > 0 {
            guard tracks.count < TagReader.maximumTracks else { return nil }
            let codec = if let codecs { codecs } else { try reader.fourCC() }
            let id = try reader.byte()
            tracks.append(TagTrack(id: id, codec: codec, payload: try reader.slice(Int(try reader.unsigned24()))))
        }
        guard !tracks.isEmpty, let last = head.last else { return nil }
        return tracks.sorted { $0.id < $1.id }.map { track in
            var part = self
            part.body = ByteBufferAllocator().buffer(capacity: head.count + 6 + track.payload.readableBytes)
            part.body.writeBytes(head)
            if track.id == 0 {
                // The head's last half byte is the packet type.
                part.body.setInteger(last & 0xF0 | types & 0x0F, at: head.count - 1)
                part.body.writeInteger(track.codec.rawValue)
            } else {
                part.body.writeMultipleIntegers(types & 0x0F, track.codec.rawValue, track.id)
            }
            part.body.writeImmutableBuffer(track.payload)
            return part
        }
    }
}
