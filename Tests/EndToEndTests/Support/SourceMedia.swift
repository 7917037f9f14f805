import Foundation
import TestSupport

/// Short files of real video and sound, made by ffmpeg once per run and shared by the tests.
///
/// The picture moves (`testsrc2`), comes with a keyframe a second and two B-frames between the others, so that decode and
/// presentation times differ.
struct SourceMedia: Sendable {
    let path: String

    /// Eight seconds of H.264 with B-frames, and AAC.
    static func h264AAC() async throws -> SourceMedia { try await h264AACFile.value }
    /// Five seconds each of one kind alone, and of pictures with MP3.
    static func audioOnly() async throws -> SourceMedia { try await audioFile.value }
    static func videoOnly() async throws -> SourceMedia { try await videoFile.value }
    static func h264MP3() async throws -> SourceMedia { try await mp3File.value }
    /// Five seconds in MP4, whose samples are what enhanced RTMP carries.
    static func hevcMP4() async throws -> SourceMedia { try await hevcFile.value }
    static func vp9MP4() async throws -> SourceMedia { try await vp9File.value }
    static func av1MP4() async throws -> SourceMedia { try await av1File.value }
    static func videoOnlyMP4() async throws -> SourceMedia { try await videoMP4File.value }
    /// Pictures with sound of a codec that only enhanced RTMP carries.
    static func h264AC3MP4() async throws -> SourceMedia { try await ac3File.value }
    static func h264EAC3MP4() async throws -> SourceMedia { try await eac3File.value }
    static func h264FLACMP4() async throws -> SourceMedia { try await flacFile.value }

    /// Eight seconds at the rates of film and television, and of a smaller picture; two keyframes in 22 seconds.
    static func film() async throws -> SourceMedia { try await filmFile.value }
    static func television() async throws -> SourceMedia { try await televisionFile.value }
    static func sports() async throws -> SourceMedia { try await sportsFile.value }
    static func small() async throws -> SourceMedia { try await smallFile.value }
    static func longGOPs() async throws -> SourceMedia { try await longGOPsFile.value }

    private static let filmFile = making(
        "film.flv", seconds: 8, rate: "24000/1001", picture: h264(keyframes: 24), sound: aac + ["-af", "atrim=end=7.9"])
    private static let televisionFile = making(
        "television.flv", seconds: 8, rate: "30000/1001", picture: h264(keyframes: 30), sound: aac)
    private static let sportsFile = making(
        "sports.flv", seconds: 8, rate: "60000/1001", picture: h264(keyframes: 60), sound: aac)
    private static let smallFile = making("small.flv", seconds: 5, size: "160x90", picture: h264, sound: aac)
    private static let longGOPsFile = making(
        "long.flv", seconds: 22, size: "160x90", picture: h264(keyframes: 250), sound: aac)
    private static let h264AACFile = making("h264-aac.flv", seconds: 8, picture: h264, sound: aac)
    private static let audioFile = making("audio.flv", seconds: 5, picture: [], sound: aac)
    private static let videoFile = making("video.flv", seconds: 5, picture: h264, sound: [])
    private static let mp3File = making(
        "mp3.flv", seconds: 5, picture: h264, sound: ["-c:a", "libmp3lame", "-b:a", "64k"])
    private static let hevcFile = making(
        "hevc.mp4", seconds: 5,
        picture: ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=25:bframes=2"],
        sound: [])
    private static let vp9File = making(
        "vp9.mp4", seconds: 5, picture: ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25"],
        sound: [])
    private static let av1File = making(
        "av1.mp4", seconds: 5, picture: ["-c:v", "libsvtav1", "-preset", "12", "-g", "25", "-svtav1-params", "rc=0"],
        sound: [])

    private static let videoMP4File = making("video.mp4", seconds: 5, picture: h264, sound: [])
    private static let ac3File = making(
        "ac3.mp4", seconds: 5, picture: h264, sound: ["-c:a", "ac3", "-b:a", "96k", "-ac", "2"])
    private static let eac3File = making(
        "eac3.mp4", seconds: 5, picture: h264, sound: ["-c:a", "eac3", "-b:a", "192k", "-ac", "6"])
    private static let flacFile = making(
        "flac.mp4", seconds: 5, picture: h264,
        sound: ["-c:a", "flac", "-ac", "2", "-sample_fmt", "s16", "-strict", "-2"])

    private static let h264 = h264(keyframes: 25)
    private static func h264(keyframes: Int) -> [String] {
        [
            "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-b_strategy", "0", "-g", "\(keyframes)",
            "-keyint_min", "\(keyframes)", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-b:v", "200k",
        ]
    }
    private static let aac = ["-c:a", "aac", "-b:a", "64k"]

    /// Lives as long as the process; removed when that ends.
    private static let folder: Folder? = {
        let folder = try? Folder()
        atexit { SourceMedia.removeFolder() }
        return folder
    }()

    private static func removeFolder() {
        if let folder { try? FileManager.default.removeItem(atPath: folder.path) }
    }

    private static func making(
        _ name: String, seconds: Int, rate: String = "25", size: String = "320x180", picture: [String], sound: [String]
    ) -> Task<SourceMedia, any Error> {
        Task {
            guard let folder else { throw ProgramFailure(description: "no folder for \(name)") }
            let path = folder.file(name)
            var arguments = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"]
            if !picture.isEmpty { arguments += ["-f", "lavfi", "-i", "testsrc2=size=\(size):rate=\(rate)"] }
            if !sound.isEmpty { arguments += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"] }
            let made = try await ForeignProgram.run(arguments + ["-t", "\(seconds)"] + picture + sound + [path])
            guard made.status == 0 else { throw ProgramFailure(description: "\(name): \(made.errors)") }
            return SourceMedia(path: path)
        }
    }
}
