import Basics
import Foundation
import FoundationXML
import NIOCore

/// Reads an MPD (ISO/IEC 23009-1) as one playlist for each track that a player takes: the first representation of the first set of
/// video, and of the first of audio.
///
/// It reads what live packagers write whose segments differ in length: a `SegmentTemplate` with `$Number$` and a `SegmentTimeline`.
/// The numbers go on from one `Period` to the next.
struct PresentationReader {
    /// Microseconds since 1970: what ends later is not whole yet.
    let now: Int64
    /// Whether segments that are not whole yet are taken, too, as they are written (`availabilityTimeComplete`).
    let wantsLowLatency: Bool

    private static let kinds = ["video", "audio"]
    /// Segments of one track.
    private static let largest = 100_000

    /// - Throws: ``ClientPlaylist/Malformed``.
    func read(_ bytes: ByteBuffer) throws -> ClientDocument {
        let root = try Element.root(of: bytes)
        guard root.name == "MPD" else { throw malformed("the document is \(root.name.cut()), and no MPD") }
        let base = root.baseURL(after: "")
        let isEnded = root.attributes["type"] != "dynamic"
        let origin = isEnded ? 0 : try root.attributes["availabilityStartTime"].map(Self.date) ?? 0
        var tracks: [String: ClientPlaylist] = [:]
        for period in root.all("Period") {
            let start = origin + (try period.duration("start") ?? 0)
            var taken: Set<String> = []
            for set in period.all("AdaptationSet") {
                guard let representation = set.first("Representation") else { continue }
                let type = representation.attributes["mimeType"] ?? set.attributes["mimeType"] ?? ""
                let kind = set.attributes["contentType"] ?? String(type.prefix { $0 != "/" })
                guard Self.kinds.contains(kind), taken.insert(kind).inserted else { continue }
                let folder = representation.baseURL(after: set.baseURL(after: period.baseURL(after: base)))
                guard let template = representation.first("SegmentTemplate") ?? set.first("SegmentTemplate") else {
                    throw malformed("there is no SegmentTemplate")
                }
                try add(
                    template, of: representation, in: folder, start: start, isLive: !isEnded,
                    to: &tracks[kind, default: ClientPlaylist()])
            }
        }
        let playlists = Self.kinds.compactMap { tracks[$0] }
        guard !playlists.isEmpty else { throw malformed("there is neither video nor audio in the MPD") }
        return .presentation(
            try playlists.map { playlist in
                var playlist = playlist
                playlist.isEnded = isEnded
                playlist.mediaSequence = playlist.segments.first?.sequence ?? 0
                let longest = try root.duration("maxSegmentDuration") ?? playlist.segments.map(\.duration).max() ?? 0
                playlist.targetDuration = Int((longest + 999_999) / 1_000_000)
                playlist.reloadPeriod = try root.duration("minimumUpdatePeriod")
                playlist.serverControl = .init(holdBack: try root.duration("suggestedPresentationDelay"))
                return playlist
            }, location: root.first("Location")?.text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// - Parameter start: of the period, in microseconds since 1970.
    private func add(
        _ template: Element, of representation: Element, in folder: String, start: Int64, isLive: Bool,
        to playlist: inout ClientPlaylist
    ) throws {
        guard let media = template.attributes["media"], media.contains("$Number$"),
            let timeline = template.first("SegmentTimeline")
        else { throw malformed("segments that have no $Number$ or no SegmentTimeline are not read") }
        let timescale = try template.integer("timescale") ?? 1
        guard timescale > 0 else { throw malformed("the timescale is \(timescale)") }
        let offset = try template.integer("presentationTimeOffset") ?? 0
        let isOpenTaken = wantsLowLatency && template.attributes["availabilityTimeComplete"] == "false"
        let map = template.attributes["initialization"].map { name($0, representation, number: 0) }
        var number = try template.integer("startNumber") ?? 1
        if let last = playlist.segments.last, number != Int64(last.sequence) + 1 {
            throw malformed("the numbers of a period do not go on where those before ended")
        }
        var time: Int64 = 0
        var isFirst = true
        for entry in timeline.all("S") {
            guard let length = try entry.integer("d"), length > 0 else { throw malformed("an S has no length") }
            time = try entry.integer("t") ?? time
            let count = try entry.integer("r") ?? 0
            guard count >= 0, count < Self.largest else { throw malformed("an S repeats \(count) times") }
            for _ in 0...count {
                let begin = try microseconds(time - offset, timescale)
                let duration = try microseconds(length, timescale)
                defer {
                    time += length
                    number += 1
                    isFirst = false
                }
                guard time < 1 << 61 else { throw malformed("a time is too large") }
                guard !isLive || isOpenTaken || start + begin + duration <= now else { continue }
                guard playlist.segments.count < Self.largest, number < Int64(Int32.max) else {
                    throw malformed("there are too many segments")
                }
                playlist.segments.append(
                    ClientPlaylist.Segment(
                        sequence: Int(number), discontinuity: 0,
                        uri: folder + name(media, representation, number: number), duration: duration,
                        isDiscontinuity: isFirst && !playlist.segments.isEmpty, map: map.map { folder + $0 },
                        date: start + begin))
            }
        }
    }

    /// §5.3.9.4.4, without widths.
    private func name(_ template: String, _ representation: Element, number: Int64) -> String {
        template.replacingOccurrences(of: "$Number$", with: String(number))
            .replacingOccurrences(of: "$RepresentationID$", with: representation.attributes["id"] ?? "")
            .replacingOccurrences(of: "$Bandwidth$", with: representation.attributes["bandwidth"] ?? "")
    }

    private func microseconds(_ ticks: Int64, _ timescale: Int64) throws -> Int64 {
        let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: timescale)
        guard abs(seconds) < 1 << 40, timescale < 1 << 40 else { throw malformed("a time is too large") }
        return seconds * 1_000_000 + rest * 1_000_000 / timescale
    }

    private static func date(_ text: String) throws -> Int64 {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = (try? style.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text)) else {
            throw ClientPlaylist.Malformed(description: "\(text.prefix(64)) is no date")
        }
        return Int64((date.timeIntervalSince1970 * 1_000).rounded()) * 1_000
    }

    private func malformed(_ reason: String) -> ClientPlaylist.Malformed {
        ClientPlaylist.Malformed(description: reason)
    }
}

/// An element of an XML document, with what stands in it.
private struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""
    var children: [Element] = []

    static func root(of bytes: ByteBuffer) throws -> Element {
        let tree = Tree()
        let parser = XMLParser(data: Data(bytes.readableBytesView))
        parser.delegate = tree
        guard parser.parse(), let root = tree.root else {
            throw ClientPlaylist.Malformed(description: "what came is no XML")
        }
        return root
    }

    func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
    func first(_ name: String) -> Element? { children.first { $0.name == name } }

    func integer(_ name: String) throws -> Int64? {
        try attributes[name].map { text in
            guard let value = Int64(text), abs(value) < 1 << 60 else {
                throw ClientPlaylist.Malformed(description: "\(name) is \(text.cut()), and no number")
            }
            return value
        }
    }

    /// An `xs:duration` without years and months, in microseconds.
    func duration(_ name: String) throws -> Int64? {
        try attributes[name].map { text in
            guard
                let match = text.wholeMatch(
                    of: /P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,9}))?S)?)?/)
            else { throw ClientPlaylist.Malformed(description: "\(name) is \(text.cut()), and no duration") }
            func value(_ digits: Substring?) -> Int64 { digits.flatMap { Int64($0) } ?? 0 }
            let seconds =
                ((value(match.1) * 24 + value(match.2)) * 60 + value(match.3)) * 60 + value(match.4)
            let fraction = match.5.map { String(($0 + "000000").prefix(6)) }.flatMap { Int64($0) } ?? 0
            let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
            guard !overflow, micros < 1 << 60 else {
                throw ClientPlaylist.Malformed(description: "\(name) is too long")
            }
            return micros + fraction
        }
    }

    /// §5.6.4: an address that begins anew replaces what stands above it.
    func baseURL(after base: String) -> String {
        guard let own = first("BaseURL")?.text.trimmingCharacters(in: .whitespacesAndNewlines), !own.isEmpty else {
            return base
        }
        return own.hasPrefix("/") || own.contains("://") ? own : base + own
    }

    private final class Tree: NSObject, XMLParserDelegate {
        var root: Element?
        private var open: [Element] = []
        private static let deepest = 32

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            guard open.count < Self.deepest else { return parser.abortParsing() }
            open.append(Element(name: name, attributes: attributes))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            guard !open.isEmpty else { return }
            open[open.count - 1].text += text
        }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
            guard let element = open.popLast() else { return }
            if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
        }
    }
}
