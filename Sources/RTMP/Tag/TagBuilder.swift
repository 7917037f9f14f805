import Media
import NIOCore

/// Makes the bodies of audio and video messages.
///
/// AVC, AAC and MP3 are written as FLV has them, which every receiver reads; other codecs as enhanced RTMP.
public enum TagBuilder {
    /// A video sequence header from its configuration record.
    public static func sequenceHeader(_ codec: VideoCodec, record: ByteBuffer) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: record.readableBytes + 5)
        if codec == .avc {
            body.writeMultipleIntegers(UInt8(0x17), UInt32(0))
        } else {
            body.writeMultipleIntegers(UInt8(0x90), FourCC(codec).rawValue)
        }
        body.writeImmutableBuffer(record)
        return body
    }

    /// An audio sequence header from its configuration record. MP3 has none: its record is not to be written.
    public static func sequenceHeader(_ codec: AudioCodec, record: ByteBuffer) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: record.readableBytes + 5)
        if codec == .aac {
            body.writeMultipleIntegers(UInt8(0xAF), UInt8(0))
        } else {
            body.writeMultipleIntegers(UInt8(0x90), FourCC(codec).rawValue)
        }
        body.writeImmutableBuffer(record)
        return body
    }

    /// One access unit. A composition offset beyond 24 bits of milliseconds is limited to them.
    public static func codedFrames(_ unit: AccessUnit) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: unit.payload.readableBytes + 8)
        switch unit.codec {
        case .video(let codec):
            let frameType: UInt8 = unit.isKeyframe ? 0x10 : 0x20
            let offset = max(-0x80_0000, min(0x7F_FFFF, unit.compositionOffset.milliseconds))
            if codec == .avc {
                body.writeMultipleIntegers(frameType | 7, UInt8(1))
                write24(offset, into: &body)
            } else if codec == .hevc, offset != 0 {
                body.writeMultipleIntegers(0x80 | frameType | 1, FourCC(codec).rawValue)
                write24(offset, into: &body)
            } else {
                body.writeMultipleIntegers(0x80 | frameType | 3, FourCC(codec).rawValue)
            }
        case .audio(.aac):
            body.writeMultipleIntegers(UInt8(0xAF), UInt8(1))
        case .audio(.mp3):
            body.writeInteger(UInt8(0x2F))
        case .audio(let codec):
            body.writeMultipleIntegers(UInt8(0x91), FourCC(codec).rawValue)
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

    private static func write24(_ value: Int64, into body: inout ByteBuffer) {
        body.writeMultipleIntegers(UInt8(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value))
    }
}
