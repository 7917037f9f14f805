import Load
import NIOCore

/// Judges what a server of low-latency HLS does by RFC 8216bis, from the exchanges of a client: pure, in the order in which answers
/// came.
public struct StrictChecker: Sendable {
    public private(set) var violations: [StrictViolation] = []
    private var playlists: [String: PlaylistHistory] = [:]
    private var media = MediaHistory()
    /// What has been found to be different between playlists.
    private var misaligned: Set<String> = []
    private let tolerance: TimeAmount

    /// - Parameter tolerance: how late something may come before it is called late; what the machine and the network need.
    public init(tolerance: TimeAmount) {
        self.tolerance = tolerance
    }

    /// The newest playlist of a name, put together from its deltas.
    public func playlist(_ name: String) -> ClientPlaylist? {
        playlists[name]?.newest
    }

    /// How many playlists, parts, segments and maps were looked at.
    public var counts: (playlists: Int, media: Int) {
        (playlists.values.reduce(0) { $0 + $1.count }, media.count)
    }

    public mutating func check(_ exchange: StrictExchange) {
        var found: [StrictViolation] = []
        switch exchange.subject {
        case .playlist(let name, let directives):
            var history = playlists[name] ?? PlaylistHistory(name: name, tolerance: tolerance)
            if let playlist = history.take(exchange, directives, media: &media, violations: &found) {
                media.judgeHints(of: name, isEnded: playlist.isEnded, violations: &found)
                checkReports(playlist, exchange, violations: &found)
                checkAlignment(playlist, name, violations: &found)
            }
            playlists[name] = history
        case .media(let uri):
            media.take(uri, exchange, tolerance: tolerance, violations: &found)
        }
        violations += found
    }

    /// What two playlists say of segments of one number is compared.
    private mutating func checkAlignment(
        _ playlist: ClientPlaylist, _ name: String, violations: inout [StrictViolation]
    ) {
        for (otherName, history) in playlists where otherName != name {
            guard let other = history.newest else { continue }
            func found(_ text: String) {
                guard misaligned.insert("\(name) \(otherName) \(text)").inserted else { return }
                violations.append(StrictViolation(rule: .alignment, text: "\(name) and \(otherName): \(text)"))
            }
            if playlist.targetDuration != other.targetDuration {
                found("target durations \(playlist.targetDuration) and \(other.targetDuration)")
            }
            for segment in playlist.segments where !segment.isOpen {
                guard let beside = other.segments.first(where: { $0.sequence == segment.sequence }), !beside.isOpen
                else { continue }
                // Audio ends with a frame of its own.
                if abs(segment.duration - beside.duration) > 100_000 {
                    found("segment \(segment.sequence) lasts \(segment.duration) and \(beside.duration) µs")
                }
                if segment.discontinuity != beside.discontinuity {
                    found("segment \(segment.sequence) has discontinuity numbers of its own")
                }
            }
        }
    }

    /// What reports say is compared with what the other playlist said before the request, and says when it is asked for next.
    private mutating func checkReports(
        _ playlist: ClientPlaylist, _ exchange: StrictExchange, violations: inout [StrictViolation]
    ) {
        for report in playlist.reports {
            guard let sequence = report.lastSequence, var other = playlists[report.uri] else { continue }
            let said = ClientPlaylist.Edge(sequence: sequence, part: report.lastPart ?? -1)
            if let newest = other.lastPart(before: exchange.sent), said < newest {
                violations.append(
                    StrictViolation(
                        rule: .renditionReport,
                        text: "\(report.uri) is reported at \(said), and was at \(newest) before"))
            }
            other.reported.append((said, exchange.received))
            playlists[report.uri] = other
        }
    }
}

extension ClientPlaylist {
    /// The last segment and its last part, whether the segment is whole or not.
    var lastPart: Edge? {
        segments.last.map { Edge(sequence: $0.sequence, part: $0.parts.count - 1) }
    }

    /// Whether it has what a blocked request waits for.
    func contains(sequence: Int, part: Int?) -> Bool {
        guard let edge else { return false }
        return edge >= Edge(sequence: sequence, part: part ?? .max)
    }
}

/// Maps, segments and parts as they came.
struct MediaHistory: Sendable {
    private(set) var count = 0
    private(set) var bodies: [String: (body: ByteBuffer, received: NIODeadline)] = [:]
    private(set) var maps: [String: MapFacts] = [:]
    /// What is listed, since when, and until when it is to be had when it is listed no more.
    private var listed: [String: (since: NIODeadline, until: NIODeadline?)] = [:]
    /// What has been announced, and the playlist that did.
    private var hinted: [String: String] = [:]
    /// What was announced and did not come.
    private var refusedHints: [(uri: String, status: Int)] = []

    mutating func take(
        _ uri: String, _ exchange: StrictExchange, tolerance: TimeAmount, violations: inout [StrictViolation]
    ) {
        count += 1
        guard exchange.status == 200 else {
            if let entry = listed[uri] {
                if entry.until.map({ exchange.received < $0 }) ?? true {
                    violations.append(
                        StrictViolation(rule: .availability, text: "\(uri) is listed and is HTTP \(exchange.status)"))
                }
            } else if hinted[uri] != nil {
                // The stream may have ended before it came, which the playlist says later than this answer does.
                refusedHints.append((uri, exchange.status))
            }
            return
        }
        // What is listed is there; what was announced is there when it is listed.
        if let since = listed[uri]?.since {
            let late = exchange.received - max(since, exchange.sent)
            if late > tolerance {
                violations.append(
                    StrictViolation(
                        rule: .partLate, text: "\(uri) came \(late.shown) after it was listed and asked for"))
            }
        }
        if let before = bodies[uri], before.body != exchange.body {
            violations.append(StrictViolation(rule: .bytes, text: "\(uri) has changed"))
        }
        if bodies[uri] == nil { bodies[uri] = (exchange.body, exchange.received) }
    }

    mutating func list(_ uri: String, at now: NIODeadline) {
        if listed[uri] == nil { listed[uri] = (now, nil) } else { listed[uri]?.until = nil }
    }

    mutating func unlist(_ uri: String, until: NIODeadline) {
        listed[uri]?.until = until
    }

    /// Judges what was announced and did not come, with the same playlist that came after it.
    mutating func judgeHints(of playlist: String, isEnded: Bool, violations: inout [StrictViolation]) {
        for (uri, status) in refusedHints where hinted[uri] == playlist && (!isEnded || listed[uri] != nil) {
            violations.append(StrictViolation(rule: .availability, text: "\(uri) is announced and is HTTP \(status)"))
        }
        refusedHints.removeAll { hinted[$0.uri] == playlist }
    }

    mutating func hint(_ uri: String, of playlist: String) {
        hinted[uri] = playlist
    }

    /// The tracks of a map that has come.
    mutating func facts(ofMap uri: String, violations: inout [StrictViolation]) -> MapFacts? {
        if let known = maps[uri] { return known }
        guard let body = bodies[uri]?.body else { return nil }
        do {
            let facts = try MapFacts(body)
            maps[uri] = facts
            return facts
        } catch {
            violations.append(StrictViolation(rule: .map, text: "\(uri): \(error)"))
            return nil
        }
    }
}

extension TimeAmount {
    var shown: String { "\(nanoseconds / 1_000_000) ms" }
}
