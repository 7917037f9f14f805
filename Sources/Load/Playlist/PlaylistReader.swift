import Basics
import Foundation

/// Reads the lines of a playlist.
struct PlaylistReader {
    private var playlist = ClientPlaylist()
    private var variants: [String] = []
    private var isMaster = false
    private var expectsVariant = false
    private var seen: Set<Substring> = []
    /// The segment that the next lines are about.
    private var segment = ClientPlaylist.Segment(sequence: 0, discontinuity: 0)
    private var hasLength = false
    private var line: Substring = ""

    /// Numbers that arithmetic on them cannot overflow.
    private static let largest = 1 << 53
    private static let maximumSegments = 100_000

    mutating func read(_ text: String) throws -> ClientDocument {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.hasSuffix("\r") ? $0.dropLast() : $0
        }[...]
        line = lines.first ?? ""
        guard lines.popFirst() == "#EXTM3U" else { throw malformed("a playlist begins with #EXTM3U") }
        for next in lines where !next.isEmpty {
            line = next
            guard next.hasPrefix("#") else {
                try readAddress(String(next))
                continue
            }
            guard next.hasPrefix("#EXT") else { continue }
            let colon = next.firstIndex(of: ":")
            let name = next[..<(colon ?? next.endIndex)]
            try readTag(name, colon.map { next[next.index(after: $0)...] } ?? "")
        }
        guard !expectsVariant else { throw malformed("a variant has no address") }
        if isMaster {
            guard !seen.contains("#EXT-X-TARGETDURATION"), !hasLength, playlist.segments.isEmpty else {
                throw malformed("tags of master and media playlists stand together")
            }
            return .master(variants)
        }
        try finish()
        return .media(playlist)
    }

    private mutating func finish() throws {
        line = ""
        guard seen.contains("#EXT-X-TARGETDURATION") else { throw malformed("there is no EXT-X-TARGETDURATION") }
        guard !hasLength else { throw malformed("the last EXTINF has no address") }
        if !segment.parts.isEmpty { try close() }
    }

    private mutating func readAddress(_ uri: String) throws {
        if expectsVariant {
            expectsVariant = false
            variants.append(uri)
            return
        }
        guard hasLength else { throw malformed("an address has no EXTINF") }
        segment.uri = uri
        hasLength = false
        try close()
    }

    /// Puts the segment into the list and begins the next.
    private mutating func close() throws {
        guard playlist.segments.count < Self.maximumSegments else { throw malformed("there are too many segments") }
        let first = playlist.segments.isEmpty
        segment.sequence =
            playlist.segments.last.map { $0.sequence + 1 } ?? playlist.mediaSequence + playlist.skipped
        segment.discontinuity =
            (first ? playlist.discontinuitySequence : playlist.segments.last?.discontinuity ?? 0)
            + (segment.isDiscontinuity ? 1 : 0)
        playlist.segments.append(segment)
        segment = ClientPlaylist.Segment(sequence: 0, discontinuity: 0, map: segment.map)
    }

    private mutating func once(_ name: Substring) throws {
        guard seen.insert(name).inserted else { throw malformed("the tag stands twice") }
    }

    /// For tags of the whole playlist that have to stand before the first segment.
    private mutating func header(_ name: Substring) throws {
        try once(name)
        guard playlist.segments.isEmpty, segment.parts.isEmpty, !hasLength else {
            throw malformed("the tag stands behind the first segment")
        }
    }

    private mutating func readTag(_ name: Substring, _ value: Substring) throws {
        switch name {
        case "#EXT-X-VERSION":
            try once(name)
            playlist.version = try number(value)
        case "#EXT-X-TARGETDURATION":
            try once(name)
            playlist.targetDuration = try number(value)
            guard playlist.targetDuration < 86_400 else { throw malformed("it is too long") }
        case "#EXT-X-MEDIA-SEQUENCE":
            try header(name)
            playlist.mediaSequence = try number(value)
        case "#EXT-X-DISCONTINUITY-SEQUENCE":
            try header(name)
            playlist.discontinuitySequence = try number(value)
        case "#EXT-X-INDEPENDENT-SEGMENTS":
            playlist.hasIndependentSegments = true
        case "#EXT-X-ENDLIST":
            playlist.isEnded = true
        case "#EXT-X-SERVER-CONTROL":
            try once(name)
            let attributes = try attributes(value)
            playlist.serverControl = ClientPlaylist.ServerControl(
                canBlockReload: attributes["CAN-BLOCK-RELOAD"] == "YES", holdBack: try length(attributes["HOLD-BACK"]),
                partHoldBack: try length(attributes["PART-HOLD-BACK"]),
                canSkipUntil: try length(attributes["CAN-SKIP-UNTIL"]))
        case "#EXT-X-PART-INF":
            try once(name)
            playlist.partTarget = try length(required("PART-TARGET", try attributes(value)))
        case "#EXT-X-SKIP":
            try header(name)
            playlist.skipped = try number(required("SKIPPED-SEGMENTS", try attributes(value)))
        case "#EXT-X-PRELOAD-HINT":
            let attributes = try attributes(value)
            let uri = String(try required("URI", attributes))
            switch try required("TYPE", attributes) {
            case "PART": playlist.hintedParts.append(uri)
            case "MAP": playlist.hintedMaps.append(uri)
            default: break
            }
        case "#EXT-X-RENDITION-REPORT":
            let attributes = try attributes(value)
            playlist.reports.append(
                ClientPlaylist.RenditionReport(
                    uri: String(try required("URI", attributes)), lastSequence: try attributes["LAST-MSN"].map(number),
                    lastPart: try attributes["LAST-PART"].map(number)))
        case "#EXT-X-STREAM-INF":
            isMaster = true
            expectsVariant = true
            _ = try number(required("BANDWIDTH", try attributes(value)))
        case "#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-SESSION-DATA", "#EXT-X-SESSION-KEY":
            isMaster = true
        default:
            try readSegmentTag(name, value)
        }
    }

    private mutating func readSegmentTag(_ name: Substring, _ value: Substring) throws {
        switch name {
        case "#EXTINF":
            guard !hasLength else { throw malformed("an EXTINF follows another") }
            segment.duration = try length(value.prefix { $0 != "," })
            hasLength = true
        case "#EXT-X-PART":
            guard !hasLength else { throw malformed("a part stands behind its segment's EXTINF") }
            let attributes = try attributes(value)
            guard attributes["BYTERANGE"] == nil else { throw malformed("parts that are byte ranges are not read") }
            guard segment.parts.count < 10_000 else { throw malformed("there are too many parts") }
            segment.parts.append(
                ClientPlaylist.Part(
                    uri: String(try required("URI", attributes)),
                    duration: try length(required("DURATION", attributes)),
                    isIndependent: attributes["INDEPENDENT"] == "YES", isGap: attributes["GAP"] == "YES"))
        case "#EXT-X-DISCONTINUITY":
            try beforeParts()
            segment.isDiscontinuity = true
        case "#EXT-X-GAP":
            segment.isGap = true
        case "#EXT-X-MAP":
            try beforeParts()
            segment.map = String(try required("URI", try attributes(value)))
        case "#EXT-X-PROGRAM-DATE-TIME":
            try beforeParts()
            segment.date = try date(value)
        case "#EXT-X-BYTERANGE":
            throw malformed("segments that are byte ranges are not read")
        default:
            // Unknown tags are passed over (§6.3.1).
            break
        }
    }

    /// What holds for a segment holds for its parts, so it stands before them (§4.4.4.9).
    private func beforeParts() throws {
        guard segment.parts.isEmpty, !hasLength else { throw malformed("the tag stands behind parts of its segment") }
    }

    // MARK: Values (§4.2)

    private func number(_ text: Substring) throws -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text),
            number <= Self.largest
        else { throw malformed("\(text.prefix(64)) is no decimal integer") }
        return number
    }

    /// Seconds in decimals, as microseconds.
    private func length(_ text: Substring) throws -> Int64 {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count) else { throw malformed("\(text.prefix(64)) is no length of time") }
        let seconds = try number(parts[0])
        guard seconds <= 86_400 else { throw malformed("\(text.prefix(64)) is too long") }
        guard parts.count == 2 else { return Int64(seconds) * 1_000_000 }
        let digits = parts[1].prefix(6)
        guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let fraction = Int64(digits) else {
            throw malformed("\(text.prefix(64)) is no length of time")
        }
        return Int64(seconds) * 1_000_000 + (digits.count..<6).reduce(fraction) { value, _ in value * 10 }
    }

    private func length(_ text: Substring?) throws -> Int64? {
        try text.map { try length($0) }
    }

    private func date(_ text: Substring) throws -> Int64 {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = (try? style.parse(String(text))) ?? (try? Date.ISO8601FormatStyle().parse(String(text))) else {
            throw malformed("\(text.prefix(64)) is no date")
        }
        return Int64((date.timeIntervalSince1970 * 1_000).rounded()) * 1_000
    }

    private func required(_ name: String, _ attributes: [Substring: Substring]) throws -> Substring {
        guard let value = attributes[name[...]] else { throw malformed("there is no \(name)") }
        return value
    }

    /// `NAME=value,NAME="value, too"`, each name once (§4.2).
    private func attributes(_ text: Substring) throws -> [Substring: Substring] {
        var rest = text
        var attributes: [Substring: Substring] = [:]
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "="), equals > rest.startIndex else {
                throw malformed("the attributes are not NAME=value")
            }
            let name = rest[..<equals]
            rest = rest[rest.index(after: equals)...]
            let value: Substring
            if rest.hasPrefix("\"") {
                rest = rest.dropFirst()
                guard let quote = rest.firstIndex(of: "\"") else { throw malformed("a quotation is not ended") }
                value = rest[..<quote]
                rest = rest[rest.index(after: quote)...]
                guard rest.isEmpty || rest.hasPrefix(",") else { throw malformed("a comma is missing") }
            } else {
                let end = rest.firstIndex(of: ",") ?? rest.endIndex
                value = rest[..<end]
                rest = rest[end...]
                guard !value.isEmpty else { throw malformed("\(name.prefix(64)) has no value") }
            }
            rest = rest.dropFirst()
            guard attributes.updateValue(value, forKey: name) == nil else {
                throw malformed("\(name.prefix(64)) stands twice")
            }
        }
        return attributes
    }

    private func malformed(_ reason: String) -> ClientPlaylist.Malformed {
        let line = line.cut()
        return ClientPlaylist.Malformed(description: line.isEmpty ? reason : "\(line): \(reason)")
    }
}
