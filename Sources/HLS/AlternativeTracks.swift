import FragmentedMP4
import Media
import NIOCore

/// The audio tracks of a stream besides its default one, such as other languages. They are cut where the stream's parts and
/// segments are, so that numbers and times are those of the other tracks, and have files of their own only.
///
/// A track that comes, goes or changes does so with a segment, of which the other tracks notice nothing.
struct AlternativeTracks: Sendable {
    /// What came of one track while a part was gathered.
    struct Fragment: Sendable {
        let track: TrackID
        let bytes: ByteBuffer
        let span: TrackSpan
    }

    private struct Track: Sendable {
        let id: TrackID
        let configuration: CodecConfiguration
        let initialization: InitializationFile
        var writer: FragmentWriter
    }

    private var wanted: [TrackSet.Track] = []
    private var tracks: [Track] = []
    private var scratch = ByteBuffer()

    /// More of a track than this does not wait for its part, as where video has stopped and audio goes on.
    static let mostWaitingBytes = 1 << 20

    /// Says what the publisher sends from the next segment on. What is none of ours, and what MP4 does not take, is left out.
    mutating func set(_ tracks: TrackSet) {
        wanted = tracks.list.filter { $0.id.kind == .audio && !$0.id.isDefault }
    }

    /// What the segment that is being written has.
    var inUse: [TrackSet.Track] { tracks.map { TrackSet.Track(id: $0.id, configuration: $0.configuration) } }

    /// Those of the tracks in use.
    var initializations: [InitializationFile] { tracks.map(\.initialization) }

    /// Bytes that wait for their part.
    var pendingBytes: Int { tracks.reduce(0) { $0 + $1.writer.pendingBytes } }

    /// A segment begins.
    ///
    /// - Parameters:
    ///   - sequence: its number, which names what is new in it.
    ///   - isAnew: it does not continue what was before.
    mutating func begin(_ sequence: Int64, origin: MediaTime, isAnew: Bool) {
        guard isAnew || !wanted.elementsEqual(inUse) else { return }
        tracks = wanted.compactMap { track in
            let known = tracks.first { $0.id == track.id && $0.configuration == track.configuration }
            if let known, !isAnew { return known }
            let alone = TrackSet(audio: track.configuration)
            guard let writer = try? FragmentWriter(tracks: alone, origin: origin),
                let bytes = try? InitializationSegment.make(tracks: alone)
            else { return nil }
            let file = InitializationFile(name: .trackInitialization(track.id, sequence), bytes: bytes)
            return Track(
                id: track.id, configuration: track.configuration, initialization: known?.initialization ?? file,
                writer: writer)
        }
    }

    /// - Returns: false when the unit is of no track in use, or too many wait.
    mutating func append(_ unit: AccessUnit) -> Bool {
        guard let index = tracks.firstIndex(where: { $0.id == unit.track }),
            unit.payload.readableBytes <= Self.mostWaitingBytes - tracks[index].writer.pendingBytes
        else { return false }
        return (try? tracks[index].writer.append(unit)) != nil
    }

    /// What has been gathered since the part before.
    mutating func write(into storage: CountedStorage) -> [Fragment] {
        var fragments: [Fragment] = []
        for index in tracks.indices where tracks[index].writer.pendingBytes > 0 {
            scratch.clear()
            guard let span = tracks[index].writer.write(into: &scratch).audioSpan else { continue }
            fragments.append(Fragment(track: tracks[index].id, bytes: storage.keep(scratch), span: span))
        }
        return fragments
    }

    /// What waits is of a segment that is given up.
    mutating func drop() {
        for index in tracks.indices where tracks[index].writer.pendingBytes > 0 {
            scratch.clear()
            _ = tracks[index].writer.write(into: &scratch)
        }
    }
}
