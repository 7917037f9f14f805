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
        _ = tag.announcedColor
        guard let unit = tag.accessUnit(decodeTime: .zero) else { return }
        for layout in captionLayouts {
            var detector = CaptionDetector(layout)
            detector.observe(unit)
            _ = detector.captions
        }
    }

    /// Configurations under which an access unit may be searched for captions.
    private static let captionLayouts: [CodecConfiguration] = {
        let avc = ByteBuffer(bytes: [1, 0x42, 0xC0, 10, 0xFF, 0xE0, 0])
        let hevc = ByteBuffer(bytes: [1] + [UInt8](repeating: 0, count: 20) + [3, 0])
        let av1 = ByteBuffer(bytes: [0x81, 4, 0x0C, 0])
        return [
            (try? AVCConfiguration(record: avc)).map(CodecConfiguration.avc),
            (try? HEVCConfiguration(record: hevc)).map(CodecConfiguration.hevc),
            (try? AV1Configuration(record: av1)).map(CodecConfiguration.av1),
        ].compactMap(\.self)
    }()

    static func audio(_ body: ByteBuffer) {
        guard let tag = try? AudioTag.parse(body) else { return }
        describe(try? tag.codecConfiguration())
        guard let unit = tag.accessUnit(decodeTime: .zero) else { return }
        describe(try? CodecConfiguration(of: unit, after: nil))
        _ = FLACConfiguration.samples(inFrame: unit.payload)
        guard let configuration = try? CodecConfiguration(of: unit, after: nil) else { return }
        _ = configuration.samples(inUnit: unit.payload)
        if case .eac3(let value) = configuration { _ = value.specificBox }
    }

    private static func describe(_ configuration: CodecConfiguration?) {
        _ = configuration?.codecString
        _ = configuration?.resolution
        _ = configuration?.color.range
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
