import Media
import NIOCore

/// Makes the bodies of audio and video messages.
///
/// The default tracks' AVC, AAC and MP3 are written as FLV has them, which every receiver reads; other codecs as enhanced
/// RTMP, and other tracks as its multitrack messages of one track.
public enum TagBuilder {
    /// A video sequence header from its configuration record.
    public static func sequenceHeader(_ codec: VideoCodec, record: ByteBuffer, track: UInt8 = 0) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: record.readableBytes + 7)
        if codec == .avc, track == 0 {
            body.writeMultipleIntegers(UInt8(0x17), UInt32(0))
        } else {
            writeHead(0x90, type: 0, FourCC(codec), track: track, multitrack: 6, into: &body)
        }
        body.writeImmutableBuffer(record)
        return body
    }

    /// An audio sequence header from its configuration record. MP3 has none: its record is not to be written.
    public static func sequenceHeader(_ codec: AudioCodec, record: ByteBuffer, track: UInt8 = 0) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: record.readableBytes + 7)
        if codec == .aac, track == 0 {
            body.writeMultipleIntegers(UInt8(0xAF), UInt8(0))
        } else {
            writeHead(0x90, type: 0, FourCC(codec), track: track, multitrack: 5, into: &body)
        }
        body.writeImmutableBuffer(record)
        return body
    }

    /// One access unit of its track. A composition offset beyond 24 bits of milliseconds is limited to them.
    public static func codedFrames(_ unit: AccessUnit) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: unit.payload.readableBytes + 10)
        let track = unit.track.number
        switch unit.codec {
        case .video(let codec):
            let frameType: UInt8 = unit.isKeyframe ? 0x10 : 0x20
            // Between rounded times, so that the time a frame is shown at is rounded once and not twice.
            let exact = unit.presentationTime.milliseconds.subtractingReportingOverflow(unit.decodeTime.milliseconds)
            let offset = max(-0x80_0000, min(0x7F_FFFF, exact.partialValue))
            if codec == .avc, track == 0 {
                body.writeMultipleIntegers(frameType | 7, UInt8(1))
                write24(offset, into: &body)
            } else {
                let hasOffset = offset != 0 && (codec == .avc || codec == .hevc)
                writeHead(
                    0x80 | frameType, type: hasOffset ? 1 : 3, FourCC(codec), track: track, multitrack: 6, into: &body)
                if hasOffset { write24(offset, into: &body) }
            }
        case .audio(.aac) where track == 0:
            body.writeMultipleIntegers(UInt8(0xAF), UInt8(1))
        case .audio(.mp3) where track == 0:
            body.writeInteger(UInt8(0x2F))
        case .audio(let codec):
            writeHead(0x90, type: 1, FourCC(codec), track: track, multitrack: 5, into: &body)
        }
        body.writeImmutableBuffer(unit.payload)
        return body
    }

    /// The end of a sequence of frames.
    public static func endOfSequence(_ codec: VideoCodec) -> ByteBuffer {
        var body = ByteBuffer()
        if codec == .avc {
            body.writeMultipleIntegers(UInt8(0x17), UInt32(0x0200_0000))
        } else {
            body.writeMultipleIntegers(UInt8(0x92), FourCC(codec).rawValue)
        }
        return body
    }

    /// Enhanced RTMP's head of a body.
    /// - Parameters:
    ///   - flags: the first byte without its packet type.
    ///   - type: the packet type.
    ///   - multitrack: the packet type of multitrack messages of this kind.
    private static func writeHead(
        _ flags: UInt8, type: UInt8, _ codec: FourCC, track: UInt8, multitrack: UInt8, into body: inout ByteBuffer
    ) {
        if track == 0 {
            body.writeMultipleIntegers(flags | type, codec.rawValue)
        } else {
            // The layout in the high bits of the second byte is 0: one track.
            body.writeMultipleIntegers(flags | multitrack, type, codec.rawValue, track)
        }
    }

    private static func write24(_ value: Int64, into body: inout ByteBuffer) {
        body.writeMultipleIntegers(UInt8(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value))
    }
}
