import Basics
import NIOCore

/// What all viewers or publishers of one kind have seen together. Lives on the load's event loop.
final class LoadMeter {
    var started = 0
    var finished = 0
    var gone = 0
    var bytes = 0
    var answers = 0
    var start = Histogram()
    var wait = Histogram()
    var request = Histogram()
    var behind = Histogram()
    private(set) var errors: [String: Int] = [:]
    private var bytesBefore = 0
    private var bytesAtMark = 0

    private static let maximumErrors = 64

    func count(error text: String) {
        let text = text.cut()
        if errors[text] == nil, errors.count >= Self.maximumErrors {
            errors["other errors", default: 0] += 1
        } else {
            errors[text, default: 0] += 1
        }
    }

    /// All run: delays and bit rates count from here.
    func beginMeasurement() {
        wait = Histogram()
        request = Histogram()
        behind = Histogram()
        bytesBefore = bytes
        bytesAtMark = bytes
    }

    /// - Parameter isFinal: the bit rate is that of all that was measured, instead of since the last time.
    func bitsPerSecond(over time: TimeAmount, isFinal: Bool) -> Int {
        defer { bytesAtMark = bytes }
        let count = bytes - (isFinal ? bytesBefore : bytesAtMark)
        return time > .zero ? Int(Double(count) * 8 / time.seconds) : 0
    }
}

/// What is seen in the same moment by many viewers of one target, and looked at once.
final class SharedSight {
    /// The last playlists, which are the same bytes for many.
    private var documents: [(bytes: ByteBuffer, document: ClientDocument)] = []
    private var ready: [String: NIODeadline] = [:]
    private var names: [String] = []
    private static let maximumNames = 512

    /// Reads a document, unless it is one of the last ones.
    func document(
        _ bytes: ByteBuffer, at now: NIODeadline, read: (ByteBuffer) throws -> ClientDocument
    ) throws -> ClientDocument {
        if let known = documents.first(where: { $0.bytes == bytes }) { return known.document }
        let document = try read(bytes)
        documents.insert((bytes, document), at: 0)
        if documents.count > 4 { documents.removeLast() }
        switch document {
        case .master: break
        case .media(let playlist): note(playlist, at: now)
        case .presentation(let tracks, _): for track in tracks { note(track, at: now) }
        }
        return document
    }

    private func note(_ playlist: ClientPlaylist, at now: NIODeadline) {
        for segment in playlist.segments.suffix(3) {
            for part in segment.parts { note(part.uri, at: now) }
            if let uri = segment.uri { note(uri, at: now) }
        }
    }

    /// Somebody has had it, or seen it listed, at this moment.
    func note(_ uri: String, at now: NIODeadline) {
        if let before = ready[uri] {
            if now < before { ready[uri] = now }
            return
        }
        ready[uri] = now
        names.append(uri)
        guard names.count > Self.maximumNames * 2 else { return }
        for name in names.prefix(Self.maximumNames) { ready[name] = nil }
        names.removeFirst(Self.maximumNames)
    }

    /// When the first of all had it, or saw it listed.
    func readiness(of uri: String) -> NIODeadline? {
        ready[uri]
    }
}
