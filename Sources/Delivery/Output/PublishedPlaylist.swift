import Basics
import HLS
import NIOCore
import Synchronization

/// One snapshot of a stream as viewers get it. Immutable; what it is in text is made when the first viewer asks for it.
final class PublishedPlaylist: Sendable {
    let snapshot: PlaylistSnapshot
    private let bodies = Mutex<[PlaylistForm: PlaylistBody]>([:])
    private let masters = Mutex<[PlaylistForm: Master]>([:])

    /// The master playlist that points to one form of the media playlist.
    struct Master: Sendable {
        /// For those who need no ticket.
        let body: PlaylistBody
        /// What stands before the media playlist's address in it.
        let head: ByteBuffer
    }

    init(_ snapshot: PlaylistSnapshot) {
        self.snapshot = snapshot
    }

    /// The media playlist.
    func media(_ form: PlaylistForm) -> PlaylistBody {
        if let body = bodies.withLock({ $0[form] }) { return body }
        // Outside the lock: two that come at once both write it, which does less harm than one that waits.
        let body = PlaylistBody(snapshot.mediaPlaylist(form))
        return bodies.withLock { bodies in
            let first = bodies[form] ?? body
            bodies[form] = first
            return first
        }
    }

    /// The master playlist.
    func master(_ form: PlaylistForm) -> Master {
        if let master = masters.withLock({ $0[form] }) { return master }
        let uri = form.fileName
        let bytes = MasterPlaylist(
            renditions: [snapshot.rendition(uri: uri)], hasIndependentSegments: snapshot.hasIndependentSegments
        ).rendered()
        let head = bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes - uri.utf8.count - 1) ?? bytes
        let master = Master(body: PlaylistBody(bytes), head: head)
        return masters.withLock { masters in
            let first = masters[form] ?? master
            masters[form] = first
            return first
        }
    }

    /// The master playlist of a session, whose media playlist is at `uri`.
    func master(_ form: PlaylistForm, pointingAt uri: String) -> ByteBuffer {
        let head = master(form).head
        var bytes = ByteBuffer()
        bytes.reserveCapacity(head.readableBytes + uri.utf8.count + 1)
        bytes.writeImmutableBuffer(head)
        bytes.writeString(PlaylistText.uri(uri))
        bytes.writeInteger(UInt8(ascii: "\n"))
        return bytes
    }
}

extension PlaylistForm {
    /// The name of the media playlist in this form.
    var fileName: String {
        self == .transportStream ? "chunklist_ts.m3u8" : "chunklist.m3u8"
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

    init(_ plain: ByteBuffer) {
        self.plain = plain
        self.entityTag = plain.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
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
