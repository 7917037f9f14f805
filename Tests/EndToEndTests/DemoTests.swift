import Foundation
import TestSupport
import Testing

/// `scripts/demo --check`, with the program under test.
@Suite(.serialized) struct DemoTests {
    private struct Demo {
        let folder: Folder
        let environment: [String: String]
        let ports: [String: Int]

        init() throws {
            folder = try Folder()
            var ports: [String: Int] = [:]
            for name in ["HTTP_PORT", "RTMP_PORT", "PUSH_PORT", "PUSH_HTTP_PORT"] { ports[name] = try FreePort.take() }
            self.ports = ports
            var environment = ["PLAYHOUSE_BINARY": Places.playhouse, "PLAYHOUSE_DEMO_DATA": folder.file("data")]
            for (name, port) in ports { environment["PLAYHOUSE_DEMO_\(name)"] = "\(port)" }
            self.environment = environment
        }

        func check() async throws -> ProgramResult {
            try await ForeignProgram.run(
                [Places.repository + "/scripts/demo", "--check"], environment: environment, directory: folder.path,
                within: 150)
        }

        /// The command lines of processes that have to do with this demo.
        func processes() -> [String] {
            let needles = [folder.path] + ports.values.map { "127.0.0.1:\($0)/" }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return names.filter { Int($0) != nil }.compactMap { name in
                let line = (try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)) ?? ""
                return needles.contains(where: line.contains) ? line.replacing("\0", with: " ") : nil
            }
        }
    }

    @Test("The demo works twice in one folder and leaves nothing behind")
    func theDemoWorksTwiceInOneFolderAndLeavesNothingBehind() async throws {
        let demo = try Demo()
        for _ in 1...2 {
            let result = try await demo.check()
            #expect(result.status == 0, "\(result.text) \(result.errors)")
            #expect(result.text.hasSuffix("\u{1B}[1mThe demo works.\u{1B}[0m\n"))
            #expect(result.text.contains("Without the ticket: "))
            #expect(result.text.contains(#""status":"Connected""#))
            #expect(FileManager.default.fileExists(atPath: demo.folder.file("data/frame.png")))
            #expect(demo.processes() == [])
        }
    }

    @Test("The demo names a port that is taken", arguments: ["HTTP_PORT", "RTMP_PORT", "PUSH_PORT", "PUSH_HTTP_PORT"])
    func aBusyPortIsNamed(name: String) async throws {
        let demo = try Demo()
        let port = try #require(demo.ports[name])
        let holder = try ForeignProgram(["python3", "-m", "http.server", "--bind", "127.0.0.1", "\(port)"])
        try await eventually("the port's holder") { (try? await HTTPGet("http://127.0.0.1:\(port)/")) != nil }
        let result = try await demo.check()
        #expect(result.status == 1)
        #expect(result.errors.hasPrefix("demo: port \(port) is in use"))
        #expect(!result.text.contains("The demo works."))
        #expect(!FileManager.default.fileExists(atPath: demo.folder.file("data")))
        holder.kill()
    }
}
