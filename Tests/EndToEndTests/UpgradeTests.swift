import ControlAPI
import Foundation
import Load
import StrictHLSClient
import TestSupport
import Testing

/// One program takes another's place while people watch. `UPGRADE_VIEWERS` says how many low-latency viewers (25); as many
/// plain ones watch, and four fifths of that over RTMP.
@Suite("Upgrades", .serialized) struct UpgradeTests {
    private static let settings = [
        "hls.segment_duration: 2s", "hls.window: 60", "live.reconnect_window: 20s", "server.resume_within: 60s",
    ]
    /// Log lines.
    private static let goesOn = "goes on with what the process before has left"
    private static let refused = "what the process before has left is not used"

    private static var viewers: Int {
        ProcessInfo.processInfo.environment["UPGRADE_VIEWERS"].flatMap { Int($0) } ?? 25
    }

    /// `playhouse load`, which obeys a request to connect anew, as a publisher of `show1`, and its viewers.
    private struct Crowd {
        let publisher: ForeignProgram
        let lowLatency: ForeignProgram
        let plain: ForeignProgram
        let rtmp: ForeignProgram
        private let folder: Folder

        init(_ origin: OriginProcess, viewers: Int) async throws {
            let folder = try Folder()
            self.folder = folder
            let source = try await SourceMedia.h264AAC()
            publisher = try ForeignProgram([
                Places.playhouse, "load", "--publish", source.path, origin.rtmp("show"), "--json",
                folder.file("publisher"),
            ])
            try await eventually("three segments") {
                guard let playlist = try await origin.mediaPlaylist("show1") else { return false }
                return playlist.segments.count >= 3
            }
            func load(_ name: String, _ arguments: [String]) throws -> ForeignProgram {
                try ForeignProgram([Places.playhouse, "load", "--json", folder.file(name)] + arguments)
            }
            lowLatency = try load("lowLatency", [origin.playlist("show1"), "--count", "\(viewers)"])
            plain = try load("plain", [origin.playlist("show1"), "--plain", "--count", "\(viewers)"])
            rtmp = try load("rtmp", [origin.rtmp("show1"), "--count", "\(viewers * 4 / 5)"])
            for program in [lowLatency, plain] {
                try await eventually("viewers: \(program.output.suffix(500))") {
                    program.output.contains("running \(viewers)\n")
                }
            }
        }

        /// Lets the stream end, and gives what HLS viewers have seen.
        func end() async throws -> [LoadGroupReport] {
            publisher.signal(SIGINT)
            try await publisher.result()
            for program in [lowLatency, plain] { try await program.result(within: 120) }
            // They were cut off, and may be.
            rtmp.kill()
            return try ["publisher", "lowLatency", "plain"].map { name in
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let report = try decoder.decode(
                    LoadReport.self, from: FileManager.default.contents(atPath: folder.file(name)) ?? Data())
                return try #require(report.groups.first)
            }
        }
    }

    /// Nobody has seen an error, numbers go on, and nothing is missing for longer than a segment.
    private func expectNoLoss(
        _ reports: [LoadGroupReport], _ outcome: StrictClient.Outcome, breaks: Int, viewers: Int
    ) throws {
        #expect(reports[0].errors == [:] && reports[0].gone == 0, "\(reports[0])")
        for report in reports.dropFirst() {
            #expect(report.errors == [:] && report.gone == 0 && report.finished == viewers, "\(report)")
        }
        #expect(outcome.checker.violations == [])
        let playlist = try #require(outcome.checker.playlist("chunklist.m3u8"))
        #expect(playlist.isEnded)
        #expect(playlist.segments.map(\.sequence) == Array(playlist.segments.indices))
        #expect(playlist.segments.dropFirst().count { $0.isDiscontinuity } == breaks)
        // Parts are numbered on from the first to the last; they are listed near the end alone, so the last one says how many.
        let last = try #require(playlist.segments.last?.parts.last?.uri.firstMatch(of: /part_0_(\d+)\.m4s/))
        #expect((Int(last.1) ?? 0) > 5 * playlist.segments.count, "\(last.0) of \(playlist.segments.count) segments")
        var gaps: [Double] = []
        for (one, next) in zip(playlist.segments, playlist.segments.dropFirst()) where next.isDiscontinuity {
            let (start, end) = (try #require(next.date), try #require(one.date) + one.duration)
            gaps.append(Double(start - end) / 1e6)
        }
        #expect(gaps.allSatisfy { $0 < 2 }, "gaps of \(gaps) s")
        for report in reports {
            print(
                "\(report.group): \(report.running + report.finished) of \(report.wanted), \(report.answers) answers,",
                "errors \(report.errors), stalls \(report.stalls) of \(report.stalledSeconds) s together")
        }
        print("gaps of \(gaps) s")
    }

    @Test("Two upgrades under viewers: no HLS viewer sees an error, numbers go on, and less than a segment is missing")
    func underViewers() async throws {
        let viewers = Self.viewers
        let origin = try await OriginProcess(Self.settings)
        try await origin.account().openStream("show1")
        let crowd = try await Crowd(origin, viewers: viewers)
        let chunklist = origin.chunklist("show1")
        async let following = StrictClient(playlist: chunklist).follow(tolerance: .seconds(10))
        let process = origin.processID
        for upgrade in 1...2 {
            origin.signal(SIGUSR2)
            try await origin.untilPublished("show1", upgrade + 1)
            #expect(origin.logLines(Self.goesOn, "streams=1") == upgrade)
            let segments = try await origin.mediaPlaylist("show1")?.segments.count ?? 0
            try await eventually("two more segments") {
                try await origin.mediaPlaylist("show1")?.segments.count ?? 0 >= segments + 2
            }
        }
        #expect(origin.isRunning && origin.processID == process)
        let reports = try await crowd.end()
        try expectNoLoss(reports, try await following, breaks: 2, viewers: viewers)
        #expect(try await origin.stop().status == 0)
    }

    @Test("A restart with systemd's sockets under viewers loses as little")
    func withSystemdSockets() async throws {
        let viewers = 10
        let sockets = try SystemdSockets()
        let first = try await OriginProcess(Self.settings, ports: sockets.ports, sockets: sockets)
        try await first.account().openStream("show1")
        let crowd = try await Crowd(first, viewers: viewers)
        let chunklist = first.chunklist("show1")
        async let following = StrictClient(playlist: chunklist).follow(tolerance: .seconds(10))
        #expect(try await first.stop().status == 0)
        let second = try await OriginProcess(
            Self.settings, folder: first.folder, ports: sockets.ports, sockets: sockets)
        try await second.untilPublished("show1")
        #expect(second.logLines(Self.goesOn, "streams=1") == 1)
        let segments = try await second.mediaPlaylist("show1")?.segments.count ?? 0
        try await eventually("two more segments") {
            try await second.mediaPlaylist("show1")?.segments.count ?? 0 >= segments + 2
        }
        let reports = try await crowd.end()
        try expectNoLoss(reports, try await following, breaks: 1, viewers: viewers)
        // Sockets that are not listened on, or by names of nobody, are said to be so.
        try await second.stop()
        let named = try SystemdSockets(names: "rtmp:nobody")
        let third = try await OriginProcess(folder: first.folder, ports: (try FreePort.take(), 0), sockets: named)
        #expect(third.logLines("listening for RTMP", ":\(named.ports.http)") == 1)
        #expect(third.logLines("a socket that was given is that of no listener", "name=nobody") == 1)
    }

    @Test("A program that would not start takes nobody's place, and one that would does afterwards")
    func aProgramThatWouldNotStart() async throws {
        let folder = try Folder()
        let path = folder.file("playhouse")
        func put(_ program: String) throws {
            unlink(path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: program)
        }
        try put(Places.playhouse)
        let origin = try await OriginProcess(OriginProcess.quick, path: path)
        let encoder = try await origin.publish("show", as: try await origin.account())
        try await eventually("a playlist") { try await origin.mediaPlaylist("show") != nil }
        let wrong = folder.file("wrong")
        let scripts = [
            "#!/bin/sh\necho this is not what it was >&2\nexit 3\n", "no program at all\n",
            // It would go on with the state of another version only.
            "#!/bin/sh\nexec \(Places.playhouse) serve --would-resume 0\n",
        ]
        for (index, script) in scripts.enumerated() {
            try put(wrong)
            try Data(script.utf8).write(to: URL(fileURLWithPath: wrong))
            chmod(wrong, 0o755)
            origin.signal(SIGUSR2)
            try await eventually("refusal \(index)") { origin.logLines("this program goes on") == index + 1 }
            #expect(try await HTTPGet(origin.chunklist("show")).status == 200)
        }
        #expect(origin.logLines("this program goes on", "would not start (3)", "this is not what it was") == 1)
        #expect(origin.logLines("this program goes on", "it goes on with state of version") == 1)
        #expect(encoder.program.isRunning && origin.publishers("show") == 1)
        // Its configuration is looked at as well.
        try put(Places.playhouse)
        let configuration = try String(contentsOfFile: origin.configuration, encoding: .utf8)
        try Data((configuration + "hls.window: much\n").utf8).write(to: URL(fileURLWithPath: origin.configuration))
        origin.signal(SIGUSR2)
        try await eventually("another refusal") { origin.logLines("this program goes on", "hls.window") == 1 }
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: origin.configuration))
        origin.signal(SIGUSR2)
        try await eventually("the upgrade") { origin.logLines(Self.goesOn) == 1 }
        try await eventually("an answer") { (try? await HTTPGet(origin.chunklist("show")).status) == 200 }
    }

    @Test("A viewer with a ticket goes on with a segment, and is not charged once more")
    func viewersWithTickets() async throws {
        let scene = try await TicketScene()
        let origin = scene.origin
        let ticket = try await scene.ticket(uses: 3)
        let viewer = scene.viewer(ticket)
        let (url, reply) = try await viewer.start()
        #expect(reply.status == 200)
        let segment = try HLSViewer.lastSegment(of: reply, at: url)
        #expect(try await Curl.get(segment, from: viewer.address).status == 200)
        origin.signal(SIGUSR2)
        try await eventually("the upgrade") { origin.logLines(Self.goesOn, "sessions=1") == 1 }
        #expect(try await Curl.get(segment, from: viewer.address).status == 200)
        #expect(try await Curl.get(segment, from: "127.9.9.9").status == 403)
        #expect(try await Curl.get(url, from: viewer.address).status == 200)
        #expect(try await scene.remaining(ticket) == "2")
        #expect(try await scene.attempts(ticket, success: true) == 1)
        // Revoked, it ends as ever.
        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        try await eventually("the end of the session") {
            try await Curl.get(segment, from: viewer.address).status == 403
        }
    }

    @Test("What a process has left and somebody has damaged is not used, and its numbers are not used again")
    func damagedState() async throws {
        let first = try await OriginProcess(OriginProcess.quick)
        let sending = try await first.publish("show", as: try await first.account())
        try await eventually("two segments") {
            try await first.mediaPlaylist("show")?.segments.count ?? 0 >= 2
        }
        try await first.stop()
        try await eventually("the encoder's end") { !sending.program.isRunning }
        let path = first.folder.file("data/restart.state")
        var bytes = try #require(FileManager.default.contents(atPath: path))
        #expect(bytes.count > 5_000)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let second = try await OriginProcess(
            OriginProcess.quick, folder: first.folder, ports: (first.httpPort, first.rtmpPort))
        #expect(second.logLines(Self.refused, "it is damaged") == 1)
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(try await HTTPGet(second.chunklist("show")).status == 404)
        let encoder = try TinyEncoder(to: second.rtmp("show"))
        try await eventually("a playlist") { try await second.mediaPlaylist("show") != nil }
        let text = try await HTTPGet(second.chunklist("show")).text
        #expect(text.contains("#EXT-X-MEDIA-SEQUENCE:1000\n"), "\(text)")
        // Where nothing is to be left, nothing is.
        try await encoder.stop()
        try await second.stop()
        try? FileManager.default.removeItem(atPath: path)
        let third = try await OriginProcess(
            OriginProcess.quick + ["server.resume_within: 0s"], folder: first.folder,
            ports: (first.httpPort, first.rtmpPort))
        let last = try TinyEncoder(to: third.rtmp("show"))
        try await eventually("a playlist") { try await third.mediaPlaylist("show") != nil }
        try await third.stop()
        try await eventually("the encoder's end") { !last.program.isRunning }
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
