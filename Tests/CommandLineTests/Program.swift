import Foundation
import TestSupport
import Testing

/// Runs the built `playhouse` as a shell would, in a folder of its own.
struct Program {
    struct Outcome: Equatable {
        var code: Int32
        var output: String
        var errors: String
    }

    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func remove() {
        try? FileManager.default.removeItem(at: folder)
    }

    /// `.build/debug/playhouse`: products stand beside the test bundle.
    static var executable: URL {
        let tests = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        let beside = tests.deletingLastPathComponent().appendingPathComponent("playhouse")
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appendingPathComponent(".build/debug/playhouse")
    }

    @discardableResult
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
        try await run(arguments, environment: environment)
    }

    @discardableResult
    func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
        // Nothing of the machine's own settings.
        let settings = ["PATH": "/usr/bin:/bin", "HOME": folder.path].merging(environment) { $1 }
        let result = try await ForeignProgram(
            [Self.executable.path] + arguments, environment: settings, isBare: true, directory: folder.path
        ).result()
        return Outcome(code: result.status, output: result.text, errors: result.errors)
    }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws {
        let path = folder.appendingPathComponent(name).path
        #expect(
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode]))
        // The process's umask has narrowed it.
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}
