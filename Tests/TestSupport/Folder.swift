import Foundation

/// A folder of its own for each test, removed when the test is done with it.
public final class Folder: Sendable {
    public let path: String

    public init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("playhouse-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    public var url: URL { URL(fileURLWithPath: path, isDirectory: true) }

    public func file(_ name: String) -> String {
        path + "/" + name
    }

    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }

    public func read(_ name: String) -> String {
        (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? ""
    }
}

/// Where the repository and what was built from it are.
public enum Places {
    public static let repository: String = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The program under test, beside the test bundle.
    public static let playhouse: String = {
        let built = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent().path
        let beside = built + "/playhouse"
        return FileManager.default.isExecutableFile(atPath: beside) ? beside : repository + "/.build/debug/playhouse"
    }()

    /// hls.js, as `scripts/fetch-player` gets it.
    public static let player = repository + "/.build/player/hls.js"

    /// Python packages that read playlists and MP4 files, as `scripts/fetch-readers` gets them.
    public static let readers = repository + "/.build/readers"
}
