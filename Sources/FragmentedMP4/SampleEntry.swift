import Media
import NIOCore

/// A track's sample entry in `stsd`, which holds what its decoder must know (ISO/IEC 14496-12 §8.5.2).
enum SampleEntry {
    static func make(_ configuration: CodecConfiguration) throws(FragmentedMP4Error) -> ByteBuffer {
        var writer = BoxWriter()
        switch configuration {
        case .avc(let value):
            visual("avc1", value.resolution, value.color, into: &writer) { $0.box("avcC") { $0.write(value.record) } }
        case .hevc(let value):
            visual("hvc1", value.resolution, value.color, into: &writer) { $0.box("hvcC") { $0.write(value.record) } }
        case .av1(let value):
            visual("av01", value.resolution, value.color, into: &writer) { $0.box("av1C") { $0.write(value.record) } }
        case .vp9(let value):
            visual("vp09", value.resolution, value.color, into: &writer) { writer in
                writer.fullBox("vpcC", version: 1) { $0.write(value.fields) }
            }
        case .aac(let value):
            // A length of up to 2^28 - 1 fits the descriptor; nobody's AudioSpecificConfig comes near this bound.
            guard value.record.readableBytes <= 1_024 else {
                throw .invalidConfiguration(box: "esds", reason: "the AudioSpecificConfig is over 1,024 bytes")
            }
            audio("mp4a", channels: value.channels, sampleRate: value.sampleRate, into: &writer) { writer in
                ElementaryStreamDescriptor.write(objectType: 0x40, specific: value.record, into: &writer)
            }
        case .mp3(let value):
            audio("mp4a", channels: value.channels, sampleRate: value.sampleRate, into: &writer) { writer in
                // 0x6B is MPEG-1 Audio; the lower sampling rates are MPEG-2 Audio, 0x69.
                ElementaryStreamDescriptor.write(
                    objectType: value.sampleRate >= 32_000 ? 0x6b : 0x69, specific: nil, into: &writer)
            }
        case .opus(let value):
            audio("Opus", channels: value.channels, sampleRate: OpusConfiguration.sampleRate, into: &writer) { writer in
                OpusSpecificBox.write(value, into: &writer)
            }
        case .ac3(let value):
            audio("ac-3", channels: value.channels, sampleRate: value.sampleRate, into: &writer) { writer in
                writer.box("dac3") { $0.write(value.specificBox) }
            }
        case .eac3(let value):
            audio("ec-3", channels: value.channels, sampleRate: value.sampleRate, into: &writer) { writer in
                writer.box("dec3") { $0.write(value.specificBox) }
            }
        case .flac(let value):
            audio(
                "fLaC", channels: value.channels, sampleRate: value.sampleRate, bits: value.bitsPerSample, into: &writer
            ) { writer in
                writer.fullBox("dfLa") { writer in
                    // The last metadata block, STREAMINFO, and its length in three bytes.
                    writer.write(0x8000_0000 | UInt32(clamping: value.streamInfo.readableBytes))
                    writer.write(value.streamInfo)
                }
            }
        }
        return writer.buffer
    }

    /// A side of the video in 16 bits; 0 ("look into the stream") when it is unknown or does not fit.
    static func pixels(_ side: Int?) -> UInt16 {
        side.flatMap(UInt16.init(exactly:)) ?? 0
    }

    private static func visual(
        _ type: BoxType, _ resolution: Resolution?, _ color: VideoColor, into writer: inout BoxWriter,
        configuration: (inout BoxWriter) -> Void
    ) {
        writer.box(type) { writer in
            writer.writeZeros(6)
            writer.write(UInt16(1))
            writer.writeZeros(16)
            writer.write(pixels(resolution?.width))
            writer.write(pixels(resolution?.height))
            // 72 dots per inch, both ways.
            writer.write(UInt32(0x0048_0000))
            writer.write(UInt32(0x0048_0000))
            writer.write(UInt32(0))
            writer.write(UInt16(1))
            writer.writeZeros(32)
            writer.write(UInt16(0x0018))
            writer.write(Int16(-1))
            configuration(&writer)
            write(color, into: &writer)
        }
    }

    /// `colr` (ISO/IEC 14496-12 §12.1.5), `mdcv` and `clli` (§12.1.6, §12.1.7): what is known of colors.
    private static func write(_ color: VideoColor, into writer: inout BoxWriter) {
        if color.hasCodes {
            writer.box("colr") { writer in
                writer.write(BoxType("nclx"))
                // 2: unspecified.
                for code in [color.primaries, color.transfer, color.matrix] { writer.write(UInt16(code ?? 2)) }
                writer.write(UInt8(color.isFullRange == true ? 0x80 : 0))
            }
        }
        if let display = color.masteringDisplay {
            writer.box("mdcv") { writer in
                for place in [display.green, display.blue, display.red, display.white] {
                    writer.write(place.x)
                    writer.write(place.y)
                }
                writer.write(display.maximumLuminance)
                writer.write(display.minimumLuminance)
            }
        }
        if let light = color.contentLight {
            writer.box("clli") { writer in
                writer.write(light.maximum)
                writer.write(light.maximumAverage)
            }
        }
    }

    private static func audio(
        _ type: BoxType, channels: Int, sampleRate: Int, bits: Int = 16, into writer: inout BoxWriter,
        configuration: (inout BoxWriter) -> Void
    ) {
        writer.box(type) { writer in
            writer.writeZeros(6)
            writer.write(UInt16(1))
            writer.writeZeros(8)
            writer.write(UInt16(exactly: channels) ?? 2)
            writer.write(UInt16(clamping: bits))
            writer.writeZeros(4)
            // 16.16 fixed point; a rate of 65,536 Hz and more does not fit, and the descriptor tells it.
            writer.write(UInt32(UInt16(exactly: sampleRate) ?? 0) << 16)
            configuration(&writer)
        }
    }
}
