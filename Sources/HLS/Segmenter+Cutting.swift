import Media
import NIOCore

extension Segmenter {
    /// Opens a segment if one may start with this access unit.
    mutating func startIfPossible(with unit: AccessUnit, now: Int64) {
        let decision = wait.decide(
            unit, expectsVideo: wanted.video != nil, pictureSilence: cutRule.pictureSilence,
            maximumDuration: configuration.maximumSegmentDuration)
        switch decision {
        case .wait: break
        case .start: begin(with: unit, tracks: wanted, now: now)
        case .startWithoutVideo: begin(with: unit, tracks: TrackSet(audio: wanted.audio), now: now)
        }
    }

    /// The tracks of the segment that starts with this access unit; nil when the open one goes on.
    func tracksOfSegmentStarting(with unit: AccessUnit) -> TrackSet? {
        // Asked for piece by piece: a copy of either would count references for every access unit.
        guard let position = open?.position(of: unit), let lastPicture = open?.lastPicturePosition else { return nil }
        let isVideo = unit.codec.isVideo
        if videoChanged || audioChanged {
            if wanted.video == nil ? !isVideo : isVideo && unit.isKeyframe { return wanted }
            if isVideo ? videoChanged : audioChanged { return nil }
        }
        let facts = CutRule.Facts(
            elapsed: position,
            isVideo: isVideo,
            isKeyframe: unit.isKeyframe,
            hasVideo: muxer?.hasVideo ?? false,
            sinceLastPicture: position - lastPicture,
            bytes: (open?.bytes.readableBytes ?? 0) + (muxer?.pendingBytes ?? 0) + unit.payload.readableBytes)
        return cutRule.cuts(facts) ? muxer?.tracks : nil
    }

    /// Opens a segment whose first access unit is this one, which is not written yet.
    mutating func begin(with unit: AccessUnit, tracks: TrackSet, now: Int64) {
        let sequence = nextSequence
        if let muxer, muxer.tracks != tracks, !isFresh { discontinuityPending = true }
        guard prepareMuxer(for: tracks, sequence: sequence, start: unit.decodeTime) else { return }
        if discontinuityPending { clock.reset() }
        var bytes = ByteBufferAllocator().buffer(capacity: expectedBytes)
        muxer?.begin(isDiscontinuity: discontinuityPending, into: &bytes)
        open = OpenSegment(
            sequence: sequence,
            startingWith: unit,
            programDateTime: clock.date(of: unit.decodeTime, now: now),
            isDiscontinuity: discontinuityPending,
            startsWithKeyframe: tracks.video == nil || (unit.codec.isVideo && unit.isKeyframe),
            initialization: initialization,
            bytes: bytes)
        nextSequence &+= 1
        discontinuityPending = false
        wait = KeyframeWait()
    }

    /// Makes the open segment into a finished one.
    ///
    /// - Parameters:
    ///   - next: the access unit the following segment starts with, if that follows without a break.
    ///   - changesTracks: the following segment has other tracks.
    mutating func close(next: AccessUnit?, changesTracks: Bool) -> Segment? {
        guard var segment = open.take(), let container = muxer?.container, let tracks = muxer?.tracks else {
            return nil
        }
        let duration = next.map(segment.position(of:)) ?? segment.length
        if changesTracks, isFresh, duration < configuration.segmentDuration {
            // The tracks were still being told: nobody has seen this moment, and players that begin with sound alone
            // do not take pictures later.
            abandon(segment)
            return nil
        }
        let nextVideo = next.flatMap { $0.codec.isVideo ? $0.decodeTime : nil }
        muxer?.finish(nextVideo: nextVideo, into: &segment.bytes)
        isFresh = false
        expectedBytes = min(segment.bytes.readableBytes + segment.bytes.readableBytes / 8, 8 << 20)
        return Segment(
            sequence: segment.sequence,
            container: container,
            initialization: segment.initialization,
            duration: max(duration, MediaTime(milliseconds: 1)),
            isDiscontinuity: segment.isDiscontinuity,
            programDateTime: segment.programDateTime,
            startsWithKeyframe: segment.startsWithKeyframe,
            firstTime: segment.firstTime,
            lastTime: segment.lastTime,
            pictures: segment.pictures,
            pictureSpan: segment.pictureSpan,
            tracks: tracks,
            bytes: segment.bytes)
    }

    /// Gives up a segment nobody has seen; the next one takes its number.
    mutating func abandon(_ segment: OpenSegment) {
        nextSequence = segment.sequence
        discontinuityPending = discontinuityPending || segment.isDiscontinuity
        discard(segment.units)
    }

    /// Ends the open segment; the next one does not continue its timeline.
    mutating func breakTimeline() -> Segment? {
        let finished = close(next: nil, changesTracks: false)
        if !isFresh { discontinuityPending = true }
        wait = KeyframeWait()
        return finished
    }

    mutating func noteTrackChanges() {
        videoChanged = muxer?.tracks.video != wanted.video
        audioChanged = muxer?.tracks.audio != wanted.audio
    }

    func container(for tracks: TrackSet) -> SegmentContainer {
        usesFragmentedMP4 ? .fragmentedMP4 : SegmentMuxer.container(for: tracks)
    }

    /// False when there can be no muxer for these tracks; then the access unit finds no segment.
    private mutating func prepareMuxer(for tracks: TrackSet, sequence: Int64, start: MediaTime) -> Bool {
        let container = container(for: tracks)
        let isSame = muxer.map { $0.tracks == tracks && $0.container == container } ?? false
        // MPEG-TS goes on with its counters. MP4 gets a writer with another origin, and keeps its initialization.
        if isSame, container == .transportStream || !discontinuityPending { return true }
        guard let muxer = try? SegmentMuxer(tracks: tracks, container: container, start: start) else {
            self.muxer = nil
            noteTrackChanges()
            return false
        }
        if muxer.initialization != initialization?.bytes {
            initialization = muxer.initialization.map { InitializationFile(name: "init_\(sequence).mp4", bytes: $0) }
        }
        self.muxer = muxer
        usesFragmentedMP4 = container == .fragmentedMP4
        noteTrackChanges()
        return true
    }
}
