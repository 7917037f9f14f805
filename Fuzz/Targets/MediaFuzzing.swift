import Media
import MPEGTS
import NIOCore
import RTMP

/// Audio, video and what carries them.
enum MediaFuzzing {
    /// The first byte says whether audio or video follows.
    static func tags(_ input: [UInt8]) throws {
        guard let first = input.first else { return }
        let body = ByteBuffer(bytes: input.dropFirst())
        if first & 1 == 0 {
            video(body)
        } else {
            audio(body)
        }
    }

    static func video(_ body: ByteBuffer) {
        guard let tag = try? VideoTag.parse(body) else { return }
        describe(try? tag.codecConfiguration())
        _ = tag.accessUnit(decodeTime: .zero)
    }

    static func audio(_ body: ByteBuffer) {
        guard let tag = try? AudioTag.parse(body) else { return }
        describe(try? tag.codecConfiguration())
        _ = tag.accessUnit(decodeTime: .zero)
    }

    private static func describe(_ configuration: CodecConfiguration?) {
        _ = configuration?.codecString
        _ = configuration?.resolution
    }

    /// The first byte is the length of the pieces in which the rest comes.
    static func transportStream(_ input: [UInt8]) throws {
        guard let first = input.first else { return }
        var demuxer = TransportStreamDemuxer(limits: .init(pesBytes: 65_536))
        var events: [TransportStreamDemuxer.Event] = []
        for piece in RTMPFuzzing.pieces(Array(input.dropFirst()), of: Int(first)) {
            demuxer.receive(piece, into: &events)
        }
        demuxer.finish(into: &events)
        var mediaBytes = 0
        for event in events {
            switch event {
            case .unit(let unit): mediaBytes += unit.payload.readableBytes
            case .configuration(let configuration): describe(configuration)
            default: break
            }
        }
        // Start codes of three bytes become lengths of four.
        try promise(mediaBytes <= 2 * input.count, "\(input.count) bytes became \(mediaBytes) bytes of media.")
    }
}
