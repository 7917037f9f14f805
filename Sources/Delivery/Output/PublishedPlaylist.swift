import Basics
import HLS
import NIOCore
import Synchronization

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
        master = PlaylistBody(Self.master(of: rendition, in: snapshot))
    }

    /// The master playlist of a session, whose media playlist is at `uri`.
    func master(pointingAt uri: String) -> ByteBuffer {
        var rendition = rendition
        rendition.uri = uri
        return Self.master(of: rendition, in: snapshot)
    }

    private static func master(of rendition: Rendition, in snapshot: PlaylistSnapshot) -> ByteBuffer {
        MasterPlaylist(renditions: [rendition], hasIndependentSegments: snapshot.hasIndependentSegments).rendered()
    }
}

/// A playlist's bytes in the encodings that are asked for; compressed once, whoever asks first.
final class PlaylistBody: Sendable {
    let plain: ByteBuffer
    /// Strong, with its quotation marks; the gzip form has another (`EntityTag.gzip`).
    let entityTag: String
    private let isShared: Bool
    private let compressed = Mutex<Compressed>(.notYet)

    private enum Compressed {
        case notYet
        /// nil: not worth it, or not possible.
        case done(ByteBuffer?)
    }

    /// - Parameter isShared: false for what is made for one viewer, which is not worth compressing.
    init(_ plain: ByteBuffer, entityTag: String? = nil, isShared: Bool = true) {
        self.plain = plain
        self.entityTag = entityTag ?? EntityHash.tag(of: plain.readableBytesView)
        self.isShared = isShared
    }

    /// The gzip form; nil when it would not be shorter.
    var gzipped: ByteBuffer? {
        guard isShared else { return nil }
        if case .done(let bytes) = compressed.withLock({ $0 }) { return bytes }
        // Outside the lock: two that come at once both compress, which does less harm than one that waits.
        var bytes = Gzip.compress(plain)
        if let length = bytes?.readableBytes, length >= plain.readableBytes { bytes = nil }
        return compressed.withLock { state in
            if case .done(let first) = state { return first }
            state = .done(bytes)
            return bytes
        }
    }
}
