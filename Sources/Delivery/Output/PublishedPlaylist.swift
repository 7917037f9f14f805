import HLS
import NIOCore

/// One snapshot of a stream as viewers get it. Immutable.
final class PublishedPlaylist: Sendable {
    let snapshot: PlaylistSnapshot
    let media: PlaylistBody
    /// The master playlist for those who need no ticket.
    let master: PlaylistBody
    private let rendition: Rendition

    init(_ snapshot: PlaylistSnapshot) {
        self.snapshot = snapshot
        media = PlaylistBody(snapshot.mediaPlaylist, entityTag: snapshot.entityTag)
        // Measured once for a snapshot, not once for a session.
        rendition = snapshot.rendition(uri: "chunklist.m3u8")
        master = PlaylistBody(MasterPlaylist(renditions: [rendition]).rendered())
    }

    /// The master playlist of a session, whose media playlist is at `uri`.
    func master(pointingAt uri: String) -> ByteBuffer {
        var rendition = rendition
        rendition.uri = uri
        return MasterPlaylist(renditions: [rendition]).rendered()
    }
}
