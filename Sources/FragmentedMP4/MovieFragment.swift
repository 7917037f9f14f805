import NIOCore

/// One track's `moof` and the `mdat` behind it.
enum MovieFragment {
    /// What stands around the payloads, in bytes, at most.
    static func overhead(_ track: TrackFragment?) -> Int {
        track.map { 128 + 16 * $0.samples.count } ?? 0
    }

    /// - Parameter end: in the track's ticks, when its last sample ends, if that is known.
    /// - Returns: where the first sample's payload begins in the writer's buffer.
    static func write(
        _ track: TrackFragment, end: Int64?, sequenceNumber: UInt32, into writer: inout BoxWriter
    ) -> Int {
        let start = writer.buffer.writerIndex
        var offsetPosition = 0
        writer.box("moof") { writer in
            writer.fullBox("mfhd") { $0.write(sequenceNumber) }
            offsetPosition = trackFragment(track, end: end, into: &writer)
        }
        var payloads = 0
        writer.box("mdat") { writer in
            payloads = writer.buffer.writerIndex
            // Offsets count from the moof's first byte (default-base-is-moof).
            writer.buffer.setInteger(Int32(clamping: payloads - start), at: offsetPosition)
            for sample in track.samples {
                writer.write(sample.payload)
            }
        }
        return payloads
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
