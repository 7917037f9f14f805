import FragmentedMP4
import Media

/// A rendition of a program as an MPD lists it.
public struct PresentationMember: Sendable {
    /// Where its files are, relative to the MPD; nil: in the same place.
    let folder: String?
    let snapshot: PlaylistSnapshot
    /// It is there for its audio, and what others bring is not listed beside it.
    let isAudioAlone: Bool
    /// The languages of its audio tracks, by their numbers, as RFC 5646 tags.
    let languages: [UInt8: String]

    public init(
        folder: String? = nil, snapshot: PlaylistSnapshot, isAudioAlone: Bool = false, languages: [UInt8: String] = [:]
    ) {
        self.folder = folder
        self.snapshot = snapshot
        self.isAudioAlone = isAudioAlone
        self.languages = languages
    }
}

/// One track of a rendition in one period of an MPD.
struct PresentedTrack {
    let id: TrackID
    let configuration: CodecConfiguration
    let segments: [Segment]
    /// Ticks a second, and the time in them at which the period begins.
    let timescale: Int64
    let origin: Int64
    private let member: PresentationMember
    /// The period goes on, and may have a segment that is being written.
    private let isNewest: Bool

    /// Encoders that count in whole milliseconds round the same moment in different ways.
    private static let tolerance = MediaTime(milliseconds: 5)
    /// Frames of audio do not begin where those of video do.
    private static let audioTolerance = MediaTime(milliseconds: 1_000)

    /// - Parameter leading: the segments of the period, of the rendition that all others go by.
    /// - Returns: nil when the rendition has not the track in all of them, the newest and the oldest apart, or at other times.
    init?(_ id: TrackID, of member: PresentationMember, beside leading: ArraySlice<Segment>, isNewest: Bool) {
        guard let leader = leading.first, let newest = leading.last else { return nil }
        let segments = member.snapshot.listed.filter { leader.sequence...newest.sequence ~= $0.sequence }
        guard let first = segments.first, let configuration = first.tracks[id], let span = first.span(id),
            segments.allSatisfy({ $0.tracks[id] == configuration && $0.span(id) != nil }),
            // Each is finished and let go of by itself, a moment sooner or later than those beside it.
            first.sequence <= leader.sequence + 1, (segments.last?.sequence ?? 0) >= newest.sequence - 1,
            let origin = Self.origin(in: leading, span.timescale)
        else { return nil }
        let isSteady = zip(segments, segments.dropFirst()).allSatisfy { $1.sequence == $0.sequence + 1 }
        let agrees = segments.allSatisfy { segment in
            guard let beside = leading.first(where: { $0.sequence == segment.sequence }),
                let time = segment.span(id)?.presentation, let leadingTime = beside.lead?.presentation
            else { return false }
            let tolerance = id.kind == .video && beside.tracks.video != nil ? Self.tolerance : Self.audioTolerance
            return max(time - leadingTime, leadingTime - time) <= tolerance
        }
        // A stream's own audio and video may be at different times.
        guard isSteady, agrees || leader === first else { return nil }
        self.id = id
        self.configuration = configuration
        self.segments = segments
        timescale = span.timescale
        self.origin = first.period == leader.period ? first.period.origin(id) ?? origin : origin
        self.member = member
        self.isNewest = isNewest
    }

    /// When the period begins, in ticks of a timescale.
    private static func origin(in leading: ArraySlice<Segment>, _ timescale: Int64) -> Int64? {
        guard let first = leading.first else { return nil }
        for track in [TrackID.video, .audio] {
            guard let origin = first.period.origin(track), let span = leading.lazy.compactMap({ $0.span(track) }).first
            else { continue }
            return MediaTime(ticks: origin, timescale: span.timescale).ticks(timescale: timescale)
        }
        return nil
    }

    /// The name of its `Representation`, one of its kind.
    var name: String {
        guard let folder = member.folder else { return id.fileName }
        return "\(id.fileName)-\(folder.hasPrefix("r_") ? folder.dropFirst(2) : folder[...])"
    }

    /// Stands before the names of its files.
    var folder: String { member.folder.map { "\($0)/" } ?? "" }

    var language: String? { id.kind == .audio ? member.languages[id.number] : nil }

    var first: Int64 { segments.first?.sequence ?? 0 }

    var initialization: String {
        guard let file = segments.first?.initialization else { return "" }
        return (file.name(of: id) ?? file.name).description
    }

    var beginsWithKeyframes: Bool { id.kind == .audio || segments.allSatisfy(\.startsWithKeyframe) }

    var bandwidth: Int {
        BandwidthMeter.peak(of: segments, targetDuration: member.snapshot.targetDuration) { $0.length(id) }
    }

    /// How much earlier than at its end a segment may be asked for; nil: not at all.
    var availability: MediaTime? {
        guard isNewest, member.snapshot.open != nil, let last = segments.last else { return nil }
        return last.duration - member.snapshot.partTarget
    }

    /// The segment that is being written, once something of it can be played.
    private var open: PlaylistSnapshot.OpenSegment? {
        guard isNewest, let open = member.snapshot.open, let last = segments.last, open.sequence == last.sequence + 1,
            last.sequence == member.snapshot.listed.last?.sequence, !open.isDiscontinuity,
            open.initialization?.name == last.initialization.name,
            [TrackID.video, .audio].allSatisfy({ (open.span($0) == nil) == (last.span($0) == nil) }),
            [TrackID.video, .audio, id].allSatisfy({ track in
                guard let span = open.span(track), let before = last.span(track) else { return true }
                return span.presentationStart > before.presentationStart
            })
        else { return nil }
        return open
    }

    /// How long each segment is, those of one length together.
    var timeline: [(start: Int64, duration: Int64, count: Int)] {
        var entries: [(start: Int64, duration: Int64, count: Int)] = []
        var end: Int64?
        var spans = segments.compactMap { $0.span(id) }
        if let last = spans.last, let span = open?.span(id) {
            // How long it becomes nobody knows: as long as the one before it, as far as is known.
            let end = span.decodeStart.addingSaturated(max(last.duration, span.duration))
            spans.append(
                TrackSpan(
                    timescale: span.timescale, decodeStart: span.decodeStart,
                    presentationStart: span.presentationStart, decodeEnd: end))
        }
        for (index, span) in spans.enumerated() {
            var duration = span.duration
            // The last frame of a segment may be thought longer than the next one lets it be.
            if index + 1 < spans.count {
                let distance = spans[index + 1].presentationStart - span.presentationStart
                if distance > 0, distance < duration { duration = distance }
            }
            duration = max(1, duration)
            if end == span.presentationStart, entries.last?.duration == duration {
                entries[entries.count - 1].count += 1
            } else {
                entries.append((span.presentationStart, duration, 1))
            }
            end = span.presentationStart.addingSaturated(duration)
        }
        return entries
    }
}

extension Segment {
    /// Of the track that says when it begins.
    fileprivate var lead: TrackSpan? { span(.video) ?? span(.audio) }
}

extension TrackSpan {
    fileprivate var presentation: MediaTime { MediaTime(ticks: presentationStart, timescale: timescale) }
}

extension CodecConfiguration {
    /// Samples a second that come out of the decoder; nil of video.
    var outputSampleRate: Int? {
        if case .aac(let value) = self { value.outputSampleRate } else { sampleRate }
    }

    /// The number of channels; nil of video.
    public var channels: Int? {
        switch self {
        case .aac(let value): value.channels
        case .mp3(let value): value.channels
        case .opus(let value): value.channels
        case .ac3(let value): value.channels
        case .eac3(let value): value.channels
        case .flac(let value): value.channels
        case .avc, .hevc, .av1, .vp9: nil
        }
    }
}
