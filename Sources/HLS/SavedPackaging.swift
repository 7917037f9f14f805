import FragmentedMP4
import Media
import NIOCore

/// What a process that ends leaves of a publication, so that the next one goes on where its playlists stopped: all but the
/// bytes of segments, which are kept apart, in the order of ``SavedSegment``.
///
/// Whoever reads it may believe it: that it is whole and the server's own is seen to before.
public struct SavedPackaging: Sendable, Codable {
    /// nil: the publication has ended.
    fileprivate let segmenter: SavedSegmenter?
    private let initializations: [InitializationFile]
    private let tracks: [TrackSet]
    private let listed: [SavedSegment]
    private let retained: [SavedSegment]

    public var isEnded: Bool { segmenter == nil }

    /// - Parameters:
    ///   - snapshot: of the publication as it was left.
    ///   - segmenter: what goes on; nil when the publication has ended.
    ///   - blobs: where the bytes of segments are added.
    public init(_ snapshot: PlaylistSnapshot, segmenter: SavedSegmenter?, blobs: inout [ByteBuffer]) {
        var initializations: [InitializationFile] = []
        var tracks: [TrackSet] = []
        func save(_ segments: [Segment], _ blobs: inout [ByteBuffer]) -> [SavedSegment] {
            segments.map { segment in
                blobs.append(segment.bytes)
                blobs.append(StoredUnit.written(segment.index))
                for part in segment.fragments { blobs += part.alternatives.map(\.bytes) }
                return SavedSegment(
                    segment, initialization: initializations.place(of: segment.initialization),
                    tracks: tracks.place(of: segment.tracks))
            }
        }
        self.segmenter = segmenter
        retained = save(snapshot.retained, &blobs)
        listed = save(snapshot.listed, &blobs)
        (self.initializations, self.tracks) = (initializations, tracks)
    }

    /// The publication's segments again.
    ///
    /// - Parameters:
    ///   - blobs: the bytes that were kept apart; those of this publication are taken off.
    ///   - storage: what they are kept in.
    /// - Throws: when something does not belong together.
    public func window(
        configuration: SegmenterConfiguration, blobs: inout ByteBuffer, storage: CountedStorage
    ) throws(SavedPackagingError) -> SegmentWindow {
        var lists: [[Segment]] = []
        for saved in [retained, listed] {
            var segments: [Segment] = []
            for segment in saved {
                guard initializations.indices.contains(segment.initialization), tracks.indices.contains(segment.tracks),
                    segments.last.map({ $0.sequence < segment.position.media }) ?? true,
                    let read = segment.read(
                        initialization: initializations[segment.initialization], tracks: tracks[segment.tracks],
                        from: &blobs, storage: storage)
                else { throw SavedPackagingError() }
                segments.append(read)
            }
            lists.append(segments)
        }
        guard let first = lists[1].first, lists[0].last.map({ $0.sequence < first.sequence }) ?? true else {
            throw SavedPackagingError()
        }
        return SegmentWindow(configuration: configuration, listed: lists[1], retained: lists[0])
    }

    /// What goes on with the publication, with a discontinuity; nil when it has ended, or when it is packaged in another way now.
    public func segmenter(
        configuration: SegmenterConfiguration, plan: ProgramPlan, storage: CountedStorage
    ) -> Segmenter? {
        guard let segmenter, segmenter.segmentDuration == configuration.segmentDuration,
            segmenter.partDuration == configuration.partDuration
        else { return nil }
        return Segmenter(continuing: segmenter, configuration: configuration, plan: plan, storage: storage)
    }
}

/// What was saved contradicts itself.
public struct SavedPackagingError: Error, Sendable, Hashable, CustomStringConvertible {
    public var description: String { "a publication that was saved contradicts itself" }
}

/// How a segmenter goes on in another process.
public struct SavedSegmenter: Sendable, Codable {
    let segmentDuration: MediaTime
    let partDuration: MediaTime
    let partTarget: MediaTime
    /// See the members of ``Segmenter`` with these names.
    let life: Int64
    let lastSequence: Int64
    let discontinuities: Int64
    let nextPart: Int64
    let eventNumber: UInt32
    let unused: ProgramPlan.Start?
    let periodEnd: Int64
}

/// A segment without its bytes and without those of its index.
struct SavedSegment: Sendable, Codable {
    struct SavedPart: Sendable, Codable {
        let name: MediaFileName
        let duration: MediaTime
        let isIndependent: Bool
        let length: Int
        let videoLength: Int
        let entityTag: String
        let videoSpan: TrackSpan?
        let audioSpan: TrackSpan?
        let alternatives: [SavedAlternative]
    }

    /// What a part has of another audio track, but for its bytes.
    struct SavedAlternative: Sendable, Codable {
        let track: TrackID
        let length: Int
        let span: TrackSpan
    }

    let position: SequenceNumbers.Position
    let targetDuration: Int
    let partTarget: MediaTime
    /// Places in the publication's lists.
    let initialization: Int
    let tracks: Int
    let duration: MediaTime
    let isDiscontinuity: Bool
    let programDateTime: Int64
    let startsWithKeyframe: Bool
    let firstTime: MediaTime
    let lastTime: MediaTime
    let videoFrames: Int
    let videoSpan: MediaTime
    let captions: Captions
    let period: Period
    let parts: [SavedPart]
    let length: Int
    let indexLength: Int

    fileprivate init(_ segment: Segment, initialization: Int, tracks: Int) {
        position = SequenceNumbers.Position(media: segment.sequence, discontinuity: segment.discontinuitySequence)
        targetDuration = segment.targetDuration
        partTarget = segment.partTarget
        self.initialization = initialization
        self.tracks = tracks
        duration = segment.duration
        isDiscontinuity = segment.isDiscontinuity
        programDateTime = segment.programDateTime
        startsWithKeyframe = segment.startsWithKeyframe
        firstTime = segment.firstTime
        lastTime = segment.lastTime
        videoFrames = segment.videoFrames
        videoSpan = segment.videoSpan
        captions = segment.captions
        period = segment.period
        parts = segment.fragments.map {
            SavedPart(
                name: $0.name, duration: $0.duration, isIndependent: $0.isIndependent, length: $0.bytes.readableBytes,
                videoLength: $0.videoLength, entityTag: $0.entityTag, videoSpan: $0.videoSpan, audioSpan: $0.audioSpan,
                alternatives: $0.alternatives.map {
                    SavedAlternative(track: $0.track, length: $0.bytes.readableBytes, span: $0.span)
                })
        }
        length = segment.bytes.readableBytes
        indexLength = StoredUnit.writtenLength * segment.index.count
    }

    fileprivate func read(
        initialization: InitializationFile, tracks: TrackSet, from blobs: inout ByteBuffer, storage: CountedStorage
    ) -> Segment? {
        guard length > 0, indexLength >= 0, let slice = blobs.readSlice(length: length),
            let index = blobs.readSlice(length: indexLength).flatMap(StoredUnit.read)
        else { return nil }
        let bytes = storage.keep(slice)
        var rest = bytes
        var read: [Part] = []
        for part in parts {
            guard part.length > 0, (0...part.length).contains(part.videoLength), part.duration > .zero,
                let slice = rest.readSlice(length: part.length)
            else { return nil }
            var alternatives: [AlternativeTracks.Fragment] = []
            for saved in part.alternatives {
                guard saved.length > 0, let slice = blobs.readSlice(length: saved.length) else { return nil }
                alternatives.append(.init(track: saved.track, bytes: storage.keep(slice), span: saved.span))
            }
            read.append(
                Part(
                    name: part.name, duration: part.duration, isIndependent: part.isIndependent, bytes: slice,
                    videoLength: part.videoLength, entityTag: part.entityTag, videoSpan: part.videoSpan,
                    audioSpan: part.audioSpan, alternatives: alternatives))
        }
        guard rest.readableBytes == 0, duration > .zero, (1...86_400).contains(targetDuration) else { return nil }
        return Segment(
            position: position, targetDuration: targetDuration, partTarget: partTarget, initialization: initialization,
            duration: duration, isDiscontinuity: isDiscontinuity, programDateTime: programDateTime,
            startsWithKeyframe: startsWithKeyframe, firstTime: firstTime, lastTime: lastTime, videoFrames: videoFrames,
            videoSpan: videoSpan, tracks: tracks, captions: captions, bytes: bytes, parts: read, index: index,
            period: period, storage: storage)
    }
}

extension StoredUnit {
    fileprivate static let writtenLength = 25

    fileprivate static func written(_ index: [StoredUnit]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(index.count * writtenLength)
        for unit in index {
            bytes.writeInteger(unit.decodeTime.nanoseconds)
            bytes.writeInteger(unit.compositionOffset.nanoseconds)
            // A segment is at most 1 GiB long.
            bytes.writeInteger(UInt32(clamping: unit.offset))
            bytes.writeInteger(UInt32(clamping: unit.size))
            bytes.writeInteger(UInt8(unit.isVideo ? 1 : 0) | UInt8(unit.isKeyframe ? 2 : 0))
        }
        return bytes
    }

    fileprivate static func read(_ bytes: ByteBuffer) -> [StoredUnit]? {
        var bytes = bytes
        guard bytes.readableBytes % writtenLength == 0 else { return nil }
        var index: [StoredUnit] = []
        index.reserveCapacity(bytes.readableBytes / writtenLength)
        while let (decode, composition, offset, size, flags) = bytes.readMultipleIntegers(
            as: (Int64, Int64, UInt32, UInt32, UInt8).self)
        {
            index.append(
                StoredUnit(
                    decodeTime: MediaTime(nanoseconds: decode),
                    compositionOffset: MediaTime(nanoseconds: composition), offset: Int(offset), size: Int(size),
                    isVideo: flags & 1 != 0, isKeyframe: flags & 2 != 0))
        }
        return index
    }
}

extension Array where Element: Equatable {
    /// Where the element stands; it is added when it does not stand there yet.
    fileprivate mutating func place(of element: Element) -> Int {
        if let index = lastIndex(of: element) { return index }
        append(element)
        return count - 1
    }
}
