import TestSupport

/// Real encoders that send a file to an RTMP address, as fast as it plays.
enum Encoder {
    /// ffmpeg, without encoding anything anew.
    static func ffmpeg(_ file: SourceMedia, to url: String, before: [String] = [], seconds: Double? = nil) throws
        -> ForeignProgram
    {
        var arguments = ["ffmpeg", "-hide_banner", "-loglevel", "verbose", "-re"] + before + ["-i", file.path]
        if let seconds { arguments += ["-t", "\(seconds)"] }
        return try ForeignProgram(arguments + ["-c", "copy", "-f", "flv", url])
    }

    /// For as long as the test lets it: the file again and again, with times that go on.
    static func endless(_ file: SourceMedia, to url: String) throws -> ForeignProgram {
        try ffmpeg(file, to: url, before: ["-stream_loop", "-1"])
    }

    /// GStreamer's own RTMP (`rtmp2sink`), or librtmp in GStreamer (`rtmpsink`).
    static func gstreamer(_ file: SourceMedia, sink: [String]) throws -> ForeignProgram {
        let parts = [
            "gst-launch-1.0 filesrc location=\(file.path) ! flvdemux name=d",
            "d.video ! queue ! h264parse ! mux.", "d.audio ! queue ! aacparse ! mux.",
            "flvmux name=mux streamable=true !",
        ]
        return try ForeignProgram(parts.flatMap { $0.split(separator: " ").map(String.init) } + sink)
    }
}

extension Encoder {
    /// Four times as fast as it plays, again and again.
    static func endlessAndFast(_ file: SourceMedia, to url: String) throws -> ForeignProgram {
        try ForeignProgram([
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-readrate", "4", "-stream_loop", "-1", "-i", file.path,
            "-c", "copy", "-f", "flv", url,
        ])
    }
}
