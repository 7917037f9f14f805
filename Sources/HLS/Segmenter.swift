import Media
import NIOCore

/// Cuts a stream's access units into segments (RFC 8216 §3), without I/O and without a clock of its own.
///
/// * With video, a segment starts at the first keyframe at or after the segment duration; audio goes into the segment
///   that is open when it comes. Audio alone is cut by time.
/// * Without a keyframe for `maximumSegmentDuration` or `maximumSegmentBytes`, and where video stays away while audio
///   goes on, it cuts anyway; such a segment says that it does not start with a keyframe.
/// * Video that was announced but does not come does not hold up audio: after a while audio is packaged alone, and the
///   video joins with a discontinuity.
/// * Other tracks or another configuration take effect at the next keyframe, with a discontinuity and, in MP4, another
///   initialization file. `discontinuity()` ends the segment at once; what a jump in time is, the caller decides.
///
/// What cannot be used (audio before the first keyframe, an access unit its muxer refuses) is left out and counted.
public struct Segmenter: Sendable {
    public let configuration: SegmenterConfiguration
    /// Access units that went into no segment.
    public private(set) var discardedUnits: Int64 = 0
    /// What the segments are numbered by. Until its first block has been reserved, nothing is packaged.
    public var numbers: SequenceNumbers
    /// `end` has been called.
    public private(set) var isEnded = false

    private let cutRule: CutRule
    private var clock = ProgramClock()
    /// What the publisher sends, as last told.
    private var wanted = TrackSet()
    /// Tracks whose configuration differs between `wanted` and the muxer at work; equal sets are compared once, not for
    /// every access unit.
    private var videoChanged = true
    private var audioChanged = true
    private var muxer: SegmentMuxer?
    private var initialization: InitializationFile?
    private var open: OpenSegment?
    private var wait = KeyframeWait()
    /// The next segment starts another timeline or other tracks.
    private var discontinuityPending = false
    /// Nothing has been finished yet in this life.
    private var isFresh = true
    /// Playlists cannot go back to MPEG-TS, for nothing revokes an `EXT-X-MAP`.
    private var usesFragmentedMP4 = false
    private let storage: CountedStorage
    /// What the next segment is written into: the storage that the last one was written into, as a rule.
    private var spare = ByteBuffer()

    /// A segment's storage at first; it doubles whenever it is full.
    private static let initialCapacity = 64 << 10

    /// - Parameters:
    ///   - numbers: of this publication. Unless they begin at 0, the first segment carries a discontinuity.
    ///   - storage: what finished segments are kept in.
    public init(
        configuration: SegmenterConfiguration = SegmenterConfiguration(), numbers: SequenceNumbers,
        storage: CountedStorage = CountedStorage()
    ) {
        self.configuration = configuration
        cutRule = CutRule(configuration)
        self.numbers = numbers
        self.storage = storage
    }

    /// The storage that the segment being written takes, in bytes.
    public var openCapacity: Int {
        open?.bytes.storageCapacity ?? spare.storageCapacity
    }

    /// Says what the stream consists of, at its start and whenever it changes. It takes effect at the next keyframe (for
    /// audio alone at the next frame); until then access units of a track that changed are left out.
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
        guard !isEnded, numbers.next != nil, wants(unit),
            unit.payload.readableBytes <= configuration.maximumSegmentBytes
        else {
            discardedUnits &+= 1
            return nil
        }
        var finished: Segment?
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
        return breakTimeline()
    }

    /// The stream is over: the last segment, if one is open. Nothing is taken after it.
    public mutating func end() -> Segment? {
        guard !isEnded else { return nil }
        let last = close(next: nil, changesTracks: false)
        isEnded = true
        muxer = nil
        spare = ByteBuffer()
        return last
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

    // MARK: Where segments begin and end

    /// Opens a segment if one may start with this access unit.
    private mutating func startIfPossible(with unit: AccessUnit, now: Int64) {
        let decision = wait.decide(
            unit, expectsVideo: wanted.video != nil, videoSilence: cutRule.videoSilence,
            maximumDuration: configuration.maximumSegmentDuration)
        switch decision {
        case .wait: break
        case .start: begin(with: unit, tracks: wanted, now: now)
        case .startWithoutVideo: begin(with: unit, tracks: TrackSet(audio: wanted.audio), now: now)
        }
    }

    /// The tracks of the segment that starts with this access unit; nil when the open one goes on.
    private func tracksOfSegmentStarting(with unit: AccessUnit) -> TrackSet? {
        // Asked for piece by piece: a copy of either would count references for every access unit.
        guard let position = open?.position(of: unit), let lastVideo = open?.lastVideoPosition else { return nil }
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
            startsWithKeyframe: open?.startsWithKeyframe ?? true,
            sinceLastVideo: position - lastVideo,
            bytes: (open?.bytes.readableBytes ?? 0) + (muxer?.pendingBytes ?? 0) + unit.payload.readableBytes)
        return cutRule.cuts(facts) ? muxer?.tracks : nil
    }

    /// Opens a segment whose first access unit is this one, which is not written yet.
    private mutating func begin(with unit: AccessUnit, tracks: TrackSet, now: Int64) {
        guard let sequence = numbers.next?.media else { return }
        // Players may have seen the playlist of an earlier publication.
        if isFresh ? sequence > 0 : muxer.map({ $0.tracks != tracks }) ?? false { discontinuityPending = true }
        guard prepareMuxer(for: tracks, sequence: sequence, start: unit.decodeTime) else { return }
        if discontinuityPending { clock.reset() }
        var bytes = spare
        spare = ByteBuffer()
        bytes.reserveCapacity(Self.initialCapacity)
        muxer?.begin(isDiscontinuity: discontinuityPending, into: &bytes)
        open = OpenSegment(
            startingWith: unit,
            programDateTime: clock.date(of: unit.decodeTime, now: now),
            isDiscontinuity: discontinuityPending,
            startsWithKeyframe: tracks.video == nil || (unit.codec.isVideo && unit.isKeyframe),
            initialization: initialization,
            bytes: bytes)
        discontinuityPending = false
        wait = KeyframeWait()
    }

    /// Makes the open segment into a finished one.
    ///
    /// - Parameters:
    ///   - next: the access unit the following segment starts with, if that follows without a break.
    ///   - changesTracks: the following segment has other tracks.
    private mutating func close(next: AccessUnit?, changesTracks: Bool) -> Segment? {
        guard var segment = open.take(), let container = muxer?.container, let tracks = muxer?.tracks else {
            return nil
        }
        let duration = next.map(segment.position(of:)) ?? segment.length
        if changesTracks, isFresh, duration < configuration.segmentDuration {
            // The tracks were still being told: nobody has seen this moment, and players that begin with audio alone
            // do not take video later.
            abandon(segment)
            return nil
        }
        let nextVideo = next.flatMap { $0.codec.isVideo ? $0.decodeTime : nil }
        muxer?.finish(nextVideo: nextVideo, into: &segment.bytes)
        guard let position = numbers.take(isDiscontinuity: segment.isDiscontinuity) else {
            assert(false, "a segment was opened without a number")
            return nil
        }
        isFresh = false
        let bytes = storage.keep(segment.bytes)
        reuse(&segment.bytes)
        return Segment(
            position: position,
            container: container,
            initialization: segment.initialization,
            duration: max(duration, MediaTime(milliseconds: 1)),
            isDiscontinuity: segment.isDiscontinuity,
            programDateTime: segment.programDateTime,
            startsWithKeyframe: segment.startsWithKeyframe,
            firstTime: segment.firstTime,
            lastTime: segment.lastTime,
            videoFrames: segment.videoFrames,
            videoSpan: segment.videoSpan,
            tracks: tracks,
            bytes: bytes)
    }

    /// Writes the next segment into this one's storage, unless that has become far too large for what goes into it.
    private mutating func reuse(_ bytes: inout ByteBuffer) {
        let isFitting = bytes.storageCapacity <= max(Self.initialCapacity, bytes.readableBytes * 4)
        spare = isFitting ? bytes : ByteBuffer()
        bytes = ByteBuffer()
        spare.clear()
    }

    /// Gives up a segment nobody has seen.
    private mutating func abandon(_ segment: consuming OpenSegment) {
        reuse(&segment.bytes)
        discontinuityPending = discontinuityPending || segment.isDiscontinuity
        discardedUnits &+= Int64(segment.units)
    }

    /// Ends the open segment; the next one does not continue its timeline.
    private mutating func breakTimeline() -> Segment? {
        let finished = close(next: nil, changesTracks: false)
        if !isFresh { discontinuityPending = true }
        wait = KeyframeWait()
        return finished
    }

    private mutating func noteTrackChanges() {
        videoChanged = muxer?.tracks.video != wanted.video
        audioChanged = muxer?.tracks.audio != wanted.audio
    }

    private func container(for tracks: TrackSet) -> SegmentContainer {
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

/// Why tracks cannot be packaged for HLS.
public enum SegmenterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No container takes these tracks with these configurations; the sentence says what is wrong with them.
    case unsupportedTracks(reason: String)

    public var description: String {
        switch self {
        case .unsupportedTracks(let reason): "the tracks cannot be packaged for HLS: \(reason)"
        }
    }
}
