import Foundation
import NIOCore

/// A strict reader of media playlists, independent of the writer: anything the RFC does not allow is an error.
struct PlaylistChecker {
    struct Entry: Equatable {
        var uri: String
        var duration: Double
        var date: Double
        var isDiscontinuity: Bool
        var map: String?
    }

    struct Invalid: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }

    var version = 1
    var target = 0
    var sequence = 0
    var discontinuitySequence = 0
    var isIndependent = false
    var isEnded = false
    var entries: [Entry] = []
    /// The parts named, finished ones.
    var parts: [String] = []

    init(_ buffer: ByteBuffer) throws {
        let text = String(buffer: buffer)
        guard text.hasSuffix("\n"), !text.contains("\r") else { throw Invalid("line ends") }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).dropLast()
        guard lines.popFirst() == "#EXTM3U" else { throw Invalid("no EXTM3U") }
        var seen: Set<String> = []
        var entry = Entry(uri: "", duration: -1, date: -1, isDiscontinuity: false, map: nil)
        for line in lines {
            guard !isEnded, !line.isEmpty else { throw Invalid("line after the end, or an empty one") }
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? parts[1] : ""
            if ["VERSION", "TARGETDURATION", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "INDEPENDENT-SEGMENTS"]
                .contains(where: { parts[0] == "#EXT-X-" + $0 })
            {
                guard seen.insert(parts[0]).inserted, entries.isEmpty, entry.duration < 0 else {
                    throw Invalid("misplaced \(line)")
                }
            }
            switch parts[0] {
            case "#EXT-X-VERSION": version = try Self.integer(value)
            case "#EXT-X-TARGETDURATION": target = try Self.integer(value)
            case "#EXT-X-MEDIA-SEQUENCE": sequence = try Self.integer(value)
            case "#EXT-X-DISCONTINUITY-SEQUENCE": discontinuitySequence = try Self.integer(value)
            case "#EXT-X-INDEPENDENT-SEGMENTS": isIndependent = true
            case "#EXT-X-ENDLIST": isEnded = true
            case "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF", "#EXT-X-PRELOAD-HINT": break
            case "#EXT-X-PART":
                let pattern = /DURATION=\d+\.\d{6},URI="(part_\d+_\d+\.m4s)"(,INDEPENDENT=YES)?/
                guard let match = value.wholeMatch(of: pattern), entry.date >= 0 else { throw Invalid(line) }
                self.parts.append(String(match.1))
            case "#EXT-X-DISCONTINUITY": entry.isDiscontinuity = true
            case "#EXT-X-MAP":
                guard value.wholeMatch(of: /URI="init_\d+\.mp4"/) != nil else { throw Invalid(line) }
                entry.map = String(value.dropFirst(5).dropLast())
            case "#EXT-X-PROGRAM-DATE-TIME": entry.date = try Self.date(value)
            case "#EXTINF":
                guard value.wholeMatch(of: /\d+\.\d{3,},/) != nil, let duration = Double(value.dropLast()) else {
                    throw Invalid(line)
                }
                entry.duration = duration
            default:
                guard line.wholeMatch(of: /media_\d+\.(ts|m4s)/) != nil, entry.duration > 0, entry.date >= 0 else {
                    throw Invalid("unexpected \(line)")
                }
                entry.uri = line
                entries.append(entry)
                entry = Entry(uri: "", duration: -1, date: -1, isDiscontinuity: false, map: entry.map)
            }
        }
        try check()
    }

    /// Checks what may and may not change when a playlist replaces another (RFC 8216 §6.2.1, §6.2.2).
    func checkReplaces(_ old: PlaylistChecker) throws {
        guard !old.isEnded else { throw Invalid("changed after its end") }
        guard target == old.target, sequence >= old.sequence else { throw Invalid("went back") }
        for (index, entry) in entries.enumerated() {
            let oldIndex = index + sequence - old.sequence
            guard old.entries.indices.contains(oldIndex) else { continue }
            let before = old.entries[oldIndex]
            guard before == entry else { throw Invalid("\(before) became \(entry)") }
            guard discontinuityNumber(at: index) == old.discontinuityNumber(at: oldIndex) else {
                throw Invalid("the discontinuity sequence number of \(entry.uri) changed")
            }
        }
    }

    private func discontinuityNumber(at index: Int) -> Int {
        discontinuitySequence + entries[...index].filter(\.isDiscontinuity).count
    }

    private func check() throws {
        guard target > 0, version >= (entries.contains { $0.map != nil } ? 6 : 3) else { throw Invalid("header") }
        for (index, entry) in entries.enumerated() {
            guard Int(entry.duration.rounded()) <= target else { throw Invalid("\(entry) is over the target") }
            guard entry.uri.hasPrefix("media_\(sequence + index).") else {
                throw Invalid("\(entry) has another number")
            }
            guard entry.uri.hasSuffix(entry.map == nil ? ".ts" : ".m4s") else { throw Invalid("\(entry) and its map") }
            if index > 0, !entry.isDiscontinuity {
                let expected = entries[index - 1].date + entries[index - 1].duration
                guard abs(entry.date - expected) < 0.0021 else { throw Invalid("\(entry.uri)'s date is off") }
            }
        }
    }

    private static func integer(_ value: String) throws -> Int {
        guard value.allSatisfy(\.isNumber), let number = Int(value) else { throw Invalid("\(value) is no number") }
        return number
    }

    private static func date(_ value: String) throws -> Double {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        guard value.hasSuffix("Z"), let date = formatter.date(from: value) else { throw Invalid("date \(value)") }
        return date.timeIntervalSince1970
    }
}
