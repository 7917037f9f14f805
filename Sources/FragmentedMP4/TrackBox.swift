import Media
import NIOCore

/// `trak` with an empty sample table: the samples are in the fragments.
enum TrackBox {
    static func write(
        _ kind: TrackKind, timescale: UInt32, entry: ByteBuffer, resolution: Resolution?, into writer: inout BoxWriter
    ) {
        writer.box("trak") { writer in
            header(kind, resolution: resolution, into: &writer)
            writer.box("mdia") { writer in
                writer.fullBox("mdhd") { writer in
                    writer.writeZeros(8)
                    writer.write(timescale)
                    writer.write(UInt32(0))
                    // "und" in three times five bits.
                    writer.write(UInt16(0x55c4))
                    writer.write(UInt16(0))
                }
                handler(kind, into: &writer)
                writer.box("minf") { writer in
                    mediaHeader(kind, into: &writer)
                    dataInformation(&writer)
                    sampleTable(entry, into: &writer)
                }
            }
        }
    }

    static func identityMatrix(_ writer: inout BoxWriter) {
        for value: UInt32 in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
            writer.write(value)
        }
    }

    private static func header(_ kind: TrackKind, resolution: Resolution?, into writer: inout BoxWriter) {
        // Enabled, in the movie, in the preview.
        writer.fullBox("tkhd", flags: 7) { writer in
            writer.writeZeros(8)
            writer.write(kind.identifier)
            writer.writeZeros(4 + 4 + 8)
            writer.write(UInt16(0))
            writer.write(UInt16(0))
            writer.write(UInt16(kind == .audio ? 0x0100 : 0))
            writer.write(UInt16(0))
            identityMatrix(&writer)
            writer.write(UInt32(SampleEntry.pixels(resolution?.width)) << 16)
            writer.write(UInt32(SampleEntry.pixels(resolution?.height)) << 16)
        }
    }

    private static func handler(_ kind: TrackKind, into writer: inout BoxWriter) {
        writer.fullBox("hdlr") { writer in
            writer.write(UInt32(0))
            writer.write(kind == .video ? BoxType("vide") : BoxType("soun"))
            writer.writeZeros(12)
            writer.buffer.writeStaticString(kind == .video ? "VideoHandler\0" : "SoundHandler\0")
        }
    }

    private static func mediaHeader(_ kind: TrackKind, into writer: inout BoxWriter) {
        switch kind {
        case .video: writer.fullBox("vmhd", flags: 1) { $0.writeZeros(8) }
        case .audio: writer.fullBox("smhd") { $0.writeZeros(4) }
        }
    }

    private static func dataInformation(_ writer: inout BoxWriter) {
        writer.box("dinf") { writer in
            writer.fullBox("dref") { writer in
                writer.write(UInt32(1))
                // The media are in this same file.
                writer.fullBox("url ", flags: 1) { _ in }
            }
        }
    }

    private static func sampleTable(_ entry: ByteBuffer, into writer: inout BoxWriter) {
        writer.box("stbl") { writer in
            writer.fullBox("stsd") { writer in
                writer.write(UInt32(1))
                writer.write(entry)
            }
            writer.fullBox("stts") { $0.write(UInt32(0)) }
            writer.fullBox("stsc") { $0.write(UInt32(0)) }
            writer.fullBox("stsz") { $0.writeZeros(8) }
            writer.fullBox("stco") { $0.write(UInt32(0)) }
        }
    }
}

/// The two tracks a file may have, and the numbers they go by.
enum TrackKind: UInt32, Sendable {
    case video = 1
    case audio = 2

    /// `track_ID`.
    var identifier: UInt32 { rawValue }

    /// Ticks a second of the track's timestamps: 90,000 for video, the sample rate for audio.
    static func timescale(of configuration: CodecConfiguration) -> UInt32 {
        guard let rate = configuration.sampleRate else { return 90_000 }
        guard rate > 0, let ticks = UInt32(exactly: rate) else { return 48_000 }
        return ticks
    }
}
