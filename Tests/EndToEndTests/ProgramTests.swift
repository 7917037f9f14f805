import Foundation
import TestSupport
import Testing

/// Renditions of one program, from one encoder.
@Suite(.serialized) struct ProgramTests {
    @Test("Two renditions that ffmpeg publishes side by side play as one adaptive set with aligned segments")
    func adaptiveSet() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        for name in ["show_360p", "show_720p"] { try await account.openStream(name) }
        let encoder = try ForeignProgram([
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", source.path,
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_360p"),
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_720p"),
        ])
        try await origin.untilPublished("show_360p")
        try await origin.untilPublished("show_720p")
        try await eventually("both renditions in the master playlist") {
            let master = try await HTTPGet(origin.playlist("show.smil"))
            return master.text.contains("\nr_360p/chunklist.m3u8\n")
                && master.text.contains("\nr_720p/chunklist.m3u8\n")
        }
        // A player that takes both at once, from the start to the end.
        let folder = try Folder()
        let player = try ForeignProgram([
            "ffmpeg", "-v", "error", "-live_start_index", "0", "-i", origin.playlist("show"), "-map", "0", "-c", "copy",
            folder.file("both.mp4"),
        ])
        #expect(try await encoder.result().status == 0)
        var lists: [MediaPlaylistText] = []
        for name in ["r_360p", "r_720p"] {
            let address = origin.playlist("show").replacing("playlist.m3u8", with: "\(name)/chunklist.m3u8")
            try await eventually("the end of \(name)") {
                MediaPlaylistText(try await HTTPGet(address).text).isEnded
            }
            lists.append(MediaPlaylistText(try await HTTPGet(address).text))
        }
        #expect(lists[0].segments.count >= 4)
        #expect(lists[0].segments.map(\.name) == lists[1].segments.map(\.name))
        #expect(lists[0].segments.map(\.duration) == lists[1].segments.map(\.duration))
        #expect(lists[0].mediaSequence == lists[1].mediaSequence)
        #expect(lists[0].targetDuration == lists[1].targetDuration)

        let result = try await player.result()
        #expect(result.status == 0, "\(result.errors)")
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of",
            "csv=p=0",
            folder.file("both.mp4"),
        ])
        let sent = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of",
            "csv=p=0",
            source.path,
        ])
        let counts = sent.text.split(separator: "\n").sorted()
        #expect(probe.text.split(separator: "\n").sorted() == (counts + counts).sorted())
    }
}
