import Basics
import FragmentedMP4
import Media
import NIOCore

/// A form of a media playlist.
public enum PlaylistForm: Sendable, Hashable {
    /// Fragmented MP4, with parts.
    case fragmentedMP4
    /// That, without the segments that a player has who asks for a delta (RFC 8216bis §6.2.5.1); in full while there is
    /// nothing to skip.
    case delta
    /// One track of that alone: audio for those who watch nothing, and each track for players that may choose among several.
    case track(TrackID)
    /// That, without the segments that the player has.
    case trackDelta(TrackID)
    /// MPEG-TS, for old players: no parts.
    case transportStream
    /// The MPD of MPEG-DASH, which names the tracks of the segments one by one.
    case dash

    /// The track that is all of it.
    public var track: TrackID? {
        switch self {
        case .track(let track), .trackDelta(let track): track
        case .fragmentedMP4, .delta, .transportStream, .dash: nil
        }
    }

    var isDelta: Bool {
        switch self {
        case .delta, .trackDelta: true
        case .fragmentedMP4, .track, .transportStream, .dash: false
        }
    }

    /// The same for a player that has the older segments.
    public var asDelta: PlaylistForm {
        switch self {
        case .fragmentedMP4: .delta
        case .track(let track): .trackDelta(track)
        case .delta, .trackDelta, .transportStream, .dash: self
        }
    }
}

/// The text of a media playlist (RFC 8216bis §4.4.2 to §4.4.5). All URIs are relative, so a session in the path of the
/// playlist's own address is inherited by everything it names.
struct MediaPlaylist {
    /// Where another rendition of the program is (`EXT-X-RENDITION-REPORT`, RFC 8216bis §4.4.5.4).
    struct Report {
        let uri: String
        let snapshot: PlaylistSnapshot
    }

    let snapshot: PlaylistSnapshot
    let form: PlaylistForm
    private let reports: [Report]
    /// The segment that is being written, if the playlist tells of it.
    private let open: PlaylistSnapshot.OpenSegment?

    init(_ snapshot: PlaylistSnapshot, form: PlaylistForm, reports: [Report] = []) {
        self.snapshot = snapshot
        self.reports = reports
        self.form = form
        open = form == .transportStream ? nil : snapshot.open
    }

    /// How far from its end a delta may begin, in target durations (RFC 8216bis §4.4.3.8: at least six).
    private static let skipLimit = 6
    /// How far from the playlist's end parts are listed, in target durations (RFC 8216bis §4.4.4.9).
    private static let partLimit = 3

    func rendered() -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(512 + snapshot.listed.count * 160)
        let skipped = form.isDelta && listsParts ? skippedSegments : 0
        writeHead(&text, skipped: skipped)
        if skipped > 0 { text.writeString("#EXT-X-SKIP:SKIPPED-SEGMENTS=\(skipped)\n") }
        var map: MediaFileName?
        let firstWithParts = firstSegmentWithParts
        for (index, segment) in snapshot.listed.enumerated() {
            guard index >= skipped else {
                map = name(of: segment.initialization)
                continue
            }
            start(
                of: segment.isDiscontinuity, segment.initialization, after: &map, segment.programDateTime, &text)
            if index >= firstWithParts { for part in segment.parts { write(part, &text) } }
            if let track = form.track, segment.length(track) == 0 { text.writeString("#EXT-X-GAP\n") }
            text.writeString("#EXTINF:\(PlaylistText.seconds(segment.duration)),\n\(name(of: segment))\n")
        }
        if let open {
            if let file = open.initialization, !open.parts.isEmpty {
                start(of: open.isDiscontinuity, file, after: &map, open.programDateTime, &text)
            }
            for part in open.parts { write(part, &text) }
            text.writeString("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"\(open.hint.of(form.track))\"\n")
            for report in reports { write(report, &text) }
        }
        if snapshot.isEnded { text.writeString("#EXT-X-ENDLIST\n") }
        return text
    }

    /// At the end of a stream they stay, so that a player in the middle of a segment goes on where it is.
    private var listsParts: Bool {
        open != nil
            || form != .transportStream && snapshot.isEnded && snapshot.listed.last?.parts.isEmpty == false
    }

    /// Decimal `EXTINF`s need version 3; `EXT-X-MAP` needs 6, and Apple's authoring rules ask for 7 with it; `EXT-X-SKIP` needs 9.
    private var version: Int {
        switch form {
        case .transportStream: 3
        case .fragmentedMP4, .delta, .dash: listsParts ? 9 : 7
        // `EXT-X-GAP`.
        case .track, .trackDelta: listsParts ? 9 : 8
        }
    }

    private func writeHead(_ text: inout ByteBuffer, skipped: Int) {
        let target = snapshot.targetDuration
        text.writeString("#EXTM3U\n#EXT-X-VERSION:\(version)\n#EXT-X-TARGETDURATION:\(target)\n")
        if listsParts {
            let part = snapshot.partTarget
            let holdBack = PlaylistText.seconds(MediaTime(nanoseconds: part.nanoseconds * 3))
            text.writeString(
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=\(target * Self.skipLimit),"
                    + "PART-HOLD-BACK=\(holdBack)\n#EXT-X-PART-INF:PART-TARGET=\(PlaylistText.seconds(part))\n")
        }
        text.writeString("#EXT-X-MEDIA-SEQUENCE:\(snapshot.listed.first?.sequence ?? 0)\n")
        if let number = snapshot.listed.first?.discontinuitySequence, number > 0 {
            text.writeString("#EXT-X-DISCONTINUITY-SEQUENCE:\(number)\n")
        }
        if form.track?.kind == .audio || snapshot.hasIndependentSegments {
            text.writeString("#EXT-X-INDEPENDENT-SEGMENTS\n")
        }
    }

    /// What stands before a segment's parts and its address.
    private func start(
        of isDiscontinuity: Bool, _ file: InitializationFile, after map: inout MediaFileName?, _ date: Int64,
        _ text: inout ByteBuffer
    ) {
        if isDiscontinuity { text.writeString("#EXT-X-DISCONTINUITY\n") }
        if form != .transportStream, let name = name(of: file), name != map {
            map = name
            text.writeString("#EXT-X-MAP:URI=\"\(name)\"\n")
        }
        text.writeString("#EXT-X-PROGRAM-DATE-TIME:\(PlaylistText.date(date))\n")
    }

    /// nil where the track that is listed is missing.
    private func name(of file: InitializationFile) -> MediaFileName? {
        guard let track = form.track else { return file.name }
        return file.name(of: track)
    }

    private func name(of segment: Segment) -> MediaFileName {
        if let track = form.track { return .trackSegment(track, segment.sequence) }
        return segment.name(in: form == .transportStream ? .transportStream : .fragmentedMP4)
    }

    private func write(_ part: Part, _ text: inout ByteBuffer) {
        let (duration, name) = (PlaylistText.seconds(part.duration), part.name.of(form.track))
        text.writeString("#EXT-X-PART:DURATION=\(duration),URI=\"\(name)\"")
        if part.isIndependent || form.track?.kind == .audio { text.writeString(",INDEPENDENT=YES") }
        if let track = form.track, part.span(track) == nil { text.writeString(",GAP=YES") }
        text.writeString("\n")
    }

    private func write(_ report: Report, _ text: inout ByteBuffer) {
        let open = report.snapshot.open.flatMap { $0.parts.isEmpty ? nil : $0 }
        guard let sequence = open?.sequence ?? report.snapshot.listed.last?.sequence else { return }
        text.writeString("#EXT-X-RENDITION-REPORT:URI=\"\(report.uri)\",LAST-MSN=\(sequence)")
        let parts = open?.parts.count ?? report.snapshot.listed.last?.parts.count ?? 0
        text.writeString(parts > 0 ? ",LAST-PART=\(parts - 1)\n" : "\n")
    }

    /// How many segments from the first on are farther from the playlist's end than a player needs who asks for a delta.
    private var skippedSegments: Int {
        let limit = Double(snapshot.targetDuration * Self.skipLimit)
        var behind = open?.parts.reduce(0) { $0 + $1.duration.seconds } ?? 0
        for index in snapshot.listed.indices.reversed() {
            behind += snapshot.listed[index].duration.seconds
            if behind > limit { return index }
        }
        return 0
    }

    /// Of those from there on, parts are listed.
    private var firstSegmentWithParts: Int {
        guard listsParts else { return .max }
        let limit = Double(snapshot.targetDuration * Self.partLimit)
        var behind = 0.0
        for index in snapshot.listed.indices.reversed() {
            if behind >= limit { return index + 1 }
            behind += snapshot.listed[index].duration.seconds
        }
        return 0
    }
}

/// A playlist and its files at one moment: what every viewer is given until the next one replaces it. Immutable, so any
/// number of threads may read it. Making one costs next to nothing: it is text only when somebody asks for it.
public struct PlaylistSnapshot: Sendable {
    /// The segment that is being written.
    public struct OpenSegment: Sendable {
        public let sequence: Int64
        /// The first sequence number of the publication, as the names of parts have it.
        public let life: Int64
        /// The number of the part that comes next.
        public let nextPart: Int64
        let isDiscontinuity: Bool
        /// nil before the segment has begun.
        let initialization: InitializationFile?
        let programDateTime: Int64
        /// Those that are finished.
        public let parts: [Part]

        /// When a track begins and ends in the parts that are finished.
        func span(_ track: TrackID) -> TrackSpan? {
            parts.compactMap { $0.span(track) }.reduce(nil) { $0?.joined(with: $1) ?? $1 }
        }

        /// The part that comes next.
        public var hint: MediaFileName { .part(life: life, number: nextPart) }
    }

    /// The segments in the playlist, oldest first; never empty.
    public let listed: [Segment]
    /// Those that have left it and may still be asked for, oldest first.
    let retained: [Segment]
    /// nil when nothing more is to come, or the playlist tells of whole segments only.
    public let open: OpenSegment?
    /// The stream is over; nothing will follow.
    public let isEnded: Bool

    /// `EXT-X-TARGETDURATION` in seconds.
    public var targetDuration: Int { listed.last?.targetDuration ?? 0 }

    /// `EXT-X-PART-INF:PART-TARGET`.
    public var partTarget: MediaTime { listed.last?.partTarget ?? .zero }

    /// The media playlist, the same bytes for every viewer.
    ///
    /// - Parameter reports: the program's other renditions by the addresses of their playlists, relative to this one.
    public func mediaPlaylist(
        _ form: PlaylistForm = .fragmentedMP4, reports: [(uri: String, snapshot: PlaylistSnapshot)] = []
    ) -> ByteBuffer {
        form == .dash
            ? Self.presentation([PresentationMember(snapshot: self)])
            : MediaPlaylist(self, form: form, reports: reports.map(MediaPlaylist.Report.init)).rendered()
    }

    /// The MPD of a program.
    /// - Parameter members: its renditions; the others go by the first.
    public static func presentation(_ members: [PresentationMember]) -> ByteBuffer {
        MediaPresentation(members)?.rendered() ?? ByteBuffer()
    }

    /// A segment, part or initialization file as fragmented MP4, listed or not long gone from the list.
    public func file(_ name: MediaFileName) -> PlaylistFile? {
        switch name {
        case .segment(let sequence, .fragmentedMP4):
            return segment(sequence).map { PlaylistFile($0) }
        case .segment(_, .transportStream):
            return nil
        case .trackSegment(let track, let sequence):
            return segment(sequence).flatMap { PlaylistFile($0, track: track) }
        case .trackPart(let track, let life, let number):
            return part(life: life, number: number).flatMap { PlaylistFile($0, track: track) }
        case .initialization, .trackInitialization:
            if let file = open?.initialization?.file(name) { return PlaylistFile(file) }
            return segments.lazy.compactMap { $0.initialization.file(name) }.first.map { PlaylistFile($0) }
        case .part(let life, let number):
            return part(life: life, number: number).map { PlaylistFile($0) }
        }
    }

    /// The parts of a segment as far as they are finished, and whether those are all; nil when it is gone, or still to come.
    public func parts(of sequence: Int64) -> (list: [Part], isWhole: Bool)? {
        if let open, open.sequence == sequence { return (open.parts, false) }
        return segment(sequence).map { ($0.fragments, true) }
    }

    /// The segment with that number, listed or retained.
    public func segment(_ sequence: Int64) -> Segment? {
        Self.find(sequence, in: listed) ?? Self.find(sequence, in: retained)
    }

    private var segments: some Sequence<Segment> {
        [listed, retained].lazy.joined()
    }

    private static func find(_ sequence: Int64, in segments: [Segment]) -> Segment? {
        guard let first = segments.first?.sequence, let last = segments.last?.sequence, sequence >= first,
            sequence <= last
        else { return nil }
        // Numbers are consecutive but for those of a publication that another process had part of.
        let index = Int(sequence - first)
        if index < segments.count, segments[index].sequence == sequence { return segments[index] }
        return segments.first { $0.sequence == sequence }
    }

    private func part(life: Int64, number: Int64) -> Part? {
        if let open, open.life == life, let first = Self.number(of: open.parts.first), number >= first {
            let index = Int(number - first)
            return index < open.parts.count ? open.parts[index] : nil
        }
        for segment in [listed.reversed(), retained.reversed()].joined() {
            guard let first = segment.parts.first, case .part(life, let start) = first.name, number >= start else {
                continue
            }
            let index = Int(number - start)
            return index < segment.parts.count ? segment.parts[index] : nil
        }
        return nil
    }

    private static func number(of part: Part?) -> Int64? {
        guard case .part(_, let number)? = part?.name else { return nil }
        return number
    }

    /// Bits per second, on an average of the listed segments.
    public var bandwidth: Int { BandwidthMeter.average(of: listed) }

    /// What the newest segment carries.
    public var tracks: TrackSet {
        listed.last?.tracks ?? TrackSet()
    }

    /// Every listed segment starts with a keyframe.
    public var hasIndependentSegments: Bool {
        listed.allSatisfy(\.startsWithKeyframe)
    }

    /// Whether any listed segment has something of a track.
    public func has(_ track: TrackID) -> Bool {
        listed.contains { $0.tracks[track] != nil }
    }

    /// The listed segments as a variant of a master playlist, with bit rates and frame rate as measured.
    /// - Parameter track: what it consists of; nil: of the default tracks.
    public func rendition(uri: String, of track: TrackID? = nil) -> Rendition {
        let length: (Segment) -> Int = { segment in
            track.map(segment.length) ?? segment.bytes.readableBytes
        }
        let video = track == nil || track == .video ? tracks.video : nil
        return Rendition(
            uri: uri,
            peakBandwidth: BandwidthMeter.peak(of: listed, targetDuration: targetDuration, length: length),
            averageBandwidth: BandwidthMeter.average(of: listed, length: length),
            codecs: track.map { [tracks[$0]?.codecString].compactMap(\.self) } ?? tracks.codecStrings,
            resolution: video?.resolution,
            frameRate: video == nil ? nil : BandwidthMeter.frameRate(of: listed),
            videoRange: video?.color.range,
            captions: video == nil ? .unknown : listed.last?.captions ?? .unknown)
    }
}

extension MediaFileName {
    /// The same of one track, if there is one.
    fileprivate func of(_ track: TrackID?) -> MediaFileName {
        guard let track, case .part(let life, let number) = self else { return self }
        return .trackPart(track, life: life, number: number)
    }
}
