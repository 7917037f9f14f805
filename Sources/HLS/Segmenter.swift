import Media
import NIOCore

/// Cuts a stream's access units into segments (RFC 8216 §3), without I/O and without a clock of its own.
///
/// * With pictures, a segment starts at the first keyframe at or after the segment duration; sound goes into the segment
///   that is open when it comes. Sound alone is cut by time.
/// * Without a keyframe for `maximumSegmentDuration` or `maximumSegmentBytes`, and where pictures stay away while sound
///   goes on, it cuts anyway; such a segment says that it does not start with a keyframe.
/// * Pictures that were announced but do not come do not hold up sound: after a while sound is packaged alone, and the
///   pictures join with a discontinuity.
/// * Other tracks or another configuration take effect at the next keyframe, with a discontinuity and, in MP4, another
///   initialization file. A jump of over three seconds, and `discontinuity(now:)`, end the segment at once.
///
/// What cannot be used (sound before the first keyframe, an access unit its muxer refuses) is left out and counted.
public struct Segmenter: Sendable {
    public let configuration: SegmenterConfiguration
    /// Access units that went into no segment.
    public private(set) var discardedUnits: Int64 = 0
    /// `end` has been called.
    public private(set) var isEnded = false

    let cutRule: CutRule
    var continuity = TimelineContinuity()
    var clock = ProgramClock()
    /// What the publisher sends, as last told.
    var wanted = TrackSet()
    /// Tracks whose configuration differs between `wanted` and the muxer at work; equal sets are compared once, not for
    /// every access unit.
    var videoChanged = true
    var audioChanged = true
    var muxer: SegmentMuxer?
    var initialization: InitializationFile?
    var open: OpenSegment?
    var wait = KeyframeWait()
    var nextSequence: Int64
    /// The next segment starts another timeline or other tracks.
    var discontinuityPending: Bool
    /// Nothing has been finished yet in this life.
    var isFresh = true
    /// Playlists cannot go back to MPEG-TS, for nothing revokes an `EXT-X-MAP`.
    var usesFragmentedMP4 = false
    /// What the last segment took, as a first guess for the next.
    var expectedBytes = 64 << 10

    /// - Parameter resume: where an earlier life of the stream stopped. Unless it is the very start, the first segment
    ///   carries a discontinuity.
    public init(configuration: SegmenterConfiguration = SegmenterConfiguration(), resume: ResumePoint = ResumePoint()) {
        self.configuration = configuration
        cutRule = CutRule(configuration)
        nextSequence = resume.sequence
        discontinuityPending = resume.sequence > 0
    }

    /// Says what the stream consists of, at its start and whenever it changes. It takes effect at the next keyframe (for
    /// sound alone at the next frame); until then access units of a track that changed are left out.
    ///
    /// - Throws: when no container takes these tracks; the ones before stay in force.
    public mutating func setTracks(_ tracks: TrackSet) throws(SegmenterError) {
        guard !isEnded, tracks != wanted else { return }
        if !tracks.isEmpty {
            do {
                _ = try SegmentMuxer(tracks: tracks, container: container(for: tracks), start: .zero)
            } catch {
                throw .unsupportedTracks(reason: String(describing: error))
            }
        }
        wanted = tracks
        noteTrackChanges()
    }

    /// Takes the next access unit of either track, in the order of arrival.
    ///
    /// - Parameter now: Unix milliseconds.
    /// - Returns: the segment this access unit has finished, if it has.
    public mutating func append(_ unit: AccessUnit, now: Int64) -> Segment? {
        guard !isEnded, wants(unit), unit.payload.readableBytes <= configuration.maximumSegmentBytes else {
            discardedUnits &+= 1
            return nil
        }
        var finished: Segment?
        switch continuity.observe(isVideo: unit.codec.isVideo, time: unit.decodeTime) {
        case .continuous: break
        case .straggler:
            discardedUnits &+= 1
            return nil
        case .jump: finished = breakTimeline()
        }
        if open == nil {
            startIfPossible(with: unit, now: now)
        } else if let tracks = tracksOfSegmentStarting(with: unit) {
            finished = close(next: unit, changesTracks: videoChanged || audioChanged)
            begin(with: unit, tracks: tracks, now: now)
        }
        write(unit)
        return finished
    }

    /// Says that what comes next does not continue the timeline: another publisher took over, or this one reconnected.
    /// The open segment ends here, so that viewers get all there was.
    public mutating func discontinuity() -> Segment? {
        guard !isEnded else { return nil }
        continuity.reset()
        return breakTimeline()
    }

    /// The stream is over: the last segment, if one is open. Nothing is taken after it.
    public mutating func end() -> Segment? {
        guard !isEnded else { return nil }
        let last = close(next: nil, changesTracks: false)
        isEnded = true
        muxer = nil
        return last
    }

    /// The media sequence number the next finished segment will have.
    public var upcomingSequence: Int64 {
        open?.sequence ?? nextSequence
    }

    mutating func discard(_ units: Int) {
        discardedUnits &+= Int64(units)
    }

    private func wants(_ unit: AccessUnit) -> Bool {
        unit.codec == (unit.codec.isVideo ? wanted.video : wanted.audio)?.codec
    }

    private mutating func write(_ unit: AccessUnit) {
        let changed = unit.codec.isVideo ? videoChanged : audioChanged
        // Taken out and put back, so that its bytes have one owner while they grow.
        guard !changed, var segment = open.take() else {
            discardedUnits &+= 1
            return
        }
        do {
            try muxer?.write(unit, into: &segment.bytes)
            segment.count(unit)
        } catch {
            discardedUnits &+= 1
            // Without what it was to start with the segment is none; the next keyframe starts it anew.
            if segment.units == 0 { return abandon(segment) }
        }
        open = segment
    }
}
