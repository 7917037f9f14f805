import NIOCore

/// One `moof` and the `mdat` behind it.
enum MovieFragment {
    static func write(
        _ tracks: [(track: TrackFragment, end: Int64?)], sequenceNumber: UInt32, into writer: inout BoxWriter
    ) {
        let start = writer.buffer.writerIndex
        var offsetPositions: [Int] = []
        writer.box("moof") { writer in
            writer.fullBox("mfhd") { $0.write(sequenceNumber) }
            for (track, end) in tracks {
                offsetPositions.append(trackFragment(track, end: end, into: &writer))
            }
        }
        writer.box("mdat") { writer in
            for (position, item) in zip(offsetPositions, tracks) {
                // Offsets count from the moof's first byte (default-base-is-moof).
                writer.buffer.setInteger(Int32(clamping: writer.buffer.writerIndex - start), at: position)
                for sample in item.track.samples {
                    writer.write(sample.payload)
                }
            }
        }
    }

    /// Returns where the data offset stands, to be filled in once it is known.
    private static func trackFragment(_ track: TrackFragment, end: Int64?, into writer: inout BoxWriter) -> Int {
        var offsetPosition = 0
        writer.box("traf") { writer in
            // default-base-is-moof
            writer.fullBox("tfhd", flags: 0x02_0000) { $0.write(track.kind.identifier) }
            writer.fullBox("tfdt", version: 1) { writer in
                writer.write(UInt64(clamping: track.samples.first?.time ?? 0))
            }
            // Data offset, then for each sample its duration and size, for video also flags and a composition
            // offset, which version 1 makes signed.
            let isVideo = track.kind == .video
            writer.fullBox("trun", version: 1, flags: isVideo ? 0x0f01 : 0x0301) { writer in
                writer.write(UInt32(clamping: track.samples.count))
                offsetPosition = writer.buffer.writerIndex
                writer.write(Int32(0))
                for index in track.samples.indices {
                    let sample = track.samples[index]
                    writer.write(track.duration(at: index, end: end))
                    writer.write(UInt32(clamping: sample.payload.readableBytes))
                    if isVideo {
                        writer.write(sample.isSync ? SampleFlags.sync : SampleFlags.nonSync)
                        writer.write(sample.compositionOffset)
                    }
                }
            }
        }
        return offsetPosition
    }
}
