import Media
import NIOCore

/// Makes an MPEG-TS stream of access units (ISO/IEC 13818-1): one program, at most one video and one audio track.
///
/// Units go in in decode order. Video is written at once; audio frames wait for the others of their PES packet, so call
/// ``flush(into:)`` at the end of a segment. Continuity counters run on over segments. Nothing is allocated for each packet:
/// bytes go from the unit straight into the output.
///
/// Decode times may be below zero or above what the 33 bits of a timestamp hold, since timestamps wrap.
public struct TransportStreamMuxer: Sendable {
    /// Added to every time, so that the clock, which runs behind the decode times, does not begin just before it wraps.
    public static let defaultTimestampOffset = MediaTime(milliseconds: 10_000)

    /// The longest time that audio frames wait to share a PES packet.
    public static let defaultAudioPESDuration = MediaTime(milliseconds: 150)

    public let tracks: TrackSet
    private let offset: MediaTime
    private var tables: ProgramTables
    private var clock = ClockReference()
    private var video: VideoTrackWriter?
    private var audio: AudioTrackWriter?

    /// - Parameters:
    ///   - tracks: what the stream holds.
    ///   - timestampOffset: added to every decode and presentation time.
    ///   - audioPESDuration: how much audio one PES packet holds at most; without video never over 100 ms, the time
    ///     between two clock references.
    /// - Throws: when there is no track, or one that MPEG-TS cannot carry.
    public init(
        tracks: TrackSet, timestampOffset: MediaTime = Self.defaultTimestampOffset,
        audioPESDuration: MediaTime = Self.defaultAudioPESDuration
    ) throws(TransportStreamError) {
        guard !tracks.isEmpty else { throw .noTracks }
        for configuration in [tracks.video, tracks.audio] {
            if let configuration, let reason = StreamMapping.reasonAgainst(configuration) {
                throw .cannotCarry(configuration.codec, reason: reason)
            }
        }
        self.tracks = tracks
        offset = timestampOffset
        tables = ProgramTables(tracks: tracks)
        if let configuration = tracks.video {
            guard let writer = VideoTrackWriter(configuration) else {
                throw .cannotCarry(configuration.codec, reason: "it is no video")
            }
            video = writer
        }
        if let configuration = tracks.audio {
            guard
                let writer = AudioTrackWriter(
                    configuration, limit: audioPESDuration, carriesClock: tracks.video == nil)
            else { throw .cannotCarry(configuration.codec, reason: "it is no audio") }
            audio = writer
        }
    }

    /// Whether MPEG-TS has a mapping for the codec. Few players of HLS take HEVC or Opus in MPEG-TS (RFC 8216bis).
    public static func canCarry(_ codec: Codec) -> Bool {
        switch codec {
        case .video(.avc), .video(.hevc), .audio(.aac), .audio(.mp3), .audio(.opus), .audio(.ac3), .audio(.eac3): true
        case .video(.av1), .video(.vp9), .video(.vp8), .audio(.flac): false
        }
    }

    /// Whether MPEG-TS can carry a codec with this configuration. ADTS, for example, cannot describe every AAC.
    public static func canCarry(_ configuration: CodecConfiguration) -> Bool {
        StreamMapping.reasonAgainst(configuration) == nil
    }

    /// Writes the two tables that a receiver needs first, 376 bytes. They are due at the start of every segment, and several
    /// times a second in a stream that receivers join anywhere.
    public mutating func writeTables(into output: inout ByteBuffer) {
        tables.write(into: &output)
    }

    /// Writes an access unit; an audio frame may wait for the others of its PES packet. A unit without bytes is left out.
    ///
    /// - Throws: for a unit of a track that is not there, and for one whose bytes contradict themselves; nothing of it
    ///   has been written then.
    public mutating func write(_ unit: AccessUnit, into output: inout ByteBuffer) throws(TransportStreamError) {
        if unit.codec.isVideo {
            guard tracks.video?.codec == unit.codec else { throw .unknownTrack(unit.codec) }
            audio?.flush(before: unit.decodeTime + offset, clock: &clock, into: &output)
            try video?.write(unit, offset: offset, clock: &clock, into: &output)
        } else {
            guard tracks.audio?.codec == unit.codec else { throw .unknownTrack(unit.codec) }
            try audio?.write(unit, offset: offset, clock: &clock, into: &output)
        }
    }

    /// Writes the audio frames that wait. Due at the end of a segment, and of the stream.
    public mutating func flush(into output: inout ByteBuffer) {
        audio?.flush(clock: &clock, into: &output)
    }

    /// Says that what follows does not continue the clock: the next packet of each track carries the
    /// discontinuity_indicator. Flush what belongs before it first.
    public mutating func markDiscontinuity() {
        clock.reset()
        video?.packets.isDiscontinuous = true
        audio?.packets.isDiscontinuous = true
    }
}
