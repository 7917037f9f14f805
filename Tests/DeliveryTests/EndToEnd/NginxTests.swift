import Foundation
import TestSupport
import Testing

@testable import Delivery

/// nginx in front, with the configuration that docs/playback.md gives.
@Suite struct NginxTests {
    private let folder = "/demo-origin/live/mystream"

    /// The documented configuration, with this test's addresses and files.
    private func configuration(origin: String, directory: String) throws -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let document = tests.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "docs/playback.md")
        let text = try String(contentsOf: document, encoding: .utf8)
        let block = try #require(text.firstMatch(of: /```nginx\n((?s).*?)```/)).1
        let http = block.replacing("/var/cache/nginx/playhouse", with: "\(directory)/cache")
            .replacing("127.0.0.1:8080", with: origin.replacing("http://", with: ""))
            .replacing("listen 80;", with: "listen unix:\(directory)/http.sock;")
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(directory)/\($0);" }.joined()
        return """
            daemon off; pid \(directory)/nginx.pid; error_log \(directory)/error.log; worker_processes 1;
            events {}
            http { access_log off; \(temporary)
            \(http) }
            """
    }

    @Test("open segments come from the cache; those of sessions too, but only for who may see them")
    func cache() async throws {
        try await TestOrigin.run { path in
            let origin = try await TestOrigin(folder: path)
            try await origin.publishSample()
            try await origin.serve { base in
                let directory = path + "-nginx"
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                let file = "\(directory)/nginx.conf"
                try configuration(origin: base, directory: directory).write(
                    toFile: file, atomically: true, encoding: .utf8)
                async let nginx = ForeignProgram.run(["nginx", "-p", directory, "-c", file])
                do {
                    try await eventually { FileManager.default.fileExists(atPath: "\(directory)/nginx.pid") }
                    try await open(through: directory)
                    try await origin.protect(uses: 1)
                    await origin.admissions.streamSettingsChanged()
                    try await sessions(through: directory, origin: origin)
                } catch {
                    Issue.record(error)
                }
                // By its own pid file: nothing else is touched.
                _ = try await ForeignProgram.run(["nginx", "-p", directory, "-c", file, "-s", "stop"])
                let ended = try await nginx
                #expect(ended.status == 0, "\(ended.errors)")
                try FileManager.default.removeItem(atPath: directory)
            }
            try await origin.store.close()
        }
    }

    private func get(_ uri: String, through directory: String) async throws -> (status: Int, cache: String?) {
        let result = try await ForeignProgram.run([
            "curl",
            "-s", "--unix-socket", "\(directory)/http.sock", "-o", "/dev/null", "-w",
            "%{http_code} %header{x-cache}", "http://localhost\(uri)",
        ])
        let words = result.text.split(separator: " ").map(String.init)
        return (words.first.flatMap { Int($0) } ?? 0, words.dropFirst().first)
    }

    private func open(through directory: String) async throws {
        #expect(try await get("\(folder)/chunklist.m3u8", through: directory) == (200, "MISS"))
        #expect(try await get("\(folder)/media_2.ts", through: directory) == (200, "MISS"))
        #expect(try await get("\(folder)/media_2.ts", through: directory) == (200, "HIT"))
    }

    private func sessions(through directory: String, origin: TestOrigin) async throws {
        let master = try await ForeignProgram.run([
            "curl",
            "-s", "--unix-socket", "\(directory)/http.sock",
            "http://localhost\(folder)/playlist.m3u8?\(TestOrigin.ticketQuery)",
        ])
        let media = "\(folder)/" + (try #require(segments(in: master.text).first))
        #expect(try await get(media, through: directory) == (200, "MISS"))
        #expect(try await get(media, through: directory) == (200, "MISS"))
        let session = media.replacing(/\/chunklist.*/, with: "")
        #expect(try await get("\(session)/media_3.ts", through: directory) == (200, "MISS"))
        #expect(try await get("\(session)/media_3.ts", through: directory) == (200, "HIT"))
        let stranger = "\(folder)/sess_AAAAAAAAAAAAAAAAAAAAAAAAAAA"
        #expect(try await get("\(stranger)/media_3.ts", through: directory).status == 403)
        let ticket = try await origin.store.setTicketActive(key: TestOrigin.key, accountID: 1, false)
        origin.admissions.ticketChanged(try #require(ticket))
        #expect(try await get("\(session)/media_3.ts", through: directory).status == 403)
    }
}
