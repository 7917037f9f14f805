import Foundation
import Synchronization

/// What a program said and how it ended.
public struct ProgramResult: Sendable {
    /// The exit status, or the negative number of the signal that ended the program.
    public var status: Int32
    public var output: Data
    public var errors: String

    public var text: String {
        String(decoding: output, as: UTF8.self)
    }
}

public struct ProgramFailure: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
        self.description = description
    }
}

/// A real program that a test runs: ffmpeg, nginx, php, a browser.
///
/// The program leads a session of its own, with default signal handling, and is killed with everything it started when the
/// test lets go of it. Its output goes to files, so that no pipe can fill up. Foundation's `Process` is not used, because it
/// takes a program for running as long as anybody holds a descriptor that leaked into another program started at the same
/// moment.
public final class ForeignProgram: Sendable {
    private struct State {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    public let name: String
    public let processID: Int32
    private let folder: Folder
    private let state: Mutex<State>

    /// Starts the program at once.
    /// - Parameters:
    ///   - environment: added to this process's own; the only one if `isBare`.
    ///   - input: what the program reads from its standard input.
    ///   - descriptors: the program has them as 3, 4 and so on.
    public init(
        _ arguments: [String], environment: [String: String] = [:], isBare: Bool = false, directory: String? = nil,
        input: Data? = nil, descriptors: [Int32] = []
    ) throws {
        name = arguments.first ?? ""
        folder = try Folder()
        for file in ["output", "errors"] {
            _ = FileManager.default.createFile(atPath: folder.file(file), contents: nil)
        }
        if let input {
            _ = FileManager.default.createFile(atPath: folder.file("input"), contents: input)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input == nil ? "/dev/null" : folder.file("input"), O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, folder.file("output"), O_WRONLY | O_APPEND, 0)
        posix_spawn_file_actions_addopen(&actions, 2, folder.file("errors"), O_WRONLY | O_APPEND, 0)
        // Those that are given are far above, so that none is in the way of another.
        for (index, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A child of a task would inherit a mask that blocks signals. SIGPIPE stays blocked, as in a service.
        var all = sigset_t()
        sigfillset(&all)
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        let flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | 0x80  // POSIX_SPAWN_SETSID
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let variables = isBare ? environment : ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let place = directory.map { ["env", "--chdir=\($0)"] } ?? []
        var words: [UnsafeMutablePointer<CChar>?] = (place + arguments).map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for word in words + settings { free(word) }
        }
        var started: pid_t = 0
        let code = posix_spawnp(&started, (place + arguments).first ?? "", &actions, &attributes, &words, &settings)
        guard code == 0 else {
            throw ProgramFailure(description: "\(name) cannot be started: \(String(cString: strerror(code)))")
        }
        processID = started
        state = Mutex(State())
        // A thread of its own: tasks' threads are few and must not block.
        Thread.detachNewThread { [weak self, started] in
            var status: Int32 = 0
            while waitpid(started, &status, 0) < 0, errno == EINTR {}
            self?.ended(status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f))
        }
    }

    deinit {
        kill()
    }

    private func ended(_ status: Int32) {
        let waiting = state.withLock { state in
            state.status = status
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }

    public var isRunning: Bool {
        state.withLock { $0.status == nil }
    }

    /// Everything the program wrote so far.
    public var errors: String { folder.read("errors") }
    public var output: String { folder.read("output") }

    /// Sends a signal to the program and to everything it started.
    public func signal(_ number: Int32) {
        guard isRunning else { return }
        // The program leads its session's process group.
        Foundation.kill(-processID, number)
    }

    public func kill() {
        signal(SIGKILL)
    }

    /// Waits for the program's end; past `seconds` it is killed and the test fails.
    @discardableResult
    public func result(within seconds: Double = 60) async throws -> ProgramResult {
        let isOverdue = Atomic<Bool>(false)
        let deadline = Task {
            try await Task.sleep(for: .milliseconds(Int64(seconds * 1_000)))
            isOverdue.store(true, ordering: .relaxed)
            kill()
        }
        let status = await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let known { continuation.resume(returning: known) }
        }
        deadline.cancel()
        guard !isOverdue.load(ordering: .relaxed) else {
            throw ProgramFailure(description: "\(name) did not end within \(seconds) s: \(errors.suffix(2_000))")
        }
        let output = FileManager.default.contents(atPath: folder.file("output")) ?? Data()
        return ProgramResult(status: status, output: output, errors: errors)
    }

    /// Runs a program to its end, whatever its status.
    @discardableResult
    public static func run(
        _ arguments: [String], environment: [String: String] = [:], directory: String? = nil, input: Data? = nil,
        within seconds: Double = 60
    ) async throws -> ProgramResult {
        try await ForeignProgram(arguments, environment: environment, directory: directory, input: input)
            .result(within: seconds)
    }

    /// Runs a program to its end and gives what it wrote; a status other than 0 fails the test.
    @discardableResult
    public static func output(
        of arguments: [String], environment: [String: String] = [:], directory: String? = nil, input: Data? = nil,
        within seconds: Double = 60
    ) async throws -> ProgramResult {
        let result = try await run(
            arguments, environment: environment, directory: directory, input: input, within: seconds)
        guard result.status == 0 else {
            let said = result.errors.isEmpty ? result.text : result.errors
            throw ProgramFailure(description: "\(arguments): \(result.status) \(said.suffix(2_000))")
        }
        return result
    }
}
