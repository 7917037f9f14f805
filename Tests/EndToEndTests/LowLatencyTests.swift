import StrictHLSClient
import TestSupport
import Testing

/// Low-latency HLS of the running program, looked at by a client that forgives nothing.
@Suite("Low-latency HLS, strictly") struct LowLatencyTests {
    struct Source: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var arguments: [String]
    }

    private static let sources = [
        Source(
            testDescription: "29.97 pictures a second with B-frames, and AAC",
            arguments: [
                "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30000/1001", "-re", "-f", "lavfi", "-i",
                "sine=frequency=440:sample_rate=44100", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g",
                "30",
                "-c:a", "aac",
            ]),
        Source(
            testDescription: "25 pictures a second alone",
            arguments: [
                "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-c:v", "libx264", "-preset", "ultrafast",
                "-g",
                "25",
            ]),
        Source(
            testDescription: "AAC alone",
            arguments: ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:a", "aac"]),
    ]

    @Test("A client that follows the RFC step by step finds nothing wrong", arguments: sources)
    func nothingIsWrong(_ source: Source) async throws {
        let origin = try await OriginProcess(["hls.segment_duration: 1s", "hls.window: 10"])
        try await origin.account().openStream("show")
        let encoder = try ForeignProgram(
            ["ffmpeg", "-hide_banner", "-loglevel", "error"] + source.arguments + [
                "-t", "16", "-f", "flv", origin.rtmp("show"),
            ])
        try await origin.untilPublished("show")
        try await eventually("a playlist") { try await origin.mediaPlaylist("show") != nil }
        // Only what never comes is late here: how fast it comes is measured elsewhere.
        let outcome = try await StrictClient(playlist: origin.chunklist("show")).follow(tolerance: .seconds(10))
        #expect(try await encoder.result().status == 0)
        #expect(outcome.checker.violations == [])
        #expect(outcome.parts > 50 && outcome.deltas > 10, "\(outcome.parts) parts, \(outcome.deltas) deltas")
        #expect(outcome.checker.counts.media > outcome.parts)
        #expect(outcome.checker.playlist("chunklist.m3u8")?.isEnded == true)
    }
}
