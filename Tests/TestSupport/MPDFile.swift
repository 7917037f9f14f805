import Foundation
import FoundationXML

/// An MPD as its XML says, and what is wrong with it by the rules of ISO/IEC 23009-1.
public struct MPDFile: Sendable {
    public struct Element: Sendable {
        public var name: String
        public var attributes: [String: String]
        public var children: [Element] = []
        /// What stands between its tags.
        public var text = ""

        public func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
        public func first(_ name: String) -> Element? { children.first { $0.name == name } }
        public func integer(_ name: String) -> Int64? { attributes[name].flatMap { Int64($0) } }
        /// An `xs:duration`.
        public func seconds(_ name: String) -> Double? {
            guard let text = attributes[name], text.hasPrefix("PT"), text.hasSuffix("S") else { return nil }
            return Double(text.dropFirst(2).dropLast())
        }
    }

    /// A segment of a track, as the MPD announces it.
    public struct Segment: Sendable, Hashable {
        public var name: String
        public var initialization: String
        public var start: Int64
        public var duration: Int64
        public var timescale: Int64
        /// When it begins, in seconds since 1970.
        public var date: Double
    }

    public let root: Element
    public private(set) var problems: [String] = []
    /// By period's id, then the track's type.
    public private(set) var tracks: [String: [String: [Segment]]] = [:]

    public var isEnded: Bool { root.attributes["type"] == "static" }
    public var periods: [Element] { root.all("Period") }

    /// The folder that its addresses are relative to, if that is not its own, and where it wants to be read again.
    public var base: String? { root.first("BaseURL")?.text }
    public var location: String? { root.first("Location")?.text }

    /// The segments of a type, of all periods one after the other.
    public func segments(_ type: String) -> [Segment] {
        periods.flatMap { tracks[$0.attributes["id"] ?? ""]?[type] ?? [] }
    }

    /// - Returns: nil for what is no XML.
    public init?(_ text: String) {
        let reader = Reader()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = reader
        guard parser.parse(), let root = reader.root else { return nil }
        self.root = root
        check()
    }

    /// What an MPD that is read after this one may not have changed.
    public func problems(before next: MPDFile) -> [String] {
        var problems: [String] = []
        for period in next.periods {
            guard let id = period.attributes["id"], let old = periods.first(where: { $0.attributes["id"] == id }) else {
                continue
            }
            if period.attributes["start"] != old.attributes["start"] { problems.append("\(id) begins at another time") }
            for (type, segments) in next.tracks[id] ?? [:] {
                var known: [String: Segment] = [:]
                for segment in tracks[id]?[type] ?? [] { known[segment.name] = segment }
                // The newest one's end was not known for certain.
                let newest = tracks[id]?[type]?.last?.name
                for segment in segments {
                    guard let old = known[segment.name] else { continue }
                    if segment != old, segment.name != newest || segment.start != old.start {
                        problems.append("\(segment.name) was \(old) and is \(segment)")
                    }
                }
            }
        }
        if next.root.attributes["publishTime"] ?? "" < root.attributes["publishTime"] ?? "" {
            problems.append("it was published before the one before it")
        }
        return problems
    }

    private mutating func check() {
        expect(root.name == "MPD" && root.attributes["xmlns"] == "urn:mpeg:dash:schema:mpd:2011", "the root is an MPD")
        expect(root.attributes["profiles"] == "urn:mpeg:dash:profile:isoff-live:2011", "it has the live profile")
        expect(root.seconds("minBufferTime") != nil, "minBufferTime is mandatory")
        switch root.attributes["type"] {
        case "dynamic":
            expect(root.attributes["availabilityStartTime"] != nil, "a dynamic MPD says when it began")
            expect(root.attributes["publishTime"] != nil, "a dynamic MPD says when it was made")
            expect(root.seconds("minimumUpdatePeriod") ?? 0 > 0, "a live MPD says when to read it again")
            expect(root.attributes["mediaPresentationDuration"] == nil, "a live stream has no length")
        case "static":
            expect(root.seconds("mediaPresentationDuration") ?? 0 > 0, "a static MPD has a length")
            expect(root.attributes["minimumUpdatePeriod"] == nil, "a static MPD is not read again")
        default: problems.append("type is static or dynamic")
        }
        expect(!periods.isEmpty, "there is a period")
        let ids = periods.compactMap { $0.attributes["id"] }
        expect(Set(ids).count == periods.count, "every period has an id of its own")
        var last = -1.0
        for period in periods {
            let start = period.seconds("start") ?? -1
            expect(start > last, "periods begin one after the other")
            last = start
            check(period, start: start)
        }
    }

    private mutating func check(_ period: Element, start: Double) {
        let id = period.attributes["id"] ?? ""
        let sets = period.all("AdaptationSet")
        expect(!sets.isEmpty, "\(id) has tracks")
        expect(Set(sets.compactMap { $0.attributes["id"] }).count == sets.count, "\(id): tracks have ids")
        var numbers: [String]?
        for set in sets {
            let type = set.attributes["contentType"] ?? ""
            let place = "\(id) \(type)"
            expect(set.attributes["mimeType"] == "\(type)/mp4", "\(place): mimeType")
            let representations = set.all("Representation")
            expect(!representations.isEmpty, "\(place) has a representation")
            for representation in representations {
                expect(representation.integer("bandwidth") ?? 0 > 0, "\(place): bandwidth")
                expect(!(representation.attributes["codecs"] ?? "").isEmpty, "\(place): codecs")
                expect(!(representation.attributes["id"] ?? "").isEmpty, "\(place): id")
            }
            let templates = set.all("SegmentTemplate") + representations.flatMap { $0.all("SegmentTemplate") }
            expect(
                templates.count == (set.first("SegmentTemplate") == nil ? representations.count : 1),
                "\(place): the set has a template, or each representation")
            for template in templates { check(template, in: period, id: id, type: type, place: place, &numbers) }
        }
    }

    /// - Parameter numbers: the segments' numbers, of the track with the most.
    private mutating func check(
        _ template: Element, in period: Element, id: String, type: String, place: String, _ numbers: inout [String]?
    ) {
        guard let timeline = template.first("SegmentTimeline"),
            let timescale = template.integer("timescale"), timescale > 0,
            let offset = template.integer("presentationTimeOffset"), let first = template.integer("startNumber"),
            let media = template.attributes["media"], media.contains("$Number$"),
            let initialization = template.attributes["initialization"]
        else {
            problems.append("\(place): the template lacks something")
            return
        }
        var segments: [Segment] = []
        var end: Int64?
        for entry in timeline.all("S") {
            guard let duration = entry.integer("d"), duration > 0, let time = entry.integer("t") ?? end else {
                problems.append("\(place): S without d or t")
                continue
            }
            expect(time >= end ?? 0, "\(place): segments overlap at \(time)")
            for index in 0...(entry.integer("r") ?? 0) {
                let start = time + index * duration
                segments.append(
                    Segment(
                        name: media.replacingOccurrences(of: "$Number$", with: "\(first + Int64(segments.count))"),
                        initialization: initialization, start: start, duration: duration, timescale: timescale,
                        date: period.seconds("start").map { $0 + Double(start - offset) / Double(timescale) } ?? 0))
                end = start + duration
            }
        }
        expect(!segments.isEmpty, "\(place): there are segments")
        // Those of one that is a moment behind, or ahead, are some of them.
        let own = segments.map { $0.name.split(separator: "_").last.map { $0.filter(\.isNumber) } ?? "" }
        let other = numbers ?? own
        if own.count < other.count {
            expect(own.allSatisfy(other.contains), "\(place): segments \(own) and \(other)")
        } else {
            expect(other.allSatisfy(own.contains), "\(place): segments \(own) and \(other)")
            numbers = own
        }
        // Of several, the first one's.
        if tracks[id]?[type] == nil { tracks[id, default: [:]][type] = segments }
    }

    private mutating func expect(_ isTrue: Bool, _ rule: String) {
        if !isTrue { problems.append(rule) }
    }

    private final class Reader: NSObject, XMLParserDelegate {
        var root: Element?
        private var open: [Element] = []

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            open.append(Element(name: name, attributes: attributes))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if !open.isEmpty { open[open.count - 1].text += text }
        }

        func parser(_ parser: XMLParser, didEndElement: String, namespaceURI: String?, qualifiedName: String?) {
            guard let element = open.popLast() else { return }
            if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
        }
    }
}
