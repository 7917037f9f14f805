import NIOCore
import RTMP

/// Sessions, chunks and AMF.
enum RTMPFuzzing {
    /// How a peer behaves, in an input's first three bytes; its bytes follow.
    private struct Peer {
        /// Bit 0: the handshake is already done. Bits 1 to 3: connect, publish, play are refused. Bit 4: requests are
        /// answered only when more bytes have come. Bit 5: the peer is pinged.
        var options: UInt8
        /// The bytes that each read of the socket gives; 0: all at once.
        var pieceLength: Int
        /// The time between two reads.
        var step: TimeAmount
        var pieces: [ByteBuffer]

        init?(_ input: [UInt8]) {
            guard input.count >= 3 else { return nil }
            options = input[0]
            pieceLength = Int(input[1])
            step = .milliseconds(Int64(input[2]) * 10)
            pieces = RTMPFuzzing.pieces(Array(input[3...]), of: pieceLength)
        }

        func has(_ bit: UInt8) -> Bool { options & (1 << bit) != 0 }
    }

    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let handshake = ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 3_072))

    static func server(_ input: [UInt8]) throws {
        guard let peer = Peer(input) else { return }
        var now = start
        var session = ServerSession(now: now, seed: 1)
        if peer.has(0) { try session.receive(handshake, now: now) }
        var received = 0
        var mediaBytes = 0
        var waiting: ServerEvent?
        do {
            for piece in peer.pieces {
                now = now + peer.step
                received += piece.readableBytes
                if let event = waiting { answer(event, of: peer, in: &session) }
                waiting = nil
                if peer.has(5) { session.ping(now: now) }
                try session.receive(piece, now: now)
                while let event = try session.nextEvent() {
                    if case .media(let message) = event {
                        mediaBytes += message.body.readableBytes
                        if message.isVideo {
                            MediaFuzzing.video(message.body)
                        } else {
                            MediaFuzzing.audio(message.body)
                        }
                    }
                    if peer.has(4) {
                        waiting = event
                    } else {
                        answer(event, of: peer, in: &session)
                    }
                }
                try check(session.takeOutput(), limit: RTMPLimits().maxOutputBytes)
                if session.expired(now: now) != nil { break }
            }
        } catch let error as RTMPError {
            var isOver = false
            do { _ = try session.nextEvent() } catch { isOver = true }
            try promise(isOver, "A session goes on after \(error).")
        }
        try promise(mediaBytes <= received, "\(received) bytes became \(mediaBytes) bytes of media.")
    }

    private static func answer(_ event: ServerEvent, of peer: Peer, in session: inout ServerSession) {
        switch event {
        case .connectRequested:
            if peer.has(1) {
                session.rejectConnect(description: "No.")
            } else {
                session.acceptConnect()
            }
        case .publishRequested(let request):
            if peer.has(2) {
                session.refusePublish(streamID: request.streamID, description: "No.")
            } else {
                session.acceptPublish(streamID: request.streamID)
            }
        case .playRequested(let request):
            if peer.has(3) {
                session.refusePlay(streamID: request.streamID, description: "No.")
            } else {
                session.acceptPlay(streamID: request.streamID)
            }
        case .seek(let streamID, let milliseconds):
            session.acceptSeek(streamID: streamID, milliseconds: milliseconds)
        default: break
        }
    }

    static func client(_ input: [UInt8]) throws {
        guard let peer = Peer(input) else { return }
        var now = start
        var configuration = ClientConfiguration(
            purpose: peer.has(1) ? .play : .publish, app: "app/live", stream: "s", tcURL: "rtmp://host/app/live")
        if peer.has(2) { configuration.credentials = .init(user: "user", password: "password") }
        var session = ClientSession(configuration: configuration, now: now, seed: 1)
        _ = session.takeOutput()
        if peer.has(0) { try session.receive(handshake, now: now) }
        do {
            for piece in peer.pieces {
                now = now + peer.step
                if peer.has(5) { session.ping(now: now) }
                try session.receive(piece, now: now)
                while try session.nextEvent() != nil {}
                if session.isRunning {
                    session.send(.video, timestamp: 0, body: ByteBuffer(bytes: [0x17, 0, 0, 0, 0]))
                }
                try check(session.takeOutput(), limit: RTMPLimits().maxOutputBytes)
                if session.expired(now: now) != nil { break }
            }
            if peer.has(4) { session.stop() }
        } catch let error as RTMPError {
            var isOver = false
            do { _ = try session.nextEvent() } catch { isOver = true }
            try promise(isOver, "A session goes on after \(error).")
        }
    }

    private static func check(_ output: ByteBuffer?, limit: Int) throws {
        // One reply may go over the limit before the session ends.
        let bytes = output?.readableBytes ?? 0
        try promise(bytes <= 2 * limit, "\(bytes) bytes of replies wait.")
    }

    static func chunks(_ input: [UInt8]) throws {
        guard let first = input.first else { return }
        let bytes = Array(input.dropFirst())
        let whole = messages(pieces(bytes, of: 0))
        let split = messages(pieces(bytes, of: Int(first)))
        try promise(whole.messages == split.messages, "Messages depend on the pieces that their bytes came in.")
        try promise(
            whole.error == split.error, "The end depends on the pieces: \(whole.error as Any), \(split.error as Any).")
        let total = whole.messages.reduce(0) { $0 + $1.body.readableBytes }
        try promise(total <= bytes.count, "\(bytes.count) bytes became messages of \(total).")
        for message in whole.messages { try read(message) }
    }

    private static func messages(_ pieces: [ByteBuffer]) -> (messages: [RTMPMessage], error: RTMPError.Code?) {
        var limits = RTMPLimits()
        // What has been received and not decoded depends on the pieces, and is a limit of its own.
        limits.maxUndecodedBytes = .max / 2
        var decoder = ChunkDecoder(limits: limits)
        var messages: [RTMPMessage] = []
        do throws(RTMPError) {
            for piece in pieces {
                try decoder.receive(piece, now: start)
                while let message = try decoder.next() { messages.append(message) }
            }
            return (messages, nil)
        } catch {
            return (messages, error.code)
        }
    }

    private static func read(_ message: RTMPMessage) throws {
        switch message.type {
        case .audio: MediaFuzzing.audio(message.body)
        case .video: MediaFuzzing.video(message.body)
        case .userControl: _ = try? UserControlEvent(body: message.body)
        case .commandAMF0, .commandAMF3: _ = try? RTMPCommand(message)
        case .dataAMF0, .dataAMF3: _ = try? RTMPDataMessage(message)
        case .aggregate: break
        default: _ = try? ProtocolControlMessage(type: message.type, body: message.body)
        }
    }

    static func amf(_ input: [UInt8]) throws {
        var decoder = AMF0Decoder(ByteBuffer(bytes: input))
        while !decoder.isAtEnd, let value = try? decoder.decode() {
            // What was read can be written, and reads as the same bytes again.
            var written = ByteBuffer()
            AMF0Encoder.encode(value, into: &written)
            var limits = AMFLimits()
            limits.maxValues = .max
            limits.maxTextBytes = .max
            limits.maxDepth += 1
            var again = AMF0Decoder(written, limits: limits)
            var rewritten = ByteBuffer()
            AMF0Encoder.encode(try again.decode(), into: &rewritten)
            try promise(written == rewritten, "AMF0 does not read as it was written.")
        }
    }

    static func pieces(_ bytes: [UInt8], of length: Int) -> [ByteBuffer] {
        guard length > 0 else { return [ByteBuffer(bytes: bytes)] }
        return stride(from: 0, to: bytes.count, by: length).map {
            ByteBuffer(bytes: bytes[$0..<min(bytes.count, $0 + length)])
        }
    }
}
