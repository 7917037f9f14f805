import Foundation
import Synchronization

/// What a program said and how it ended.
struct ProgramResult: Sendable {
    var status: Int32
    var output: Data
    var errors: String

    var text: String {
        String(decoding: output, as: UTF8.self)
    }
}

struct ProgramFailure: Error, CustomStringConvertible {
    let description: String
}

/// A real program that a test runs beside the origin: ffmpeg, nginx, php, a browser.
///
/// It goes through `/usr/bin/env` in a session of its own with default signal handling, is killed with everything it started
/// when the test lets go of it, and its output goes to files, so that no pipe can fill up.
final class ForeignProgram: Sendable {
    let name: String
    private let folder: Folder
    private let process: Mutex<Process>
    private let identifier: Int32

    /// Starts it at once.
    init(_ arguments: [String], environment: [String: String] = [:], directory: String? = nil, input: String? = nil)
        throws
    {
        name = arguments.first ?? ""
        folder = try Folder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A child of a task inherits a mask that blocks signals; setsid and a clean mask make it killable as a group.
        process.arguments = ["--default-signal", "--block-signal=PIPE", "setsid", "--wait"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        for file in ["output", "errors"] {
            _ = FileManager.default.createFile(atPath: folder.file(file), contents: nil)
        }
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("output"))
        process.standardError = FileHandle(forWritingAtPath: folder.file("errors"))
        if let input {
            process.standardInput = FileHandle(forReadingAtPath: try folder.write(input, to: "input"))
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        identifier = process.processIdentifier
        self.process = Mutex(process)
    }

    deinit {
        kill()
    }

    var isRunning: Bool {
        process.withLock { $0.isRunning }
    }

    /// Everything it wrote so far.
    var errors: String { folder.read("errors") }
    var output: String { folder.read("output") }

    /// Sends a signal to it and to everything it started.
    func signal(_ number: Int32) {
        guard isRunning else { return }
        // The child of setsid leads a group; find it among our child's children.
        for child in ForeignProgram.children(of: identifier) {
            Foundation.kill(-child, number)
            Foundation.kill(child, number)
        }
    }

    func kill() {
        signal(SIGKILL)
        // setsid ends with what it waited for; this is for the moment before it has forked.
        process.withLock { process in
            if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        }
    }

    /// Waits for its end; past `seconds` it is killed and the test fails.
    @discardableResult
    func result(within seconds: Double = 60) async throws -> ProgramResult {
        do {
            try await eventually("the end of \(name)", within: seconds) { !self.isRunning }
        } catch {
            kill()
            throw ProgramFailure(description: "\(name) did not end within \(seconds) s: \(errors.suffix(2_000))")
        }
        let output = FileManager.default.contents(atPath: folder.file("output")) ?? Data()
        return ProgramResult(
            status: process.withLock { $0.terminationStatus }, output: output, errors: errors)
    }

    /// Runs a program to its end.
    @discardableResult
    static func run(
        _ arguments: [String], environment: [String: String] = [:], directory: String? = nil, input: String? = nil,
        within seconds: Double = 60
    ) async throws -> ProgramResult {
        try await ForeignProgram(arguments, environment: environment, directory: directory, input: input)
            .result(within: seconds)
    }

    private static func children(of parent: Int32) -> [Int32] {
        let text = (try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)) ?? ""
        let direct = text.split(separator: " ").compactMap { Int32($0) }
        // setsid without a fork is our child itself.
        return direct.isEmpty ? [parent] : direct
    }
}

/// Waits until something holds, looking again every 20 ms; the test fails when it does not within `seconds`. For things that
/// happen in other processes and cannot be waited for otherwise; the limit is generous and never what is measured.
func eventually(_ what: String, within seconds: Double = 30, _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1_000))
    while try await !holds() {
        guard ContinuousClock.now < deadline else {
            throw ProgramFailure(description: "\(what) did not come within \(seconds) s")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
