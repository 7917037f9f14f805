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
    /// What stands before the media playlist's address in it: written once for a snapshot, not once for a session.
    private let masterHead: ByteBuffer

    init(_ snapshot: PlaylistSnapshot) {
        self.snapshot = snapshot
        media = PlaylistBody(snapshot.mediaPlaylist, entityTag: snapshot.entityTag)
        let uri = "chunklist.m3u8"
        let bytes = MasterPlaylist(
            renditions: [snapshot.rendition(uri: uri)], hasIndependentSegments: snapshot.hasIndependentSegments
        ).rendered()
        master = PlaylistBody(bytes)
        masterHead = bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes - uri.utf8.count - 1) ?? bytes
    }

    /// The master playlist of a session, whose media playlist is at `uri`.
    func master(pointingAt uri: String) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(masterHead.readableBytes + uri.utf8.count + 1)
        bytes.writeImmutableBuffer(masterHead)
        bytes.writeString(PlaylistText.uri(uri))
        bytes.writeInteger(UInt8(ascii: "\n"))
        return bytes
    }
}

/// A playlist's bytes in the encodings that are asked for; compressed once, whoever asks first.
final class PlaylistBody: Sendable {
    let plain: ByteBuffer
    /// Strong, with its quotation marks; the gzip form has another (`EntityTag.gzip`).
    let entityTag: String
    private let compressed = Mutex<Compressed>(.notYet)

    private enum Compressed {
        case notYet
        /// nil: not worth it, or not possible.
        case done(ByteBuffer?)
    }

    init(_ plain: ByteBuffer, entityTag: String? = nil) {
        self.plain = plain
        self.entityTag = entityTag ?? plain.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
    }

    /// The gzip form; nil when it would not be shorter.
    var gzipped: ByteBuffer? {
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
