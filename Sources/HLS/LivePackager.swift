import Media

/// A live stream as HLS: access units in, playlist snapshots out. It joins a `Segmenter` and a `SegmentWindow`; its owner
/// feeds it from the stream's hub and publishes each snapshot to whoever serves viewers.
public struct LivePackager: Sendable {
    private var segmenter: Segmenter
    private var window: SegmentWindow

    /// The latest snapshot; nil until the first segment is finished.
    public private(set) var snapshot: PlaylistSnapshot?

    /// - Parameter resume: the last life's `resumePoint`, so that media sequence numbers never go back.
    public init(configuration: SegmenterConfiguration = SegmenterConfiguration(), resume: ResumePoint = ResumePoint()) {
        segmenter = Segmenter(configuration: configuration, resume: resume)
        window = SegmentWindow(configuration: configuration, discontinuitySequence: resume.discontinuitySequence)
    }

    /// Access units that went into no segment.
    public var discardedUnits: Int64 { segmenter.discardedUnits }

    /// Where another life of the stream goes on.
    public var resumePoint: ResumePoint {
        ResumePoint(sequence: segmenter.upcomingSequence, discontinuitySequence: window.discontinuities)
    }

    /// See `Segmenter.setTracks(_:)`.
    public mutating func setTracks(_ tracks: TrackSet) throws(SegmenterError) {
        try segmenter.setTracks(tracks)
    }

    /// Takes the next access unit. Nothing is allocated while it only adds to the open segment.
    ///
    /// - Parameter now: Unix milliseconds.
    /// - Returns: the new snapshot, when a segment has been finished.
    public mutating func append(_ unit: AccessUnit, now: Int64) -> PlaylistSnapshot? {
        publish(segmenter.append(unit, now: now), now: now)
    }

    /// Ends the open segment because what follows does not continue it: call it when the publisher is lost, so that
    /// viewers get all there was, and when another takes over.
    ///
    /// - Returns: the new snapshot, when there was an open segment.
    public mutating func discontinuity(now: Int64) -> PlaylistSnapshot? {
        publish(segmenter.discontinuity(), now: now)
    }

    /// Ends the playlist. Nothing is taken after it.
    ///
    /// - Returns: the last snapshot, with `EXT-X-ENDLIST`; nil when the stream never had a segment, or has ended before.
    public mutating func end(now: Int64) -> PlaylistSnapshot? {
        guard !segmenter.isEnded else { return nil }
        if let last = segmenter.end() { window.append(last) }
        window.end()
        return window.listed.isEmpty ? nil : makeSnapshot(now: now)
    }

    private mutating func publish(_ segment: Segment?, now: Int64) -> PlaylistSnapshot? {
        guard let segment else { return nil }
        window.append(segment)
        return makeSnapshot(now: now)
    }

    private mutating func makeSnapshot(now: Int64) -> PlaylistSnapshot {
        let snapshot = PlaylistSnapshot(window: window, resumePoint: resumePoint, modified: now)
        self.snapshot = snapshot
        return snapshot
    }
}
