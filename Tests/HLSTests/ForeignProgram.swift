import Foundation
import Media

/// Runs the ffmpeg programs as an independent reader of what was written.
enum ForeignProgram {
    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    /// A new folder under the system's temporary one, removed after `body`.
    static func withTemporaryDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("playhouse-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try body(directory)
    }

    /// Standard output; throws when the program complains on standard error or fails.
    static func run(_ program: String, _ arguments: [String], in directory: URL) throws -> String {
        let process = Process()
        let output = directory.appendingPathComponent("stdout-\(UUID().uuidString)")
        let complaints = directory.appendingPathComponent("stderr-\(UUID().uuidString)")
        for file in [output, complaints] {
            try Data().write(to: file)
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: complaints)
        try process.run()
        process.waitUntilExit()
        let complaint = try String(contentsOf: complaints, encoding: .utf8)
        guard process.terminationStatus == 0, complaint.isEmpty else {
            throw Failed(description: "\(program) \(arguments): \(process.terminationStatus) \(complaint)")
        }
        return try String(contentsOf: output, encoding: .utf8)
    }

    struct Packet: Equatable, CustomStringConvertible {
        var isVideo: Bool
        var isKeyframe: Bool
        /// In nanoseconds.
        var decodeTime: Int64
        var presentationTime: Int64

        var description: String {
            "\(isVideo ? "v" : "a")\(isKeyframe ? "K" : "_") dts \(decodeTime) pts \(presentationTime)"
        }
    }

    /// The packets ffprobe finds in a file, in its order.
    static func packets(of file: String, in directory: URL) throws -> [Packet] {
        let shown = try run(
            "ffprobe",
            [
                "-v", "error", "-allowed_extensions", "ALL", "-show_entries",
                "packet=codec_type,pts_time,dts_time,flags:packet_side_data=", "-of", "compact=nk=1:p=0", file,
            ], in: directory)
        return try shown.split(separator: "\n").filter { $0.contains("|") }.map { line in
            let fields = line.split(separator: "|")
            guard fields.count >= 4, let presentation = Double(fields[1]), let decode = Double(fields[2]) else {
                throw Failed(description: "ffprobe said: \(line)")
            }
            return Packet(
                isVideo: fields[0] == "video",
                isKeyframe: fields[3].hasPrefix("K"),
                decodeTime: Int64((decode * 1e9).rounded()),
                presentationTime: Int64((presentation * 1e9).rounded()))
        }
    }
}
