import HLS
import Media
import NIOCore
import Synchronization

/// The segments of a publication as MPEG-TS: made when a player asks for the playlist that lists them, once for all players, so
/// that they cost nothing while nobody does.
final class TransportStreamFiles: Sendable {
    private let maker: Maker
    private let made = Mutex<[Int64: ByteBuffer]>([:])

    init(storage: CountedStorage) {
        maker = Maker(storage: storage)
    }

    /// All segments of the playlist are made.
    func hasAll(of snapshot: PlaylistSnapshot) -> Bool {
        made.withLock { made in snapshot.listed.allSatisfy { made[$0.sequence] != nil } }
    }

    func file(_ segment: Segment) -> PlaylistFile? {
        made.withLock { $0[segment.sequence] }.map { PlaylistFile(segment, transportStream: $0) }
    }

    /// Makes what is missing of the playlist's segments, away from the event loops.
    /// - Returns: false when there is a segment that MPEG-TS does not carry.
    func make(for snapshot: PlaylistSnapshot) async -> Bool {
        guard !hasAll(of: snapshot) else { return true }
        return await maker.make(snapshot, self)
    }

    private func store(_ bytes: ByteBuffer, of segment: Segment) {
        made.withLock { $0[segment.sequence] = bytes }
    }

    /// Lets go of what the playlist of fragmented MP4 has let go of as well.
    private func keep(_ snapshot: PlaylistSnapshot) {
        let old = made.withLock { made in
            let old = made.filter { snapshot.segment($0.key) == nil }
            for sequence in old.keys { made[sequence] = nil }
            return old
        }
        withExtendedLifetime(old) {}
    }

    /// One at a time: the counters of a transport stream go on from segment to segment.
    private actor Maker {
        private var rendition: TransportStreamRendition

        init(storage: CountedStorage) {
            rendition = TransportStreamRendition(storage: storage)
        }

        func make(_ snapshot: PlaylistSnapshot, _ files: TransportStreamFiles) -> Bool {
            for segment in snapshot.listed where files.file(segment) == nil {
                guard let bytes = rendition.bytes(of: segment) else { return false }
                files.store(bytes, of: segment)
            }
            files.keep(snapshot)
            return true
        }
    }
}
