import Media
import NIOCore

/// Gathers access units and writes them as movie fragments, `moof` and `mdat` (ISO/IEC 14496-12 §8.8), for the tracks
/// that `InitializationSegment` announced. Each track has fragments of its own, so that a file of one track can be made of
/// the fragments of that track alone (CMAF chunks, ISO/IEC 23000-19 §7.3.2.3).
///
/// Payloads are held, not copied, until their fragment is written; then they are copied once, into the file.
public struct FragmentWriter: Sendable {
    /// The most that may wait for a fragment: keeps every 32-bit size and offset in it far from its end.
    public static let maximumPendingBytes = 1 << 30

    private var video: TrackFragment?
    private var audio: TrackFragment?
    private var sequenceNumber: UInt32 = 1

    /// Payload bytes that wait for their fragments.
    public private(set) var pendingBytes = 0

    /// Where the payloads of a fragment begin in the buffer that it was written into; nil for a track that had none.
    public struct Written: Sendable, Hashable {
        /// Of the first video frame; the others follow in the order they were appended in.
        public var video: Int?
        /// Of the first audio frame.
        public var audio: Int?
        /// Where the audio's fragment begins, which stands behind the video's.
        public var audioStart: Int
        /// What the fragments say of their times; nil for a track that had nothing.
        public var videoSpan: TrackSpan?
        public var audioSpan: TrackSpan?
    }

    /// - Parameter origin: what counts as time 0 in the file, whose decode times cannot be negative: those before it
    ///   are written as 0.
    public init(tracks: TrackSet, origin: MediaTime = .zero) throws(FragmentedMP4Error) {
        guard !tracks.isEmpty else { throw .noTracks }
        video = tracks.video.map { TrackFragment(kind: .video, configuration: $0, origin: origin) }
        audio = tracks.audio.map { TrackFragment(kind: .audio, configuration: $0, origin: origin) }
    }

    /// Takes one access unit into the coming fragment of its track.
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
    }

    /// Writes a fragment of each track that has anything waiting, video first. Nothing is held back for a frame that is
    /// still to come: the last frame of a track lasts as long as its codec says, or as the one before it.
    ///
    /// - Parameter videoEnd: when the last video frame ends, if that is known.
    public mutating func write(videoEnd: MediaTime? = nil, into buffer: inout ByteBuffer) -> Written {
        var writer = BoxWriter(buffer)
        // The only reference now: what is written goes into the caller's memory, not into a copy of it.
        buffer = ByteBuffer()
        writer.buffer.reserveCapacity(
            minimumWritableBytes: pendingBytes + MovieFragment.overhead(video) + MovieFragment.overhead(audio))
        var written = Written(audioStart: writer.buffer.writerIndex)
        if let video, !video.samples.isEmpty {
            let end = videoEnd.map(video.ticks)
            written.video = MovieFragment.write(video, end: end, sequenceNumber: nextNumber(), into: &writer)
            written.videoSpan = video.span(end: end)
            written.audioStart = writer.buffer.writerIndex
        }
        if let audio, !audio.samples.isEmpty {
            written.audio = MovieFragment.write(audio, end: nil, sequenceNumber: nextNumber(), into: &writer)
            written.audioSpan = audio.span(end: nil)
        }
        buffer = writer.buffer
        video?.samples.removeAll(keepingCapacity: true)
        audio?.samples.removeAll(keepingCapacity: true)
        pendingBytes = 0
        return written
    }

    private mutating func nextNumber() -> UInt32 {
        defer { sequenceNumber &+= 1 }
        return sequenceNumber
    }
}
