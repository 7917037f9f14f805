import Media
import NIOCore

/// The start of a fragmented file: what the tracks are, and no samples (ISO/IEC 14496-12 §8.8, RFC 8216 §3.3).
public enum InitializationSegment {
    /// `ftyp` and `moov`. Video is track 1 at 90 kHz, audio is track 2 at its sample rate.
    public static func make(tracks: TrackSet) throws(FragmentedMP4Error) -> ByteBuffer {
        guard !tracks.isEmpty else { throw .noTracks }
        // Sample entries first: they can fail, the boxes around them cannot.
        var entries: [(kind: TrackKind, timescale: UInt32, entry: ByteBuffer, resolution: Resolution?)] = []
        if let video = tracks.video {
            let entry = try SampleEntry.make(video)
            entries.append((.video, TrackKind.timescale(of: video), entry, video.resolution))
        }
        if let audio = tracks.audio {
            entries.append((.audio, TrackKind.timescale(of: audio), try SampleEntry.make(audio), nil))
        }

        var writer = BoxWriter()
        writer.box("ftyp") { writer in
            writer.write(BoxType("iso6"))
            writer.write(UInt32(0))
            writer.write(BoxType("iso6"))
            // A CMAF track file has one track.
            if entries.count == 1 { writer.write(BoxType("cmfc")) }
            writer.write(BoxType("mp41"))
        }
        writer.box("moov") { writer in
            movieHeader(&writer)
            for item in entries {
                TrackBox.write(
                    item.kind, timescale: item.timescale, entry: item.entry, resolution: item.resolution, into: &writer)
            }
            writer.box("mvex") { writer in
                for item in entries {
                    writer.fullBox("trex") { writer in
                        writer.write(item.kind.identifier)
                        writer.write(UInt32(1))
                        writer.write(UInt32(0))
                        writer.write(UInt32(0))
                        writer.write(item.kind == .audio ? SampleFlags.sync : SampleFlags.nonSync)
                    }
                }
            }
        }
        return writer.buffer
    }

    private static func movieHeader(_ writer: inout BoxWriter) {
        writer.fullBox("mvhd") { writer in
            writer.writeZeros(8)
            writer.write(UInt32(1_000))
            writer.write(UInt32(0))
            writer.write(UInt32(0x0001_0000))
            writer.write(UInt16(0x0100))
            writer.writeZeros(10)
            TrackBox.identityMatrix(&writer)
            writer.writeZeros(24)
            writer.write(TrackKind.audio.identifier + 1)
        }
    }
}
