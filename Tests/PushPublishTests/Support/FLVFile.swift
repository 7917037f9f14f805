import TestSupport

extension FLVFile {
    /// Four seconds of moving picture and tone, with B-frames, in one GOP.
    static func make(in folder: Folder) async throws -> FLVFile {
        let path = folder.file("source.flv")
        try await ForeignProgram.output(of: [
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4", "-f", "lavfi",
            "-i", "sine=frequency=440:duration=4", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "500",
            "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", path,
        ])
        return try FLVFile(path: path)
    }
}
