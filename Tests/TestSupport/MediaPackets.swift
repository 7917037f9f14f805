import Foundation

/// A packet as ffprobe sees it in a file or playlist.
public struct ProbedPacket: Equatable, Sendable, CustomStringConvertible {
    public var isVideo: Bool
    public var isKeyframe: Bool
    /// In nanoseconds.
    public var decodeTime: Int64
    /// In nanoseconds.
    public var presentationTime: Int64

    public init(isVideo: Bool, isKeyframe: Bool, decodeTime: Int64, presentationTime: Int64) {
        self.isVideo = isVideo
        self.isKeyframe = isKeyframe
        self.decodeTime = decodeTime
        self.presentationTime = presentationTime
    }

    public var description: String {
        "\(isVideo ? "v" : "a")\(isKeyframe ? "K" : "_") dts \(decodeTime) pts \(presentationTime)"
    }

    /// The packets ffprobe finds in a file of the folder, in the file's order.
    public static func all(of file: String, in folder: Folder) async throws -> [ProbedPacket] {
        let shown = try await cleanOutput(
            of: [
                "ffprobe", "-v", "error", "-allowed_extensions", "ALL", "-show_entries",
                "packet=codec_type,pts_time,dts_time,flags:packet_side_data=", "-of", "compact=nk=1:p=0", file,
            ], in: folder)
        return try shown.split(separator: "\n").filter { $0.contains("|") }.map { line in
            let fields = line.split(separator: "|")
            guard fields.count >= 4, let presentation = Double(fields[1]), let decode = Double(fields[2]) else {
                throw ProgramFailure(description: "ffprobe said: \(line)")
            }
            return ProbedPacket(
                isVideo: fields[0] == "video", isKeyframe: fields[3].hasPrefix("K"),
                decodeTime: Int64((decode * 1e9).rounded()), presentationTime: Int64((presentation * 1e9).rounded()))
        }
    }
}

/// What a program writes that has nothing to complain of: words on its standard error fail the test like a status.
public func cleanOutput(of arguments: [String], in folder: Folder) async throws -> String {
    let result = try await ForeignProgram.output(of: arguments, directory: folder.path)
    guard result.errors.isEmpty else { throw ProgramFailure(description: "\(arguments): \(result.errors)") }
    return result.text
}
