import Foundation
import TestSupport
import Testing

@testable import Delivery

/// ffmpeg plays from a real listener what went in as an encoder's messages.
@Suite struct ForeignPlayerTests {
    private let path = "/demo-origin/live/mystream/playlist.m3u8"

    /// Hashes of all pictures of a file or stream, decoded.
    private func pictures(_ source: String) async throws -> [Substring] {
        let result = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-i", source, "-map", "0:v", "-f", "framemd5", "-",
        ])
        try #require(result.status == 0, "\(result.errors)")
        return result.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: ",").last }
    }

    private var sample: String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/h264-aac.flv").path
    }

    @Test("Every video frame and every audio frame comes out of an open stream")
    func open() async throws {
        let sent = try await pictures(sample)
        try await TestOrigin.run { folder in
            let origin = try await TestOrigin(folder: folder)
            try await origin.publishSample()
            let (played, probe) = try await origin.serve { base in
                let played = try await pictures(base + path)
                let probe = try await ForeignProgram.run([
                    "ffprobe",
                    "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of",
                    "csv=p=0", base + path,
                ])
                return (played, probe)
            }
            #expect(sent.count == 200)
            #expect(played == sent)
            #expect(probe.errors == "")
            #expect(Set(probe.text.split(separator: "\n")) == ["h264,200", "aac,346"])
            #expect(origin.service.viewerCount(TestStage.address) == 1)
            try await origin.store.close()
        }
    }

    @Test("with a ticket it plays, for one use however often; without, it is refused, and both are attempts")
    func ticket() async throws {
        let sent = try await pictures(sample)
        try await TestOrigin.run { folder in
            let origin = try await TestOrigin(folder: folder)
            try await origin.protect(uses: 1)
            try await origin.publishSample()
            try await origin.serve { base in
                #expect(try await pictures("\(base)\(path)?\(TestOrigin.ticketQuery)") == sent)
                #expect(try await pictures("\(base)\(path)?\(TestOrigin.ticketQuery)") == sent)
                let refused = try await ForeignProgram.run(["ffmpeg", "-i", base + path, "-f", "null", "-"])
                #expect(refused.status != 0)
                #expect(refused.errors.contains("403 Forbidden"))
            }
            #expect(try await origin.usedCount() == 1)
            #expect(try await origin.attempts(success: true) == 1)
            #expect(try await origin.attempts(success: false) == 1)
            #expect(origin.admissions.viewerCount(app: "demo-origin", stream: "mystream") == 1)
            try await origin.store.close()
        }
    }
}
