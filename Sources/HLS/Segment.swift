import Basics
import FragmentedMP4
import Media
import NIOCore
import Synchronization

/// A finished media segment. Its bytes never change, and its name is never used again for other bytes.
public final class Segment: Sendable {
    /// The media sequence number (RFC 8216 §3).
    public let sequence: Int64
    /// The discontinuities of the stream before this segment, the one right before it left out
    /// (`EXT-X-DISCONTINUITY-SEQUENCE` of a playlist that begins with it).
    public let discontinuitySequence: Int64
    /// `EXT-X-TARGETDURATION` of the publication it belongs to, in seconds.
    public let targetDuration: Int
    /// `EXT-X-PART-INF:PART-TARGET` of that publication.
    public let partTarget: MediaTime
    /// What `EXT-X-MAP` names for this segment.
    public let initialization: InitializationFile
    /// `EXTINF`: from this segment's first decode time to the next one's; always above zero.
    public let duration: MediaTime
    /// An `EXT-X-DISCONTINUITY` stands before it.
    public let isDiscontinuity: Bool
    /// When its first access unit happened, in Unix milliseconds.
    public let programDateTime: Int64
    /// Its first access unit is a keyframe, so that playback may start here (audio alone: always).
    public let startsWithKeyframe: Bool
    /// Decode times of the first access unit and of the latest one.
    public let firstTime: MediaTime
    public let lastTime: MediaTime
    /// Video frames in it, and the time from the first one's decoding to the last one's: for the measured frame rate.
    public let videoFrames: Int
    public let videoSpan: MediaTime
    /// What it carries.
    public let tracks: TrackSet
    /// What was known at its end of captions inside its video.
    public let captions: Captions
    /// Its bytes as fragmented MP4.
    public let bytes: ByteBuffer
    /// Its parts, whose bytes are slices of the segment's; none when one is longer than `partTarget`, as in the segment that the
    /// target was taken from.
    public let parts: [Part]
    let index: [StoredUnit]
    /// The `Period` of an MPD that it belongs to.
    public let period: Period
    /// All parts, however long they are.
    let fragments: [Part]
    private let storage: CountedStorage
    private let ofTracks = Mutex<[TrackID: ByteBuffer]>([:])

    /// A strong entity tag with its quotation marks. Date and size are part of it, so that a name reused by mistake
    /// after a lost counter still gets another tag.
    public let entityTag: String

    /// - Parameter parts: one after the other, all of the segment.
    init(
        position: SequenceNumbers.Position, targetDuration: Int, partTarget: MediaTime,
        initialization: InitializationFile,
        duration: MediaTime, isDiscontinuity: Bool, programDateTime: Int64, startsWithKeyframe: Bool,
        firstTime: MediaTime, lastTime: MediaTime, videoFrames: Int, videoSpan: MediaTime, tracks: TrackSet,
        captions: Captions = .unknown, bytes: ByteBuffer, parts: [Part], index: [StoredUnit], period: Period? = nil,
        storage: CountedStorage = CountedStorage()
    ) {
        let sequence = position.media
        self.period =
            period ?? Period(firstSequence: sequence, start: programDateTime, videoOrigin: nil, audioOrigin: nil)
        self.storage = storage
        self.sequence = sequence
        self.discontinuitySequence = position.discontinuity
        self.targetDuration = targetDuration
        self.partTarget = partTarget
        self.initialization = initialization
        self.duration = duration
        self.isDiscontinuity = isDiscontinuity
        self.programDateTime = programDateTime
        self.startsWithKeyframe = startsWithKeyframe
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.videoFrames = videoFrames
        self.videoSpan = videoSpan
        self.tracks = tracks
        self.captions = captions
        self.bytes = bytes
        self.index = index
        var start = bytes.readerIndex
        fragments = parts.map { part in
            var part = part
            let length = part.bytes.readableBytes
            // The part's own storage is given back when nobody reads it any more.
            if let slice = bytes.getSlice(at: start, length: length) { part.bytes = slice }
            start += length
            return part
        }
        self.parts = parts.allSatisfy({ $0.duration <= partTarget }) ? fragments : []
        let date = String(programDateTime, radix: 16)
        self.entityTag = "\"\(sequence)-\(date)-\(String(bytes.readableBytes, radix: 16))\""
    }

    /// What has been written, made into a segment.
    /// - Parameter storage: what the segment is kept in.
    convenience init(
        position: SequenceNumbers.Position, targetDuration: Int, partTarget: MediaTime, period: Period,
        storage: CountedStorage, duration: MediaTime, _ open: OpenSegment, tracks: TrackSet, captions: Captions
    ) {
        self.init(
            position: position, targetDuration: targetDuration, partTarget: partTarget,
            initialization: open.initialization, duration: duration, isDiscontinuity: open.isDiscontinuity,
            programDateTime: open.programDateTime, startsWithKeyframe: open.startsWithKeyframe,
            firstTime: open.firstTime, lastTime: open.lastTime, videoFrames: open.videoFrames,
            videoSpan: open.videoSpan, tracks: tracks, captions: captions,
            bytes: storage.keep(joining: open.parts.lazy.map(\.bytes)),
            parts: open.parts, index: open.index, period: period, storage: storage)
    }

    /// `media_<sequence>.m4s`, or `.ts`.
    public func name(in container: SegmentContainer) -> MediaFileName {
        .segment(sequence, container)
    }

    /// When a track begins and ends in it; nil when it has nothing of it.
    func span(_ track: TrackID) -> TrackSpan? {
        fragments.compactMap { $0.span(track) }.reduce(nil) { $0?.joined(with: $1) ?? $1 }
    }

    /// Bytes of one track's fragments.
    func length(_ track: TrackID) -> Int {
        fragments.reduce(0) { $0 + ($1.fragment(track)?.readableBytes ?? 0) }
    }

    /// Bytes of all tracks.
    var totalLength: Int {
        fragments.reduce(bytes.readableBytes) { sum, part in
            part.alternatives.reduce(sum) { $0 + $1.bytes.readableBytes }
        }
    }

    /// What it has of one track as a file of its own; nil when it has nothing.
    ///
    /// The fragments are joined for the first who asks and kept as long as the segment: that is one copy for all viewers, and one
    /// buffer to write for each of them, where slices of what there is would be ten.
    func file(of track: TrackID) -> ByteBuffer? {
        let length = length(track)
        guard length > 0 else { return nil }
        guard length < bytes.readableBytes || !track.isDefault else { return bytes }
        if let known = ofTracks.withLock({ $0[track] }) { return known }
        // Outside the lock: two that come at once both join them, which does less harm than one that waits.
        let joined = storage.keep(joining: fragments.lazy.compactMap { $0.fragment(track) })
        return ofTracks.withLock { files in
            let first = files[track] ?? joined
            files[track] = first
            return first
        }
    }

    /// Bits per second over its duration.
    public var bandwidth: Int {
        BandwidthMeter.bitsPerSecond(bytes: bytes.readableBytes, duration: duration)
    }

    /// Its access units by decode time; their payloads are slices of its bytes.
    var accessUnits: [AccessUnit] {
        let units = index.compactMap { stored -> AccessUnit? in
            guard let codec = (stored.isVideo ? tracks.video : tracks.audio)?.codec,
                let payload = bytes.getSlice(at: bytes.readerIndex + stored.offset, length: stored.size)
            else { return nil }
            return AccessUnit(
                codec: codec, decodeTime: stored.decodeTime, compositionOffset: stored.compositionOffset,
                isKeyframe: stored.isKeyframe, payload: payload)
        }
        // Parts hold one track after the other. The order within a track is the decoder's, whatever the times say.
        var merged: [AccessUnit] = []
        merged.reserveCapacity(units.count)
        var audio = units.lazy.filter { !$0.codec.isVideo }.makeIterator()
        var next = audio.next()
        for unit in units where unit.codec.isVideo {
            while let waiting = next, waiting.decodeTime < unit.decodeTime {
                merged.append(waiting)
                next = audio.next()
            }
            merged.append(unit)
        }
        while let waiting = next {
            merged.append(waiting)
            next = audio.next()
        }
        return merged
    }
}

/// The file format of a segment.
public enum SegmentContainer: Sendable, Hashable, Codable {
    /// Fragmented MP4 with an initialization file (`EXT-X-MAP`).
    case fragmentedMP4
    /// MPEG-TS, for players that read nothing else.
    case transportStream

    /// The end of a segment's name, with its dot.
    public var fileExtension: String {
        switch self {
        case .transportStream: ".ts"
        case .fragmentedMP4: ".m4s"
        }
    }

    /// The `Content-Type` of a segment.
    public var contentType: String {
        switch self {
        case .transportStream: "video/mp2t"
        case .fragmentedMP4: "video/mp4"
        }
    }
}

/// The initialization section that fragmented MP4 segments need (`EXT-X-MAP`).
public struct InitializationFile: Sendable, Hashable, Codable {
    /// Another configuration has another name, so caches may keep it for ever.
    public let name: MediaFileName
    public let bytes: ByteBuffer
    /// A strong entity tag with its quotation marks.
    public let entityTag: String
    /// The same for players that fetch each track by itself, as those of DASH do.
    private(set) var ofTracks: [InitializationFile]

    /// - Parameters:
    ///   - sequence: of the first segment that uses it.
    ///   - bytes: of all tracks.
    init(_ sequence: Int64, tracks: TrackSet, bytes: ByteBuffer) {
        var ofTracks: [InitializationFile] = []
        for (kind, configuration) in [(TrackID.Kind.video, tracks.video), (.audio, tracks.audio)] {
            guard let configuration else { continue }
            var track = TrackSet()
            track[TrackID(kind)] = configuration
            // What can be written for all tracks can be for each.
            guard let bytes = try? InitializationSegment.make(tracks: track) else { continue }
            ofTracks.append(InitializationFile(name: .trackInitialization(TrackID(kind), sequence), bytes: bytes))
        }
        self.init(name: .initialization(sequence), bytes: bytes, ofTracks: ofTracks)
    }

    init(name: MediaFileName, bytes: ByteBuffer, ofTracks: [InitializationFile] = []) {
        self.name = name
        self.bytes = bytes
        self.ofTracks = ofTracks
        entityTag = bytes.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
    }

    /// The same with those of audio tracks besides the default one.
    func with(_ alternatives: [InitializationFile]) -> InitializationFile {
        var file = self
        file.ofTracks = ofTracks.filter { $0.track?.isDefault ?? false } + alternatives
        return file
    }

    /// The track that it is of alone.
    var track: TrackID? {
        if case .trackInitialization(let track, _) = name { track } else { nil }
    }

    /// The name of the file of one track.
    func name(of track: TrackID) -> MediaFileName? {
        ofTracks.first { $0.track == track }?.name
    }

    /// That file itself, or the one of a track, if the name is theirs.
    func file(_ name: MediaFileName) -> InitializationFile? {
        name == self.name ? self : ofTracks.first { $0.name == name }
    }
}

/// A file that a media playlist names.
public struct PlaylistFile: Sendable {
    public let bytes: ByteBuffer
    /// A strong entity tag with its quotation marks.
    public let entityTag: String
    /// The `Content-Type`.
    public let contentType: String
    /// Its storage is counted for as long as anybody holds it.
    public let isCounted: Bool

    init(_ segment: Segment) {
        (bytes, entityTag) = (segment.bytes, segment.entityTag)
        (contentType, isCounted) = (SegmentContainer.fragmentedMP4.contentType, true)
    }

    /// - Parameter transportStream: the segment's bytes as MPEG-TS, counted.
    public init(_ segment: Segment, transportStream: ByteBuffer) {
        bytes = transportStream
        entityTag = "\(segment.entityTag.dropLast())-ts\""
        (contentType, isCounted) = (SegmentContainer.transportStream.contentType, true)
    }

    /// What a segment has of one track.
    init?(_ segment: Segment, track: TrackID) {
        guard let file = segment.file(of: track) else { return nil }
        bytes = file
        entityTag = "\(segment.entityTag.dropLast())-\(track.fileName)\""
        (contentType, isCounted) = (track.contentType, true)
    }

    /// What a part has of one track.
    init?(_ part: Part, track: TrackID) {
        guard let fragment = part.fragment(track) else { return nil }
        bytes = fragment
        entityTag = "\(part.entityTag.dropLast())-\(track.fileName)\""
        (contentType, isCounted) = (track.contentType, true)
    }

    init(_ part: Part) {
        (bytes, entityTag) = (part.bytes, part.entityTag)
        (contentType, isCounted) = (SegmentContainer.fragmentedMP4.contentType, true)
    }

    init(_ initialization: InitializationFile) {
        (bytes, entityTag) = (initialization.bytes, initialization.entityTag)
        contentType = initialization.track?.contentType ?? SegmentContainer.fragmentedMP4.contentType
        isCounted = false
    }
}

extension TrackID {
    /// The `Content-Type` of its files.
    public var contentType: String {
        kind == .audio ? "audio/mp4" : SegmentContainer.fragmentedMP4.contentType
    }
}
