import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import Delivery

@Suite struct ThumbnailTests {
    private let uri = "\(TestPlayer.folder)/thumbnail.jpg"

    /// A player before a stream whose pictures a shell script makes.
    private func player(
        _ script: String, in folder: Folder, isProtected: Bool = false, processes: Int = 2
    ) async throws -> TestPlayer {
        let path = try folder.write("#!/bin/sh\n\(script)\n", to: "program")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        let player = await TestPlayer(
            isProtected: isProtected,
            configuration: DeliveryConfiguration(
                segmenter: TestStage.segmenter,
                thumbnails: ThumbnailConfiguration(program: path, processes: processes)))
        _ = try await player.publish()
        return player
    }

    /// Another picture each time.
    private let random = #"printf '\377\330'; head -c 16 /dev/urandom; printf '\377\331'"#

    @Test("One picture is made for all who ask, and kept as long as the stream brings no other keyframe")
    func once() async throws {
        let folder = try Folder()
        let player = try await player(random, in: folder)
        let replies = try await withThrowingTaskGroup(of: PlayerReply.self) { group in
            for _ in 0..<50 { group.addTask { try await player.get(uri) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(replies.allSatisfy { $0.status == .ok })
        #expect(Set(replies.map { $0.body }).count == 1)
        let first = try #require(replies.first)
        #expect(first.headers[.contentType] == "image/jpeg")
        #expect(first.headers[.cacheControl] == "public, max-age=2")
        let again = try await player.get(uri, headers: [.ifNoneMatch: #require(first.headers[.eTag])])
        #expect(again.status == .notModified)
        #expect(try await player.get(uri, method: .HEAD).headers[.contentLength] == "20")
    }

    @Test("A protected stream's picture is for its sessions and for good tickets, of which no use is charged")
    func tickets() async throws {
        let folder = try Folder()
        let player = try await player(random, in: folder, isProtected: true)
        #expect(try await player.get(uri).status == .forbidden)
        #expect(try await player.get("\(uri)?key=k&pass=wrong").status == .forbidden)
        let withTicket = try await player.get("\(uri)?key=k&pass=p")
        #expect(withTicket.status == .ok)
        #expect(withTicket.headers[.cacheControl] == "private, max-age=2")
        #expect(player.admission.now.charged == 0)
        #expect(player.admission.now.entered == 0)

        let session = String(repeating: "s", count: 43)
        let inSession = "\(TestPlayer.folder)/sess_\(session)/thumbnail.jpg"
        #expect(try await player.get(inSession).status == .forbidden)
        player.admission.set { $0.sessions[session] = "198.51.100.7" }
        #expect(try await player.get(inSession).body == withTicket.body)
    }

    @Test("Without a picture the answer says what is the matter")
    func failures() async throws {
        let folder = try Folder()
        let broken = try await player("exit 1", in: folder)
        let failed = try await broken.get(uri)
        #expect(failed.status == .serviceUnavailable)
        #expect(failed.headers[.retryAfter] == "2")
        // It is not tried again at once: a program that could make one now is not run.
        try folder.write("#!/bin/sh\n\(random)\n", to: "program")
        #expect(try await broken.get(uri).status == .serviceUnavailable)

        try FileManager.default.removeItem(atPath: folder.file("program"))
        let other = try await player(random, in: folder)
        try FileManager.default.removeItem(atPath: folder.file("program"))
        let none = try await other.get(uri)
        #expect(none.status == .notImplemented)
        #expect(
            none.text == "This server makes no pictures: ffmpeg is not installed, or not where thumbnail.ffmpeg says.\n"
        )
        #expect(try await player(random, in: folder, processes: 0).get(uri).status == .notFound)
        #expect(try await other.get("/demo-origin/live/offline/thumbnail.jpg").status == .notFound)
    }
}
