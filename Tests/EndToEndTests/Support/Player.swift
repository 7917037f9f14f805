import Foundation
import TestSupport

/// Real RTMP players that write what they get to a file.
struct Player: Sendable {
    let kind: Kind
    let program: ForeignProgram
    let path: String

    enum Kind: String, CaseIterable {
        case ffmpeg, rtmpdump, gstreamer
    }

    /// - Parameter options: rtmpdump's own; `-v` for a live stream.
    init(_ kind: Kind, _ url: String, into folder: Folder, name: String = "", options: [String] = ["-v"]) throws {
        self.kind = kind
        path = folder.file("\(name)\(kind).flv")
        switch kind {
        case .ffmpeg:
            program = try ForeignProgram([
                "ffmpeg", "-hide_banner", "-loglevel", "verbose", "-copyts", "-i", url, "-map", "0:v?", "-map", "0:a?",
                "-c", "copy", "-f", "flv", path,
            ])
        case .rtmpdump:
            program = try ForeignProgram(["rtmpdump", "-r", url, "-o", path] + options)
        case .gstreamer:
            program = try ForeignProgram([
                "gst-launch-1.0", "rtmp2src", "location=\(url)", "!", "filesink", "location=\(path)",
            ])
        }
    }

    /// How much it has written.
    var size: Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }

    /// Waits until it has got more.
    func moves() async throws {
        let before = size
        try await eventually("more for \(program.name)") { self.size > before }
    }

    /// What it got, once the stream has ended and it with it.
    func packets() async throws -> StreamPackets {
        let result = try await program.result()
        guard result.status == 0 else { throw ProgramFailure(description: "\(program.name): \(result.errors)") }
        return try await StreamPackets(file: path)
    }
}
