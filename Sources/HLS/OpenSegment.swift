import FragmentedMP4
import Media
import NIOCore

/// The segment that is being written.
///
/// Its clock is that of the track it starts with, video's as a rule. The other track's times are taken as they
/// are where they agree with that clock; an encoder whose audio is minutes away from its video must not make segments
/// that last minutes, so otherwise only their steps count.
struct OpenSegment {
    let position: SequenceNumbers.Position
    let firstTime: MediaTime
    let programDateTime: Int64
    let isDiscontinuity: Bool
    let startsWithKeyframe: Bool
    let initialization: InitializationFile
    /// Those that are written.
    private(set) var parts: [Part] = []
    /// Bytes of them.
    private(set) var length = 0
    /// Where the part that is being gathered starts, from the segment's start.
    private(set) var partStart = MediaTime.zero
    /// Frames gathered of the track that parts are cut by.
    private(set) var gatheredFrames = 0
    /// Access units gathered, of both tracks, and where they will stand.
    private var gathered: [StoredUnit] = []
    private var stored: [StoredUnit] = []

    private let leadsWithVideo: Bool
    private var lead: Tail?
    private var other: Tail?
    /// Where the leading track is, from the segment's start.
    private var leadPosition = MediaTime.zero
    /// The other track's time when the leading one was there.
    private var otherAnchor: MediaTime?

    /// Where the latest video frame is, from the segment's start; zero before there is one.
    private(set) var lastVideoPosition = MediaTime.zero
    private(set) var lastTime: MediaTime
    private(set) var videoFrames = 0
    /// Access units of both tracks.
    private(set) var units = 0

    /// The stretch of a track so far.
    private struct Tail {
        let start: MediaTime
        var time: MediaTime
        /// From the access unit before to the latest one.
        var step = MediaTime.zero
    }

    /// - Parameters:
    ///   - unit: what the segment starts with; it is counted when it has been written.
    ///   - gathered: what the segment before has left over.
    init(
        _ start: ProgramPlan.Start, startingWith unit: AccessUnit, programDateTime: Int64,
        startsWithKeyframe: Bool, initialization: InitializationFile, gathered: [StoredUnit]
    ) {
        self.position = start.position
        self.firstTime = unit.decodeTime
        self.programDateTime = programDateTime
        self.isDiscontinuity = start.isDiscontinuity
        self.startsWithKeyframe = startsWithKeyframe
        self.initialization = initialization
        self.gathered = gathered
        self.leadsWithVideo = unit.codec.isVideo
        self.lastTime = unit.decodeTime
    }

    /// From the segment's start to this access unit.
    func position(of unit: AccessUnit) -> MediaTime {
        unit.codec.isVideo == leadsWithVideo ? unit.decodeTime - firstTime : otherPosition(at: unit.decodeTime)
    }

    /// Takes note of an access unit that has been given to the muxer.
    /// - Parameter cutsParts: whether it is of the track that parts are cut by.
    mutating func count(_ unit: AccessUnit, cutsParts: Bool) {
        let position = position(of: unit)
        let isVideo = unit.codec.isVideo
        if isVideo == leadsWithVideo {
            leadPosition = position
            otherAnchor = other?.time
            Self.extend(&lead, to: unit.decodeTime)
        } else {
            if otherAnchor == nil { otherAnchor = unit.decodeTime }
            Self.extend(&other, to: unit.decodeTime)
        }
        if isVideo {
            videoFrames += 1
            lastVideoPosition = position
        }
        lastTime = unit.decodeTime
        units += 1
        if cutsParts { gatheredFrames += 1 }
        gathered.append(StoredUnit(unit))
    }

    // MARK: Parts

    /// Whether the part that is being gathered begins with a keyframe, or holds no video.
    var isPartIndependent: Bool {
        guard let first = gathered.first(where: \.isVideo) else { return videoFrames == 0 }
        return first.isKeyframe
    }

    /// Adds the part that has been gathered.
    ///
    /// - Parameters:
    ///   - payloads: where in the part's bytes the payloads of video and of audio begin.
    ///   - nextStart: where the part after it starts.
    mutating func add(_ part: Part, payloads: (video: Int?, audio: Int?), nextStart: MediaTime) {
        var (video, audio) = (payloads.video ?? 0, payloads.audio ?? 0)
        for var unit in gathered {
            if unit.isVideo {
                unit.offset = length + video
                video += unit.size
            } else {
                unit.offset = length + audio
                audio += unit.size
            }
            stored.append(unit)
        }
        gathered.removeAll(keepingCapacity: true)
        gatheredFrames = 0
        parts.append(part)
        length += part.bytes.readableBytes
        partStart = nextStart
    }

    /// When the track begins and ends in its parts; nil when they have nothing of it.
    func span(_ track: TrackID) -> TrackSpan? {
        parts.compactMap { $0.span(track) }.reduce(nil) { $0?.joined(with: $1) ?? $1 }
    }

    /// What the segment leaves to the next one.
    var leftOver: [StoredUnit] { gathered }

    /// Where its access units stand.
    var index: [StoredUnit] { stored }

    // MARK: Times

    /// From the first video frame to the latest one.
    var videoSpan: MediaTime {
        (leadsWithVideo ? lead : other).map { $0.time - $0.start } ?? .zero
    }

    /// How long the segment is if nothing follows: to the latest access unit of either track, and as long again as the
    /// one before it lasted.
    var duration: MediaTime {
        let leadEnd = lead.map { $0.time - firstTime + $0.step } ?? .zero
        let otherEnd = other.map { otherPosition(at: $0.time) + $0.step } ?? .zero
        return max(leadEnd, otherEnd)
    }

    /// How far the two tracks' clocks may be apart and still count as one.
    private static let tolerance = MediaTime(milliseconds: 3_000)

    private func otherPosition(at time: MediaTime) -> MediaTime {
        let steps = otherAnchor.map { time - $0 } ?? .zero
        let estimate = leadPosition + steps
        let direct = time - firstTime
        let distance = direct - estimate
        let agrees = distance <= Self.tolerance && distance >= MediaTime.zero - Self.tolerance
        return agrees ? direct : estimate
    }

    private static func extend(_ tail: inout Tail?, to time: MediaTime) {
        guard let previous = tail else {
            tail = Tail(start: time, time: time)
            return
        }
        let step = time - previous.time
        tail = Tail(start: previous.start, time: time, step: step > .zero ? step : previous.step)
    }
}

/// Where an access unit stands in a segment's bytes, and when it is due.
struct StoredUnit: Sendable {
    let decodeTime: MediaTime
    let compositionOffset: MediaTime
    /// From the segment's first byte.
    var offset = 0
    let size: Int
    let isVideo: Bool
    let isKeyframe: Bool

    init(_ unit: AccessUnit) {
        decodeTime = unit.decodeTime
        compositionOffset = unit.compositionOffset
        size = unit.payload.readableBytes
        isVideo = unit.codec.isVideo
        isKeyframe = unit.isKeyframe
    }

    init(
        decodeTime: MediaTime, compositionOffset: MediaTime, offset: Int, size: Int, isVideo: Bool, isKeyframe: Bool
    ) {
        self.decodeTime = decodeTime
        self.compositionOffset = compositionOffset
        self.offset = offset
        self.size = size
        self.isVideo = isVideo
        self.isKeyframe = isKeyframe
    }
}
