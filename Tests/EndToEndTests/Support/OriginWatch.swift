import Basics
import ControlAPI
import Foundation
import TestSupport

/// Waiting for what the origin says about a stream.
extension OriginProcess {
    /// How many log lines hold all of these.
    func logLines(_ parts: String...) -> Int {
        log.split(separator: "\n").count { line in parts.allSatisfy { line.contains($0) } }
    }

    func publishers(_ stream: String) -> Int {
        logLines("publisher accepted", "stream=demo-origin/live/\(stream) ")
    }

    /// Waits for the `count`th publisher of a stream.
    func untilPublished(_ stream: String, _ count: Int = 1) async throws {
        try await eventually("publisher \(count) of \(stream)") { self.publishers(stream) >= count }
    }

    /// Waits for the `count`th RTMP viewer of a stream.
    func untilViewed(_ stream: String, _ count: Int = 1) async throws {
        try await eventually("viewer \(count) of \(stream)") {
            self.log.split(separator: "\n").count { line in
                line.contains("viewer admitted") && line.hasSuffix("stream=demo-origin/live/\(stream)")
            } >= count
        }
    }

    /// Writes the initialization and all segments of a playlist into one file, as they come.
    func download(_ playlist: MediaPlaylistText, of stream: String, into folder: Folder) async throws -> String {
        var bytes: [UInt8] = []
        for name in [playlist.initialization].compactMap(\.self) + playlist.segments.map(\.name) {
            let address = chunklist(stream).replacingOccurrences(of: "chunklist.m3u8", with: name)
            let reply = try await HTTPGet(address)
            guard reply.status == 200 else { throw ProgramFailure(description: "\(address): \(reply.status)") }
            bytes += reply.body
        }
        let path = folder.file("\(stream).mp4")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Waits for the end of a stream's playlist, and gives it.
    func endedPlaylist(_ stream: String) async throws -> MediaPlaylistText {
        try await eventually("the end of \(stream)'s playlist") {
            try await self.mediaPlaylist(stream)?.isEnded == true
        }
        guard let playlist = try await mediaPlaylist(stream) else { throw ProgramFailure(description: "no playlist") }
        return playlist
    }
}

extension TestAccount {
    /// The rows of `log.origin` for a stream, oldest first.
    func events(_ stream: String, app: String = "demo-origin") async throws -> [JSONObject] {
        let reply = try await succeed("log.origin", ["app": .string(app), "stream": .string(stream)])
        return (reply["events"]?.arrayValue ?? []).reversed().compactMap { $0.objectValue }
    }
}
