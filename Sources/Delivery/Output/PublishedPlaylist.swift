import Basics
import HLS
import Live
import NIOCore
import NIOHPACK
import Synchronization

/// One snapshot of a stream as viewers get it. Immutable; what it is in text is made when the first viewer asks for it.
final class PublishedPlaylist: Sendable {
    let snapshot: PlaylistSnapshot
    /// Those with the newest part, which all who watch at low latency get at once.
    let partResponses = SharedResponses()
    private let bodies = Mutex<[Key: PlaylistBody]>([:])
    private let masters = Mutex<[Key: Master]>([:])

    /// Which text of a playlist.
    private struct Key: Hashable {
        var form: PlaylistForm
        /// It tells of the program's other renditions.
        var isOfProgram: Bool
    }

    /// A rendition of the program that the stream belongs to.
    struct Variant: Sendable {
        /// The folder of its media playlist, relative to that of the program; nil: the same.
        let folder: String?
        let snapshot: PlaylistSnapshot
        /// Of its audio tracks, by their numbers.
        var labels: [UInt8: AudioLabel] = [:]
    }

    /// The master playlist that points to one form of the media playlists.
    struct Master: Sendable {
        /// For those who need no ticket.
        let body: PlaylistBody
        /// What stands before each media playlist's address, and the address below the session's folder.
        let pieces: [(text: String, uri: String)]
    }

    init(_ snapshot: PlaylistSnapshot) {
        self.snapshot = snapshot
    }

    /// The media playlist.
    /// - Parameters:
    ///   - own: the stream as a rendition of its program; nil: nothing is said of others.
    ///   - others: the other playlists of the same master playlist; not asked for when the text is there.
    func media(
        _ form: PlaylistForm, own: Variant? = nil, others: () -> [Lineup.Entry] = { [] }
    ) -> PlaylistBody {
        let key = Key(form: form, isOfProgram: own != nil)
        if let body = bodies.withLock({ $0[key] }) { return body }
        // Outside the lock: two that come at once both write it, which does less harm than one that waits.
        let reports =
            own == nil
            ? []
            : others().map { other in
                ((own?.folder == nil ? "" : "../") + other.path, other.variant.snapshot)
            }
        let body = PlaylistBody(snapshot.mediaPlaylist(form, reports: reports), contentType: form.contentType)
        return bodies.withLock { bodies in
            let first = bodies[key] ?? body
            bodies[key] = first
            return first
        }
    }

    /// The MPD of the stream, or of the program whose first rendition it is.
    /// - Parameter members: what is listed; not asked for when the text is there.
    func presentation(ofProgram isOfProgram: Bool, _ members: () -> [Variant]) -> PlaylistBody {
        let key = Key(form: .dash, isOfProgram: isOfProgram)
        if let body = bodies.withLock({ $0[key] }) { return body }
        let text = PlaylistSnapshot.presentation(
            members().map { member in
                PresentationMember(
                    folder: member.folder, snapshot: member.snapshot, isAudioAlone: member.isVoice,
                    languages: member.languages)
            })
        let body = PlaylistBody(text, contentType: PlaylistForm.dash.contentType)
        return bodies.withLock { bodies in
            let first = bodies[key] ?? body
            bodies[key] = first
            return first
        }
    }

    /// The master playlist of the stream, or of the program whose first rendition it is; nil: there is nothing to list.
    /// - Parameter lineup: what is listed; not asked for when the text is there.
    func master(_ form: PlaylistForm, ofProgram isOfProgram: Bool, _ lineup: () -> Lineup) -> Master? {
        let key = Key(form: form, isOfProgram: isOfProgram)
        if let master = masters.withLock({ $0[key] }) { return master }
        guard let playlist = lineup().master else { return nil }
        let master = Master(body: PlaylistBody(playlist.rendered()), pieces: playlist.pieces)
        return masters.withLock { masters in
            let first = masters[key] ?? master
            masters[key] = first
            return first
        }
    }
}

extension PublishedPlaylist.Master {
    /// The master playlist of a session.
    /// - Parameter uri: the address of the media playlist that is at this path below the session's folder.
    func pointing(at uri: (_ path: String) -> String) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(pieces.count * 512)
        for piece in pieces {
            bytes.writeString(piece.text)
            bytes.writeString(PlaylistText.uri(uri(piece.uri)))
        }
        bytes.writeInteger(UInt8(ascii: "\n"))
        return bytes
    }
}

extension PlaylistForm {
    /// The name of the media playlist in this form.
    var fileName: String {
        switch self {
        case .fragmentedMP4, .delta: "chunklist.m3u8"
        case .track(let track), .trackDelta(let track): "chunklist_\(track.fileName).m3u8"
        case .transportStream: "chunklist_ts.m3u8"
        case .dash: "manifest.mpd"
        }
    }

    /// The `Content-Type`.
    var contentType: String {
        self == .dash ? "application/dash+xml" : "application/vnd.apple.mpegurl"
    }
}

/// A playlist's bytes in the encodings that are asked for; compressed once, whoever asks first.
final class PlaylistBody: Sendable {
    let plain: ByteBuffer
    /// Strong, with its quotation marks; the gzip form has another (`EntityTag.gzip`).
    let entityTag: String
    let contentType: String
    private let compressed = Mutex<Compressed>(.notYet)
    let responses = SharedResponses()

    private enum Compressed {
        case notYet
        /// nil: not worth it, or not possible.
        case done(ByteBuffer?)
    }

    init(_ plain: ByteBuffer, contentType: String = PlaylistForm.fragmentedMP4.contentType) {
        self.plain = plain
        self.contentType = contentType
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

/// Whole responses with one body, each made once a second for all who are given it.
final class SharedResponses: Sendable {
    /// What the responses differ in, but for their date.
    struct Key: Hashable {
        var isCompressed = false
        var cache: CachePolicy
    }

    private let made = Mutex<[Key: (second: Int64, bytes: ByteBuffer)]>([:])
    private let heads = Mutex<[Key: (second: Int64, fields: HPACKHeaders)]>([:])

    /// - Parameter second: of its date.
    func response(_ key: Key, second: Int64, _ make: () -> ByteBuffer) -> ByteBuffer {
        let last = made.withLock { $0[key] }
        if let last, last.second == second { return last.bytes }
        let bytes = make()
        made.withLock { $0[key] = (second, bytes) }
        return bytes
    }
    /// The head alone, for a connection of HTTP/2.
    func fields(_ key: Key, second: Int64, _ make: () -> HPACKHeaders) -> HPACKHeaders {
        let last = heads.withLock { $0[key] }
        if let last, last.second == second { return last.fields }
        let fields = make()
        heads.withLock { $0[key] = (second, fields) }
        return fields
    }
}
