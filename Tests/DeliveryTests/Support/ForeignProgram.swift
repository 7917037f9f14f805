import Foundation
import NIOCore

/// Runs an installed program and collects what it writes.
///
/// Not by Foundation's `Process`, which takes a program for running as long as anybody holds a descriptor that leaked
/// into another program started at the same moment.
enum ForeignProgram {
    struct Result: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    struct NotStarted: Error {
        var code: Int32
    }

    static func run(_ name: String, _ arguments: [String], input: ByteBuffer? = nil) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files instead of pipes: nothing has to be drained while the program runs.
        let files = ["in", "out", "err"].map { folder.appending(path: $0) }
        for file in files { try Data().write(to: file) }
        if let input { try Data(input.readableBytesView).write(to: files[0]) }
        let paths = files.map(\.path)
        let status = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            // A thread of its own: tasks' threads are few and must not block.
            Thread.detachNewThread {
                continuation.resume(
                    with: Swift.Result { try start(["timeout", "60", name] + arguments, files: paths) })
            }
        }
        return Result(
            status: status,
            output: String(decoding: try Data(contentsOf: files[1]), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
    }

    /// - Returns: the exit status, or the negative number of the signal that ended it.
    private static func start(_ words: [String], files: [String]) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, files[0], O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, files[1], O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, files[2], O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let code = posix_spawnp(&process, words[0], &actions, nil, arguments, environ)
        guard code == 0 else { throw NotStarted(code: code) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw NotStarted(code: errno) }
        }
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}
