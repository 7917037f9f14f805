import FragmentedMP4
import Media
import NIOCore

/// Cuts a stream's access units into parts and segments of fragmented MP4 (RFC 8216bis §3), without I/O and without a clock
/// of its own.
///
/// * A part ends with the frame that brings it nearest to the part duration, and is there with that frame. A segment is
///   made of its parts.
/// * With video, a segment starts at the first keyframe at or after the segment duration; audio goes into the segment
///   that is open when it comes. Audio alone is cut by time.
/// * The first segment says how long segments are at most (`targetDuration`), which never changes after that. Without a
///   keyframe for that long (for `maximumSegmentDuration` in the first segment) or for `maximumSegmentBytes`, and where video
///   stays away while audio goes on, it cuts anyway; such a segment says that it does not start with a keyframe.
/// * Video that was announced but does not come does not hold up audio: after a while audio is packaged alone, and the
///   video joins with a discontinuity.
/// * Other tracks or another configuration take effect at the next keyframe, with a discontinuity and another
///   initialization file. `discontinuity()` ends the segment at once; what a jump in time is, the caller decides.
///
/// Audio tracks besides the default one go along (`AlternativeTracks`). Audio alone, beside renditions of its program that have video,
/// is cut where those are.
///
/// What cannot be used (audio before the first keyframe, an access unit whose NAL units contradict themselves) is left out
/// and counted.
public struct Segmenter: Sendable {
    public let configuration: SegmenterConfiguration
    /// Access units that went into no segment.
    public private(set) var discardedUnits: Int64 = 0
    /// Cuts and numbers, which the renditions of a program have in common. Until its first numbers have been reserved, nothing is
    /// packaged.
    public let plan: ProgramPlan
    /// Timed metadata that went into no segment, since there was too much of it at once or nothing to go with.
    public private(set) var discardedMetadata: Int64 = 0
    /// `end` has been called.
    public private(set) var isEnded = false

    private var cutRule: CutRule
    private var partRule: PartRule
    private var clock = ProgramClock()
    /// What the publisher sends, as last told.
    private var wanted = TrackSet()
    /// Tracks whose configuration differs between `wanted` and the writer's; equal sets are compared once, not for every
    /// access unit.
    private var videoChanged = true
    private var audioChanged = true
    /// The tracks of the writer at work.
    private var tracks = TrackSet()
    private var writer: FragmentWriter?
    private var initializationBytes = ByteBuffer()
    private var initialization: InitializationFile?
    private var open: OpenSegment?
    private var wait = KeyframeWait()
    /// The next segment starts another timeline or other tracks.
    private var discontinuityPending = false
    /// The first sequence number of this publication; nil before a segment has begun.
    private var life: Int64?
    /// Of the newest segment that has begun.
    private var lastSequence: Int64?
    /// Discontinuities so far; nil before a segment has begun.
    private var discontinuities: Int64?
    /// Numbers up to this one are those of a publication before.
    private let floor: Int64?
    /// The numbers of a segment that was given up.
    private var unused: ProgramPlan.Start?
    /// Nothing has been finished yet in this life.
    private var isFresh = true
    private var periodRule = PeriodRule()
    private var alternatives = AlternativeTracks()
    /// It has said so to the program.
    private var isLeading = false
    private let storage: CountedStorage
    private var captions = CaptionDetector(nil)
    /// Timed metadata that goes into the next part.
    private var told: [(metadata: TimedMetadata, time: MediaTime)] = []
    private var toldBytes = 0
    /// Timed metadata is numbered, so that players take none twice.
    private var eventNumber: UInt32 = 0
    /// What counts as time 0 in the fragments.
    private var origin = MediaTime.zero
    /// Audio of the segment before that the next one begins with; the writer has it already.
    private var leftOver: [StoredUnit] = []
    /// What a part is written into before it is kept.
    private var scratch = ByteBuffer()

    /// The number of the next part: it grows with each that is finished.
    public private(set) var nextPart: Int64 = 0

    private static let initialCapacity = 16 << 10
    /// Timed metadata that waits for its part: how much there may be.
    private static let mostToldBytes = 64 << 10
    private static let mostTold = 64

    /// - Parameters:
    ///   - plan: of the program. Unless its numbers begin at 0, the first segment carries a discontinuity.
    ///   - floor: the last number of the stream's publication before this one.
    ///   - storage: what finished parts and segments are kept in.
    public init(
        configuration: SegmenterConfiguration = SegmenterConfiguration(), plan: ProgramPlan, above floor: Int64? = nil,
        storage: CountedStorage = CountedStorage()
    ) {
        self.configuration = configuration
        cutRule = CutRule(configuration)
        partRule = PartRule(goal: configuration.partDuration)
        self.plan = plan
        self.floor = floor
        self.storage = storage
    }

    /// Goes on with a publication that another process has begun: with its numbers and target durations, and a discontinuity.
    init(
        continuing saved: SavedSegmenter, configuration: SegmenterConfiguration, plan: ProgramPlan,
        storage: CountedStorage
    ) {
        self.init(configuration: configuration, plan: plan, storage: storage)
        partRule = PartRule(goal: configuration.partDuration, target: saved.partTarget)
        periodRule = PeriodRule(after: saved.periodEnd)
        life = saved.life
        lastSequence = saved.lastSequence
        discontinuities = saved.discontinuities
        nextPart = max(0, saved.nextPart)
        eventNumber = saved.eventNumber
        unused = saved.unused
        isFresh = false
        discontinuityPending = true
        if let target = plan.targetDuration { cutRule.fix(targetDuration: target) }
    }

    /// How another process goes on, after `discontinuity`; nil before the first segment is finished, and after the end.
    public var saved: SavedSegmenter? {
        guard !isEnded, !isFresh, open == nil, let partTarget, let life, let lastSequence, let discontinuities else {
            return nil
        }
        return SavedSegmenter(
            segmentDuration: configuration.segmentDuration, partDuration: configuration.partDuration,
            partTarget: partTarget, life: life, lastSequence: lastSequence, discontinuities: discontinuities,
            nextPart: nextPart, eventNumber: eventNumber, unused: unused, periodEnd: periodRule.end)
    }

    /// What the part being written takes, in bytes.
    public var openCapacity: Int { scratch.storageCapacity + toldBytes }

    /// `EXT-X-PART-INF:PART-TARGET`; nil until the first segment is finished.
    public var partTarget: MediaTime? { partRule.target }

    /// The segment that is being written, as far as it is finished; nil when there is none.
    public var openSegment: PlaylistSnapshot.OpenSegment? {
        guard let life, let lastSequence else { return nil }
        return PlaylistSnapshot.OpenSegment(
            sequence: open == nil ? lastSequence + 1 : lastSequence, life: life, nextPart: nextPart,
            isDiscontinuity: open?.isDiscontinuity ?? false,
            initialization: open?.initialization, programDateTime: open?.programDateTime ?? 0,
            parts: open?.parts ?? [])
    }

    /// Says what the stream consists of, at its start and whenever it changes. It takes effect at the next keyframe (for
    /// audio alone at the next frame); until then access units of a track that changed are left out.
    ///
    /// - Throws: when fragmented MP4 does not take these tracks; the ones before stay in force.
    public mutating func setTracks(_ tracks: TrackSet) throws(SegmenterError) {
        guard !isEnded else { return }
        alternatives.set(tracks)
        let tracks = tracks.defaults
        guard tracks != wanted else { return }
        if !tracks.isEmpty {
            do {
                _ = try InitializationSegment.make(tracks: tracks)
            } catch {
                throw .unsupportedTracks(reason: String(describing: error))
            }
        }
        wanted = tracks
        captions.look(into: tracks.video)
        noteTrackChanges()
    }

    /// Takes the next access unit of any track, in the order of arrival.
    ///
    /// - Parameter now: Unix milliseconds.
    /// - Returns: the segment this access unit has finished, if it has. That it has finished a part, `nextPart` tells.
    public mutating func append(_ unit: AccessUnit, now: Int64) -> Segment? {
        if !unit.track.isDefault {
            if open == nil || !alternatives.append(unit) { discardedUnits &+= 1 }
            return nil
        }
        guard !isEnded, plan.hasNumbers, wants(unit), isWellFormed(unit),
            unit.payload.readableBytes <= configuration.maximumSegmentBytes
        else {
            discardedUnits &+= 1
            return nil
        }
        if unit.codec.isVideo { captions.observe(unit) }
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

    /// Takes what the encoder tells viewers at a time; it goes into the part that is being gathered.
    public mutating func append(_ metadata: TimedMetadata, at time: MediaTime) {
        let size = metadata.name.utf8.count + metadata.json.utf8.count
        guard !isEnded, told.count < Self.mostTold, size <= Self.mostToldBytes - toldBytes else {
            discardedMetadata &+= 1
            return
        }
        told.append((metadata, time))
        toldBytes += size
    }

    /// Says that what comes next does not continue the timeline: another publisher took over, or this one reconnected.
    /// The open segment ends here, so that viewers get all there was.
    public mutating func discontinuity() -> Segment? {
        guard !isEnded else { return nil }
        let finished = close(next: nil, changesTracks: false)
        if !isFresh { discontinuityPending = true }
        wait = KeyframeWait()
        partRule.breakTimeline()
        captions = CaptionDetector(wanted.video)
        dropMetadata()
        return finished
    }

    /// The stream is over: the last segment, if one is open. Nothing is taken after it.
    public mutating func end() -> Segment? {
        guard !isEnded else { return nil }
        let last = close(next: nil, changesTracks: false)
        isEnded = true
        if isLeading { plan.withdrawVideo() }
        writer = nil
        scratch = ByteBuffer()
        dropMetadata()
        return last
    }

    private func wants(_ unit: AccessUnit) -> Bool {
        unit.codec == (unit.codec.isVideo ? wanted.video : wanted.audio)?.codec
    }

    /// The lengths of its NAL units add up: what a decoder reads past its end would be somebody else's.
    private func isWellFormed(_ unit: AccessUnit) -> Bool {
        let lengthSize: Int
        switch unit.codec.isVideo ? wanted.video : nil {
        case .avc(let configuration): lengthSize = configuration.lengthSize
        case .hevc(let configuration): lengthSize = configuration.lengthSize
        default: return true
        }
        var units = LengthPrefixedNALUnits(unit.payload, lengthSize: lengthSize)
        do {
            while try units.nextRange() != nil {}
            return true
        } catch {
            return false
        }
    }

    private mutating func write(_ unit: AccessUnit) {
        let changed = unit.codec.isVideo ? videoChanged : audioChanged
        guard !changed, open != nil else {
            discardedUnits &+= 1
            return
        }
        let cutsParts = unit.codec.isVideo || tracks.video == nil
        if cutsParts {
            endPart(before: unit)
            partRule.note(unit.decodeTime)
        }
        do {
            try writer?.append(unit)
            open?.count(unit, cutsParts: cutsParts)
        } catch {
            discardedUnits &+= 1
            // Without what it was to start with the segment is none; the next keyframe starts it anew.
            if open?.units == 0 { abandon() }
            return
        }
        endPart(after: unit, cutsParts: cutsParts)
    }

    // MARK: Parts

    /// A frame that comes late, or a gap in time, makes the part end without it.
    private mutating func endPart(before unit: AccessUnit) {
        guard let open, open.gatheredFrames > 0 else { return }
        let position = open.position(of: unit)
        let frame = partRule.frameLength
        guard partRule.isTooLong(position + frame - open.partStart) else { return }
        // Frames that are missing are nobody's: the next part starts with the frame that came.
        let end = min(position, open.partStart + (partRule.target ?? position))
        finishPart(end: end, nextStart: position, videoEnd: nil)
    }

    private mutating func endPart(after unit: AccessUnit, cutsParts: Bool) {
        guard let open else { return }
        if cutsParts {
            let end = open.position(of: unit) + partRule.frameLength
            guard partRule.frameLength > .zero, partRule.ends(end - open.partStart) else { return }
            finishPart(end: end, nextStart: end, videoEnd: nil)
        } else if let target = partRule.target {
            // Video stays away. It may be late, but audio does not wait for it for ever.
            let length = open.position(of: unit) - open.partStart
            guard length >= target + CutRule.videoDelay else { return }
            let end = open.partStart + min(configuration.partDuration, target)
            finishPart(end: end, nextStart: end, videoEnd: nil)
        }
    }

    /// Writes what has been gathered as a part.
    ///
    /// - Parameters:
    ///   - end: of the part, from the segment's start.
    ///   - nextStart: of the part after it.
    ///   - videoEnd: when the last video frame ends, if that is known.
    private mutating func finishPart(end: MediaTime, nextStart: MediaTime, videoEnd: MediaTime?) {
        // Taken out and put back, so that its arrays have one owner while they grow.
        guard var segment = open.take(), let life else { return }
        scratch.clear(minimumCapacity: Self.initialCapacity)
        writeMetadata(from: segment.firstTime + segment.partStart)
        guard let written = writer?.write(videoEnd: videoEnd, into: &scratch), scratch.readableBytes > 0 else {
            open = segment
            return
        }
        let length = max(end - segment.partStart, MediaTime(milliseconds: 1))
        let name = MediaFileName.part(life: life, number: nextPart)
        nextPart += 1
        let date = String(segment.programDateTime, radix: 16)
        let part = Part(
            name: name, duration: partRule.target.map { min(length, $0) } ?? length,
            isIndependent: segment.isPartIndependent, bytes: storage.keep(scratch),
            // Events before the first fragment belong to it.
            videoLength: written.video == nil ? 0 : written.audioStart,
            entityTag: "\"\(nextPart)-\(date)-\(String(scratch.readableBytes, radix: 16))\"",
            videoSpan: written.videoSpan, audioSpan: written.audioSpan, alternatives: alternatives.write(into: storage))
        segment.add(part, payloads: (written.video, written.audio), nextStart: nextStart)
        open = segment
        // A part that was far larger than the others is no measure for them.
        if scratch.storageCapacity > max(Self.initialCapacity, scratch.readableBytes * 4) { scratch = ByteBuffer() }
    }

    /// Writes the timed metadata that waits in front of the part's fragments. None is before the part: what a player is told after
    /// it has played on it may leave out.
    private mutating func writeMetadata(from start: MediaTime) {
        guard !told.isEmpty, let waiting = writer?.pendingBytes, waiting > 0 else { return }
        for (metadata, time) in told {
            guard let event = EventMessage(metadata, time: max(time, start), identifier: eventNumber) else { continue }
            event.write(origin: origin, into: &scratch)
            eventNumber &+= 1
        }
        told.removeAll(keepingCapacity: true)
        toldBytes = 0
    }

    private mutating func dropMetadata() {
        discardedMetadata &+= Int64(told.count)
        told = []
        toldBytes = 0
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
        let isPlanned = isPlanned(at: unit, position)
        let facts = CutRule.Facts(
            elapsed: position,
            isVideo: isVideo,
            // Where the program's cut is to come, a keyframe is none.
            isKeyframe: unit.isKeyframe && isPlanned != false,
            hasVideo: tracks.video != nil,
            startsWithKeyframe: open?.startsWithKeyframe ?? true,
            sinceLastVideo: position - lastVideo,
            frameLength: partRule.frameLength,
            bytes: (open?.length ?? 0) + (writer?.pendingBytes ?? 0) + unit.payload.readableBytes,
            follows: tracks.video == nil
                && plan.isLed(at: unit.decodeTime, within: configuration.maximumSegmentDuration))
        return isPlanned == true || cutRule.cuts(facts) ? tracks : nil
    }

    /// Whether the program is cut at this access unit; nil when no other rendition has come to the next cut.
    private func isPlanned(at unit: AccessUnit, _ position: MediaTime) -> Bool? {
        guard unit.codec.isVideo || tracks.video == nil, let lastSequence, let firstTime = open?.firstTime,
            let cut = plan.cut(after: lastSequence)
        else { return nil }
        // A rendition whose clock is another goes by its own keyframes.
        let longest = cut.targetDuration.map(CutRule.longest(ofTarget:)) ?? configuration.maximumSegmentDuration
        guard cut.time > firstTime, cut.time - firstTime <= longest else { return nil }
        let distance = unit.decodeTime - cut.time
        guard distance >= MediaTime.zero - ProgramPlan.tolerance else { return false }
        return unit.isKeyframe || tracks.video == nil || distance >= Self.keyframeDelay
    }

    /// How long a rendition whose keyframe is not where the program is cut is waited for.
    private static let keyframeDelay = MediaTime(milliseconds: 500)

    /// Opens a segment whose first access unit is this one, which is not written yet.
    private mutating func begin(with unit: AccessUnit, tracks: TrackSet, now: Int64) {
        // Players may have seen the playlist of an earlier publication.
        if lastSequence == nil ? floor != nil : !isFresh && self.tracks != tracks { discontinuityPending = true }
        guard let isAnew = prepareWriter(for: tracks, start: unit.decodeTime),
            let start = takeNumbers(at: unit.decodeTime)
        else { return }
        if (tracks.video != nil) != isLeading {
            isLeading.toggle()
            if isLeading { plan.announceVideo() } else { plan.withdrawVideo() }
        }
        alternatives.begin(start.position.media, origin: origin, isAnew: isAnew)
        let initialization = initialization(of: start.position.media)
        if start.isDiscontinuity { clock.reset() }
        open = OpenSegment(
            start,
            startingWith: unit,
            programDateTime: clock.date(of: unit.decodeTime, now: now),
            startsWithKeyframe: tracks.video == nil || (unit.codec.isVideo && unit.isKeyframe),
            initialization: initialization, gathered: leftOver)
        leftOver = []
        discontinuityPending = false
        wait = KeyframeWait()
    }

    /// The numbers of the segment that begins at this time.
    private mutating func takeNumbers(at time: MediaTime) -> ProgramPlan.Start? {
        let start: ProgramPlan.Start
        if var again = unused.take() {
            again.isDiscontinuity = again.isDiscontinuity || discontinuityPending
            plan.move(
                again.position.media, to: time,
                discontinuities: again.position.discontinuity + (again.isDiscontinuity ? 1 : 0))
            start = again
        } else {
            guard
                let new = plan.begin(
                    at: time, after: lastSequence, above: floor, discontinuities: discontinuities,
                    isDiscontinuity: discontinuityPending)
            else { return nil }
            start = new
        }
        discontinuities = start.position.discontinuity + (start.isDiscontinuity ? 1 : 0)
        lastSequence = start.position.media
        if life == nil { life = lastSequence }
        if let target = plan.targetDuration { cutRule.fix(targetDuration: target) }
        return start
    }

    /// Makes the open segment into a finished one.
    ///
    /// - Parameters:
    ///   - next: the access unit the following segment starts with, if that follows without a break.
    ///   - changesTracks: the following segment has other tracks.
    private mutating func close(next: AccessUnit?, changesTracks: Bool) -> Segment? {
        guard let segment = open else { return nil }
        let duration = next.map(segment.position(of:)) ?? segment.duration
        if changesTracks, isFresh, duration < configuration.segmentDuration {
            // The tracks were still being told: nobody has seen this moment, and players that begin with audio alone
            // do not take video later.
            abandon()
            return nil
        }
        // Audio that came after the last part goes on in the next segment, if that has the same tracks.
        let keepsAudio = next != nil && !changesTracks && segment.gatheredFrames == 0 && !segment.parts.isEmpty
        if keepsAudio {
            leftOver = segment.leftOver
        } else {
            let nextVideo = next.flatMap { $0.codec.isVideo ? $0.decodeTime : nil }
            finishPart(end: duration, nextStart: duration, videoEnd: nextVideo)
        }
        guard open?.parts.isEmpty == false, let segment = open.take() else {
            abandon()
            return nil
        }
        let target = fixTargets(duration)
        isFresh = false
        let period = periodRule.period(
            of: segment.position.media, date: segment.programDateTime, isDiscontinuity: segment.isDiscontinuity,
            video: segment.span(.video), audio: segment.span(.audio))
        return Segment(
            position: segment.position, targetDuration: target,
            partTarget: partRule.target ?? configuration.partDuration,
            period: period, storage: storage,
            // Audio may go on for a while before it is known that no video comes.
            duration: min(max(duration, MediaTime(milliseconds: 1)), cutRule.longest), segment,
            tracks: alternatives.inUse.reduce(into: tracks) { $0[$1.id] = $1.configuration },
            captions: captions.captions)
    }

    /// Says how long segments and parts are at most, once the first segment has shown how long they are.
    private mutating func fixTargets(_ duration: MediaTime) -> Int {
        let target = plan.fixTarget(
            max(
                Int(configuration.segmentDuration.seconds.rounded(.up)), Int(min(duration.seconds, 1e6).rounded())))
        cutRule.fix(targetDuration: target)
        partRule.fixTarget()
        return target
    }

    /// Gives up the open segment, which nobody has seen.
    private mutating func abandon() {
        guard let segment = open.take() else { return }
        scratch.clear()
        _ = writer?.write(into: &scratch)
        scratch.clear()
        alternatives.drop()
        unused = ProgramPlan.Start(position: segment.position, isDiscontinuity: segment.isDiscontinuity)
        discardedUnits &+= Int64(segment.units)
    }

    private mutating func noteTrackChanges() {
        videoChanged = tracks.video != wanted.video
        audioChanged = tracks.audio != wanted.audio
    }

    /// - Returns: whether there is another writer than before; nil when nothing can be written for these tracks, and then the
    ///   access unit finds no segment.
    private mutating func prepareWriter(for tracks: TrackSet, start: MediaTime) -> Bool? {
        // After a discontinuity there is a writer with another origin; the initialization stays if the tracks do.
        if writer != nil, self.tracks == tracks, !discontinuityPending { return false }
        if (self.tracks.video == nil) != (tracks.video == nil) {
            partRule.changeTrack()
        } else if self.tracks.video?.codec != tracks.video?.codec || self.tracks.audio?.codec != tracks.audio?.codec {
            partRule.breakTimeline()
        }
        leftOver = []
        do {
            // MP4 has no negative times.
            origin = min(start, .zero)
            writer = try FragmentWriter(tracks: tracks, origin: origin)
            initializationBytes = try InitializationSegment.make(tracks: tracks)
            self.tracks = tracks
        } catch {
            writer = nil
            self.tracks = TrackSet()
        }
        noteTrackChanges()
        return writer == nil ? nil : true
    }

    /// The initialization of the segment with this number, which names it if it is another than before.
    private mutating func initialization(of sequence: Int64) -> InitializationFile {
        var file =
            if let initialization, initialization.bytes == initializationBytes {
                initialization
            } else {
                InitializationFile(sequence, tracks: tracks, bytes: initializationBytes)
            }
        file = file.with(alternatives.initializations)
        initialization = file
        return file
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
