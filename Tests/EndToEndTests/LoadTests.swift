import ControlAPI
import Foundation
import Load
import TestSupport
import Testing

/// `playhouse load` against the running program.
@Suite("playhouse load", .serialized) struct LoadTests {
    private func report(_ file: String) throws -> LoadReport {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(LoadReport.self, from: FileManager.default.contents(atPath: file) ?? Data())
    }

    /// Runs it to its end and gives what it has written.
    private func load(_ arguments: [String], folder: Folder) async throws -> (ProgramResult, LoadReport?) {
        let file = folder.file("load.json")
        let result = try await ForeignProgram.run([Places.playhouse, "load"] + arguments + ["--json", file])
        return (result, try? report(file))
    }

    @Test("Viewers of every kind see a real stream, and each is counted")
    func viewersOfEveryKind() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["hls.segment_duration: 1s"])
        try await origin.account().openStream("show")
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await eventually("three segments") { try await origin.mediaPlaylist("show")?.segments.count ?? 0 >= 3 }
        let folder = try Folder()
        let (result, report) = try await load(
            [
                origin.rtmp("show"), origin.playlist("show"), origin.manifest("show"), "--count", "15", "--duration",
                "3",
                "--plain",
            ],
            folder: folder)
        #expect(result.status == 0, "\(result.errors)")
        let groups = try #require(report?.groups)
        #expect(groups.map(\.group) == ["DASH viewers", "HLS viewers", "RTMP viewers"])
        for group in groups {
            #expect(group.wanted == 5 && group.started == 5 && group.running == 5, "\(group)")
            #expect(group.gone == 0 && group.finished == 0 && group.errors == [:], "\(group)")
            #expect(group.start?.count == 5 && group.bytes > 100_000 && group.bitsPerSecond > 0, "\(group)")
        }
        #expect(result.text.contains("running 15\n"))

        // The stream ends while others watch: they have had everything.
        let file = folder.file("ended.json")
        let watching = try ForeignProgram(
            [
                Places.playhouse, "load", origin.playlist("show"), origin.manifest("show"), "--count", "6",
                "--duration",
                "60", "--json", file,
            ])
        try await eventually("their coming") { watching.output.contains("running 6\n") }
        encoder.signal(SIGINT)
        #expect(try await watching.result().status == 0)
        for group in try self.report(file).groups {
            #expect(group.finished == 3 && group.gone == 0 && group.errors == [:], "\(group)")
        }
    }

    @Test("Pushes go to it as to any server, and are all counted")
    func pushes() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + [OriginProcess.loopbackPushes])
        let account = try await origin.account()
        let folder = try Folder()
        let port = try FreePort.take()
        let receiving = Task {
            try await load(["--receive", "127.0.0.1:\(port)", "--count", "2", "--duration", "2"], folder: folder)
        }
        let encoder = try await origin.publish("s", as: account)
        for name in ["one", "two"] {
            try await account.succeed(
                "pushpublish.connect",
                [
                    "service_name": "rtmp", "app": "demo-origin", "inst": "live", "stream": "s",
                    "entry_name": .string(name),
                    "url": .string("rtmp://127.0.0.1:\(port)/sink/\(name)"),
                ])
        }
        let (result, report) = try await receiving.value
        #expect(result.status == 0, "\(result.errors)")
        let group = try #require(report?.groups.first)
        #expect(group.group == "pushes" && group.running == 2 && group.gone == 0 && group.errors == [:], "\(group)")
        #expect(group.start?.count == 2 && group.bitsPerSecond > 0, "\(group)")
        withExtendedLifetime(encoder) {}
    }

    @Test("Publishers come with a number behind the stream's name, and are all on air")
    func publishers() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("*")
        let folder = try Folder()
        let publishing = Task {
            try await load(
                [origin.rtmp("pub"), "--publish", source.path, "--count", "3", "--duration", "4"], folder: folder)
        }
        for number in 1...3 { try await origin.untilPublished("pub\(number)") }
        let (result, report) = try await publishing.value
        #expect(result.status == 0)
        let group = try #require(report?.groups.first)
        #expect(group.group == "publishers" && group.running == 3 && group.gone == 0 && group.errors == [:], "\(group)")
    }

    @Test("Each viewer comes with a ticket of its own, and who is refused is counted")
    func tickets() async throws {
        let scene = try await TicketScene()
        let good = [try await scene.ticket(uses: 1), try await scene.ticket(uses: 1), try await scene.ticket(uses: 1)]
        let lines = good.map { String($0.query.dropFirst()) } + ["key=unknown&pass=nobody"]
        let folder = try Folder()
        let file = try folder.write(lines.joined(separator: "\n") + "\n", to: "tickets")
        let (result, report) = try await load(
            [scene.origin.playlist("paid"), "--count", "4", "--duration", "2", "--tickets", file], folder: folder)
        #expect(result.status == 0, "\(result.errors)")
        let group = try #require(report?.groups.first)
        #expect(group.running == 3 && group.gone == 1, "\(group)")
        #expect(group.errors == ["HTTP 403 (master playlist)": 1, "refused: HTTP 403": 1], "\(group)")
        for ticket in good { #expect(try await scene.attempts(ticket, success: true) == 1) }
        let (short, _) = try await load(
            [scene.origin.playlist("paid"), "--count", "5", "--tickets", file], folder: folder)
        #expect(short.status == 1 && short.errors.contains("has 4 tickets for 5 viewers"))
    }

    @Test("What cannot be is said in a sentence, and nothing is begun")
    func whatCannotBe() async throws {
        let folder = try Folder()
        let wrong: [([String], Int32, String)] = [
            ([], 64, "there is no address to go to"),
            (["http://127.0.0.1/x.m3u8", "--receive", "127.0.0.1:0"], 64, "--receive goes to no address"),
            (["--receive", "127.0.0.1"], 64, "is no address to listen on"),
            (["--receive", "192.0.2.1:1936"], 1, "192.0.2.1:1936: Cannot assign requested address"),
            (["http://127.0.0.1/x.m3u8", "--publish", "x.flv"], 64, "publishers speak RTMP"),
            (["http://127.0.0.1/x.m3u8", "--count", "100000"], 1, "connections"),
            (["rtmp://127.0.0.1/a/b", "--publish", "/dev/null"], 1, "cannot be read"),
            (["rtmp://127.0.0.1:\(try FreePort.take())/a/b/c", "--duration", "1"], 1, "nobody got in"),
        ]
        for (arguments, status, text) in wrong {
            let (result, _) = try await load(arguments, folder: folder)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            #expect(result.errors.contains(text), "\(arguments): \(result.errors)")
        }
    }
}
