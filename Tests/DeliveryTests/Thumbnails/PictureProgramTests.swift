import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Delivery

/// What the program that makes pictures may do, told by programs that are none.
@Suite struct PictureProgramTests {
    private let folder = try? Folder()

    /// Runs a shell script in the program's place.
    /// - Returns: what became of it, as a sentence; nil: a picture.
    private func run(
        _ script: String, input: [ByteBuffer] = [ByteBuffer(string: "input")], processorSeconds: Int = 3,
        seconds: Double = 60
    ) throws -> String? {
        let folder = try #require(folder)
        let path = try folder.write("#!/bin/sh\n\(script)\n", to: "program")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        let program = PictureProgram(
            name: path, width: 640, processorSeconds: processorSeconds, seconds: seconds)
        do throws(PictureProgram.Failure) {
            _ = try program.picture(with: path, of: input)
            return nil
        } catch {
            return error.sentence
        }
    }

    @Test("It has limits of processor time, memory, written files and dumps, and a low priority")
    func limits() throws {
        let said = try run(#"echo "$(ulimit -t) $(ulimit -v) $(ulimit -f) $(ulimit -c) $(nice)" >&2"#)
        let words = try #require(said).split(separator: " ").map(String.init)
        #expect(words.prefix(4) == ["3", "1048576", "0", "0"])
        #expect(try #require(words.last.flatMap(Int.init)) >= 17)
    }

    @Test("It inherits neither variables nor open files")
    func nothingInherited() throws {
        let end = open("/dev/null", O_RDONLY)
        defer { close(end) }
        #expect(end > 2)
        #expect(try run(#"echo "$(ls /proc/$$/fd | tr '\n' ' ')" >&2"#)?.hasPrefix("0 1 10 2") == true)
        setenv("PLAYHOUSE_TEST_SECRET", "x", 1)
        defer { unsetenv("PLAYHOUSE_TEST_SECRET") }
        #expect(try run(#"echo "secret: $PLAYHOUSE_TEST_SECRET." >&2"#) == "secret: .")
    }

    @Test("One that computes for ever ends with its processor time")
    func processorTime() throws {
        #expect(try run("while :; do :; done", processorSeconds: 1) == "no picture came")
    }

    @Test("One that waits for ever is killed with all it has started")
    func killed() async throws {
        #expect(try run("sleep 1000 & : > \"$0.$!\"; sleep 1000", seconds: 1) == "it took longer than 1.0 s")
        let names = try FileManager.default.contentsOfDirectory(atPath: #require(folder).path)
        let process = try #require(
            names.compactMap { $0.split(separator: ".").dropFirst().first.flatMap { pid_t($0) } }.first)
        // It is nobody's child here, so it may still be waiting for its end to be taken note of.
        try await eventually("the end of what it has started") {
            let state = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            return state.isEmpty || state.contains(") Z ")
        }
    }

    @Test("One that writes without an end is stopped, and one that writes no picture has made none")
    func output() throws {
        #expect(try run("exec yes") == "the picture is too large")
        #expect(try run("echo text") == "no picture came")
        #expect(try run("echo 'what is wrong' >&2; exit 1") == "what is wrong")
        #expect(try run(#"printf '\377\330 \377\331'"#) == nil)
    }

    @Test("One that does not read all of its input is not waited for, and one that reads gets all of it")
    func input() throws {
        let piece = ByteBuffer(repeating: 7, count: 3 << 20)
        #expect(try run("exit 1", input: [piece, piece]) == "no picture came")
        #expect(try run("wc -c >&2", input: [piece, ByteBuffer(), piece]) == "\(6 << 20)")
    }
}
