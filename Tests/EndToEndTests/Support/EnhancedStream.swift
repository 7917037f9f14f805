import Media
import NIOCore
import RTMP

/// A video stream in messages that ffmpeg 5.1 cannot send: enhanced RTMP, and HEVC as codec id 12.
struct EnhancedStream {
    struct Message {
        var timestamp: UInt32
        var body: ByteBuffer
    }

    let source: SourceMedia
    /// The sequence header and then every picture.
    private(set) var messages: [Message] = []
    let codecPrefix: String

    init(_ name: String) async throws {
        let codec: VideoCodec
        let box: String
        switch name {
        case "vp9":
            (codec, box, codecPrefix) = (.vp9, "vpcC", "vp09.")
            source = try await .vp9MP4()
        case "av1":
            (codec, box, codecPrefix) = (.av1, "av1C", "av01.")
            source = try await .av1MP4()
        default:
            (codec, box, codecPrefix) = (.hevc, "hvcC", "hvc1.")
            source = try await .hevcMP4()
        }
        let isLegacy = name == "hevcLegacy"
        let file = try await MP4Samples(source)
        let record = try file.box(box)
        let header =
            isLegacy
            ? EnhancedStream.legacy(first: 0x1C, type: 0, offset: 0, payload: record)
            : TagBuilder.sequenceHeader(codec, record: record)
        messages = [Message(timestamp: 0, body: header)]
        for sample in file.samples {
            let body =
                isLegacy
                ? EnhancedStream.legacy(
                    first: sample.isKeyframe ? 0x1C : 0x2C, type: 1, offset: sample.composition, payload: sample.payload
                )
                : TagBuilder.codedFrames(
                    AccessUnit(
                        codec: .video(codec), decodeTime: .zero,
                        compositionOffset: MediaTime(milliseconds: Int64(sample.composition)),
                        isKeyframe: sample.isKeyframe, payload: sample.payload))
            messages.append(Message(timestamp: UInt32(sample.decode), body: body))
        }
    }

    private static func legacy(first: UInt8, type: UInt8, offset: Int, payload: ByteBuffer) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeMultipleIntegers(
            first, type, UInt8(truncatingIfNeeded: offset >> 16), UInt16(truncatingIfNeeded: offset))
        body.writeImmutableBuffer(payload)
        return body
    }
}
