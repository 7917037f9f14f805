import Foundation

/// A media playlist as a player reads it.
struct MediaPlaylistText: Sendable {
    struct Segment: Sendable, Hashable {
        var name: String
        var duration: Double
        var isDiscontinuity: Bool
        var date: Date?
    }

    let text: String
    private(set) var mediaSequence = 0
    private(set) var discontinuitySequence = 0
    private(set) var targetDuration = 0
    private(set) var isEnded = false
    private(set) var segments: [Segment] = []
    /// The newest initialization section; nil for MPEG-TS.
    private(set) var initialization: String?

    init(_ text: String) {
        self.text = text
        var duration = 0.0
        var isDiscontinuity = false
        var date: Date?
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts.count == 2 ? String(parts[1]) : ""
            switch parts.first {
            case "#EXT-X-MEDIA-SEQUENCE": mediaSequence = Int(value) ?? -1
            case "#EXT-X-DISCONTINUITY-SEQUENCE": discontinuitySequence = Int(value) ?? -1
            case "#EXT-X-TARGETDURATION": targetDuration = Int(value) ?? -1
            case "#EXT-X-ENDLIST": isEnded = true
            case "#EXT-X-DISCONTINUITY": isDiscontinuity = true
            case "#EXT-X-MAP": initialization = String(value.dropFirst(5).dropLast())
            case "#EXT-X-PROGRAM-DATE-TIME":
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                date = try? style.parse(value)
            case "#EXTINF": duration = Double(value.replacingOccurrences(of: ",", with: "")) ?? -1
            default:
                guard !line.hasPrefix("#") else { continue }
                segments.append(
                    Segment(name: String(line), duration: duration, isDiscontinuity: isDiscontinuity, date: date))
                isDiscontinuity = false
                date = nil
            }
        }
    }

    /// The media sequence number after the last segment listed.
    var nextSequence: Int { mediaSequence + segments.count }
}

extension OriginProcess {
    /// The media playlist's address.
    func chunklist(_ stream: String) -> String {
        playlist(stream).replacingOccurrences(of: "playlist.m3u8", with: "chunklist.m3u8")
    }

    /// The media playlist as it stands; nil while there is none.
    func mediaPlaylist(_ stream: String) async throws -> MediaPlaylistText? {
        let reply = try await HTTPGet(chunklist(stream))
        return reply.status == 200 ? MediaPlaylistText(reply.text) : nil
    }
}
