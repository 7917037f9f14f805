import Foundation
import TestSupport
import Testing

@testable import Delivery

/// Playback, the door and a store on disk together.
@Suite struct TicketedSessionTests {
    private let folder = "/demo-origin/live/mystream"

    /// The media playlist's address behind a ticket.
    private func mediaPlaylist(_ base: String) async throws -> String {
        let master = try await Fetched.get("\(base)\(folder)/playlist.m3u8?\(TestOrigin.ticketQuery)")
        try #require(master.status == 200)
        return "\(base)\(folder)/" + (try #require(segments(in: master.text).first))
    }

    @Test("many requests of one session at once charge one use")
    func chargedOnce() async throws {
        try await TestOrigin.run { path in
            let origin = try await TestOrigin(folder: path)
            try await origin.protect(uses: 5)
            try await origin.publishSample()
            try await origin.serve { base in
                let media = try await mediaPlaylist(base)
                #expect(try await origin.usedCount() == 0)
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<12 { group.addTask { try await Fetched.get(media, "-L").status } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses == Array(repeating: 200, count: 12))
            }
            #expect(try await origin.usedCount() == 1)
            #expect(try await origin.attempts(success: true) == 1)
            try await origin.store.close()
        }
    }

    @Test("a revoked ticket ends playlists and segments at once")
    func revoked() async throws {
        try await TestOrigin.run { path in
            let origin = try await TestOrigin(folder: path)
            try await origin.protect(uses: 5)
            try await origin.publishSample()
            try await origin.serve { base in
                let media = try await mediaPlaylist(base)
                let playlist = try await Fetched.get(media)
                let name = try #require(
                    segments(in: playlist.text).last?.trimmingCharacters(in: .whitespacesAndNewlines))
                let segment = media.replacing(/chunklist.*/, with: name)
                #expect(try await Fetched.get(segment, "-o", "/dev/null", "-D", "-").status == 200)
                let ticket = try await origin.store.setTicketActive(key: TestOrigin.key, accountID: 1, false)
                origin.admissions.ticketChanged(try #require(ticket))
                #expect(try await Fetched.get(segment).status == 403)
                #expect(try await Fetched.get(media).status == 403)
            }
            try await origin.store.close()
        }
    }

    @Test("after a restart numbers go on and the viewer's session reopens by itself, for no further use")
    func restart() async throws {
        try await TestOrigin.run { path in
            let first = try await TestOrigin(folder: path)
            try await first.protect(uses: 1)
            try await first.publishSample()
            let (old, last) = try await first.serve { base in
                let media = try await mediaPlaylist(base)
                let playlist = try await Fetched.get(media).text
                return (media.dropFirst(base.count), number("EXT-X-MEDIA-SEQUENCE", in: playlist))
            }
            try await first.store.close()

            let second = try await TestOrigin(folder: path)
            try await second.publishSample()
            let (reply, playlist) = try await second.serve { base in
                (try await Fetched.get(base + old), try await ForeignProgram.run(["curl", "-sL", base + old]).text)
            }
            #expect(reply.status == 200)
            let next = try #require(number("EXT-X-MEDIA-SEQUENCE", in: playlist))
            #expect(next >= (try #require(last)) + 8)
            #expect(try await second.usedCount() == 1)
            try await second.store.close()
        }
    }

    @Test("over a socket too: 304 and HEAD have no body, and the connection goes on")
    func conditional() async throws {
        try await TestOrigin.run { path in
            let origin = try await TestOrigin(folder: path)
            try await origin.publishSample()
            try await origin.serve { base in
                let url = "\(base)\(folder)/chunklist.m3u8"
                let plain = try await Fetched.get(url)
                let tag = try #require(plain.headers["etag"])
                #expect(plain.headers["content-length"] == String(plain.text.utf8.count))
                let unchanged = try await Fetched.get(url, "-H", "If-None-Match: \(tag)")
                #expect(unchanged.status == 304)
                #expect(unchanged.text == "")
                #expect(unchanged.headers["content-length"] == nil)
                #expect(unchanged.headers["transfer-encoding"] == nil)
                let head = try await Fetched.get(url, "-I")
                #expect(head.status == 200)
                #expect(head.headers["content-length"] == plain.headers["content-length"])
                let packed = try await ForeignProgram.run(["curl", "-s", "--compressed", url])
                #expect(packed.text == plain.text)
                // Three requests on one connection, two of them without a body in the answer.
                let twice = try await ForeignProgram.run(
                    [
                        "curl", "-s", "-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null", "-H",
                        "If-None-Match: \(tag)",
                    ]
                        + [url, "-o", "/dev/null", url, "-o", "/dev/null", url])
                #expect(twice.text == "304 1\n304 0\n304 0\n")
            }
            try await origin.store.close()
        }
    }
}
