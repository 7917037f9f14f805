import Media
import NIOCore

/// Gathers access units and writes them as movie fragments, `moof` and `mdat` (ISO/IEC 14496-12 §8.8), for the tracks
/// that `InitializationSegment` announced.
///
/// Payloads are held, not copied, until their fragment is written; then they are copied once, into the file.
public struct FragmentWriter: Sendable {
    /// The most that may wait for a fragment: keeps every 32-bit size and offset in it far from its end.
    public static let maximumPendingBytes = 1 << 30

    private var video: TrackFragment?
    private var audio: TrackFragment?
    private var sequenceNumber: UInt32 = 1
    private var firstPending: MediaTime?

    /// Payload bytes that wait for their fragment.
    public private(set) var pendingBytes = 0
    /// From the first waiting access unit to the latest one, by decode time.
    public private(set) var pendingDuration = MediaTime.zero

    /// - Parameter origin: what counts as time 0 in the file, whose decode times cannot be negative: those before it
    ///   are written as 0.
    public init(tracks: TrackSet, origin: MediaTime = .zero) throws(FragmentedMP4Error) {
        guard !tracks.isEmpty else { throw .noTracks }
        video = tracks.video.map { TrackFragment(kind: .video, configuration: $0, origin: origin) }
        audio = tracks.audio.map { TrackFragment(kind: .audio, configuration: $0, origin: origin) }
    }

    /// Takes one access unit into the coming fragment.
    public mutating func append(_ unit: AccessUnit) throws(FragmentedMP4Error) {
        let size = unit.payload.readableBytes
        guard size <= Self.maximumPendingBytes - pendingBytes else { throw .fragmentTooLarge }
        if unit.codec.isVideo {
            guard video?.codec == unit.codec else { throw .undeclaredCodec }
            video?.append(unit)
        } else {
            guard audio?.codec == unit.codec else { throw .undeclaredCodec }
            audio?.append(unit)
        }
        pendingBytes += size
        let first = firstPending ?? unit.decodeTime
        firstPending = first
        pendingDuration = max(pendingDuration, unit.decodeTime - first)
    }

    /// Writes a fragment with all that waits but the latest sample of each track, whose duration is not known yet.
    /// Writes nothing when nothing else waits.
    public mutating func writeFragment(into buffer: inout ByteBuffer) {
        let heldVideo = video?.samples.popLast()
        let heldAudio = audio?.samples.popLast()
        writeAll(
            videoEnd: heldVideo?.time, audioEnd: heldAudio?.time, into: &buffer)
        if let heldVideo { video?.samples.append(heldVideo) }
        if let heldAudio { audio?.samples.append(heldAudio) }
        pendingBytes = (heldVideo?.payload.readableBytes ?? 0) + (heldAudio?.payload.readableBytes ?? 0)
    }

    /// Writes a fragment with all that waits: the end of a segment. Writes nothing when nothing waits.
    ///
    /// - Parameter nextVideo: when the next video frame is decoded, if that is known.
    public mutating func finish(nextVideo: MediaTime? = nil, into buffer: inout ByteBuffer) {
        writeAll(videoEnd: nextVideo.flatMap { video?.ticks($0) }, audioEnd: nil, into: &buffer)
        pendingBytes = 0
    }

    private mutating func writeAll(videoEnd: Int64?, audioEnd: Int64?, into buffer: inout ByteBuffer) {
        firstPending = nil
        pendingDuration = .zero
        let tracks = [(video, videoEnd), (audio, audioEnd)].compactMap { track, end in
            track.flatMap { $0.samples.isEmpty ? nil : (track: $0, end: end) }
        }
        guard !tracks.isEmpty else { return }
        var writer = BoxWriter(buffer)
        // The only reference now: what is written goes into the caller's memory, not into a copy of it.
        buffer = ByteBuffer()
        MovieFragment.write(tracks, sequenceNumber: sequenceNumber, into: &writer)
        buffer = writer.buffer
        sequenceNumber &+= 1
        video?.samples.removeAll(keepingCapacity: true)
        audio?.samples.removeAll(keepingCapacity: true)
    }
}
