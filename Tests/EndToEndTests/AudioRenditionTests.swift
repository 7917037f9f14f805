import Foundation
import Media
import NIOCore
import RTMP
import StrictHLSClient
import TestSupport
import Testing

/// Audio alone, audio tracks to choose among, and programs whose languages are streams of their own.
@Suite(.serialized) struct AudioRenditionTests {
    private func packets(_ path: String) async throws -> [String] {
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of",
            "csv=p=0", path,
        ])
        return probe.text.split(separator: "\n").map(String.init)
    }

    @Test("Renditions with video and one of another language play as one, in HLS and DASH, and the audio alone")
    func program() async throws {
        // libavformat's player of MPDs goes back to the segment before wherever one of its seconds has two.
        let origin = try await OriginProcess(["hls.segment_duration: 2s", "hls.window: 30"])
        let account = try await origin.account()
        let names = ["show_360p", "show_720p", "show_audio_de"]
        for name in names { try await account.openStream(name) }
        let folder = try Folder()
        let source = folder.file("source.flv")
        let made = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine",
            "-t", "14", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-keyint_min", "25",
            "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", source,
        ])
        #expect(made.status == 0, "\(made.errors)")
        let encoder = try ForeignProgram([
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", source,
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_360p"),
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_720p"),
            "-map", "0:a", "-c", "copy", "-f", "flv", origin.rtmp("show_audio_de"),
        ])
        for name in names { try await origin.untilPublished(name) }
        let master = origin.playlist("show")
        try await eventually("all in the master playlist") {
            let text = try await HTTPGet(master).text
            return text.contains("\nr_360p/chunklist_video.m3u8\n") && text.contains("\nr_720p/chunklist_video.m3u8\n")
                && text.contains("NAME=\"Deutsch\",LANGUAGE=\"de\",AUTOSELECT=YES,CHANNELS=\"1\",URI=\"r_audio_de/")
        }
        func player(_ address: String, _ arguments: [String], _ file: String) throws -> ForeignProgram {
            try ForeignProgram(
                ["ffmpeg", "-v", "error", "-nostdin"] + arguments + [
                    "-i", address, "-map", "0", "-c", "copy", folder.file(file),
                ])
        }
        let fromStart = ["-live_start_index", "0"]
        let all = try player(master, fromStart, "all.mp4")
        let audio = try player(origin.playlist("show", query: "?only=audio"), fromStart, "audio.mp4")
        let dash = try ForeignProgram([
            "ffmpeg", "-v", "error", "-nostdin", "-i", origin.manifest("show"), "-map", "0", "-c", "copy",
            "-frames:v", "50", folder.file("dash.mkv"),
        ])
        let folders = master.replacing("playlist.m3u8", with: "")
        // Only what never comes is late here.
        let strict = try await StrictClient(
            playlist: folders + "r_720p/chunklist_video.m3u8", others: ["chunklist_audio.m3u8"]
        ).follow(tolerance: .seconds(10))
        #expect(strict.checker.violations == [])
        #expect(strict.parts > 40)
        for name in ["chunklist_video.m3u8", "chunklist_audio.m3u8"] {
            #expect(strict.checker.playlist(name)?.isEnded == true, "\(name)")
        }
        #expect(try await encoder.result().status == 0)
        let voice = folders + "r_audio_de/chunklist.m3u8"
        try await eventually("the end") { MediaPlaylistText(try await HTTPGet(voice).text).isEnded }
        let lists = [
            MediaPlaylistText(try await HTTPGet(voice).text),
            MediaPlaylistText(try await HTTPGet(folders + "r_720p/chunklist_audio.m3u8").text),
        ]
        #expect(lists[0].mediaSequence == lists[1].mediaSequence && lists[0].nextSequence == lists[1].nextSequence)
        #expect(lists[0].targetDuration == lists[1].targetDuration)
        for (one, other) in zip(lists[0].segments, lists[1].segments) {
            #expect(abs(one.duration - other.duration) < 0.1)
        }

        for player in [all, audio, dash] {
            let result = try await player.result()
            #expect(result.status == 0, "\(result.errors)")
        }
        let sent = try await packets(source)
        #expect(try await packets(folder.file("all.mp4")).sorted() == (sent + sent).sorted())
        // The variant, and both of its group.
        let sound = sent.filter { $0.hasPrefix("aac") }
        #expect(try await packets(folder.file("audio.mp4")) == sound + sound + sound)
        // It ends as soon as one of both has 50.
        let played = try await packets(folder.file("dash.mkv")).map { $0.split(separator: ",") }
        #expect(played.map { $0[0] }.sorted() == ["aac", "aac", "h264", "h264"])
        #expect(played.allSatisfy { Int($0[1]) ?? 0 >= 40 }, "\(played)")
    }

    /// A stream of two audio tracks in enhanced RTMP, all of it at once: the source's own, and that of another file.
    private func publishTwoTracks(_ source: SourceMedia, _ other: SourceMedia, to origin: OriginProcess) async throws
        -> RTMPPeer
    {
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show", isEnhanced: true)
        let metadata = RTMPDataMessage(
            streamID: 0, name: "onMetaData",
            values: [.object(["audioTrackIdInfoMap": .object(["1": .object(["language": "fr"])])])])
        try await publisher.send(.dataAMF0, timestamp: 0, body: metadata.body)
        var messages: [(type: RTMPMessageType, place: Int64, time: Int64, body: ByteBuffer)] = []
        for tag in try FLVFile(path: source.path).tags {
            messages.append((tag.type, tag.isHeader ? -1 : tag.timestamp, tag.timestamp, tag.body))
        }
        for tag in try FLVFile(path: other.path).tags where tag.type == .audio {
            let content = try AudioTag.parse(tag.body).content
            let body: ByteBuffer? =
                switch content {
                case .sequenceHeader(let record): TagBuilder.sequenceHeader(.aac, record: record, track: 1)
                case .codedFrames(let payload):
                    TagBuilder.codedFrames(
                        AccessUnit(
                            track: TrackID(.audio, number: 1), codec: .audio(.aac), decodeTime: .zero,
                            isKeyframe: true, payload: payload))
                default: nil
                }
            if let body { messages.append((.audio, tag.isHeader ? -1 : tag.timestamp, tag.timestamp, body)) }
        }
        // Headers before frames, in the order of their files.
        let ordered = messages.enumerated().sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }
        for (_, message) in ordered {
            try await publisher.send(message.type, timestamp: UInt32(message.time), body: message.body)
        }
        return publisher
    }

    @Test("An encoder's second audio track is chosen in ffmpeg and in Chromium")
    func secondTrack() async throws {
        let (source, other) = (try await SourceMedia.h264AAC(), try await SourceMedia.audioOnly())
        let origin = try await OriginProcess(["hls.segment_duration: 1s", "hls.window: 30"])
        try await origin.account().openStream("show")
        let publisher = try await publishTwoTracks(source, other, to: origin)
        let master = origin.playlist("show")
        try await eventually("two tracks") { try await HTTPGet(master).text.contains("chunklist_audio_1.m3u8") }
        try await publisher.stop()
        try await eventually("the end") {
            MediaPlaylistText(try await HTTPGet(origin.chunklist("show")).text).isEnded
        }
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-show_entries", "stream=codec_type:stream_tags=language,comment", "-of",
            "csv=p=0",
            master,
        ])
        // Both by themselves and as part of the program that the variant is.
        #expect(
            Set(probe.text.split(separator: "\n").filter { $0.contains(",") }) == [
                "audio,Audio 1", "audio,fr,Français",
            ],
            "\(probe.text)")
        let folder = try Folder()
        for (index, file) in [source, other].enumerated() {
            let path = folder.file("\(index).mp4")
            let copy = try await ForeignProgram.run([
                "ffmpeg", "-v", "error", "-nostdin", "-live_start_index", "0", "-copyts", "-i", master, "-map",
                "0:a:\(index)", "-c", "copy", path,
            ])
            #expect(copy.status == 0, "\(copy.errors)")
            let sent = try await StreamPackets.slices(of: file.path, video: nil, audio: StreamPackets.Filter.none)
            let played = try await StreamPackets.slices(of: path, video: nil, audio: StreamPackets.Filter.none)
            #expect(played.all.map(\.hash) == sent.all.map(\.hash), "track \(index)")
        }

        guard Browser.isInstalled, FileManager.default.fileExists(atPath: Places.player) else { return }
        let encoded = master.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let browser = try await Browser(
            page: "player.html", files: ["hls.js": Places.player], query: "stream=\(encoded)&audio=1")
        defer { browser.stop() }
        do {
            try await eventually("the other track's segments", within: .seconds(60)) {
                browser.reports.contains { $0["audio"] == "1" }
                    && browser.reports.contains { $0["buffered"]?.hasPrefix("audio_1_") == true }
            }
            let switched = browser.reports.last { $0["time"] != nil }?["time"].flatMap(Double.init) ?? 0
            try await eventually("the video to go on", within: .seconds(60)) {
                browser.reports.contains { ($0["time"].flatMap(Double.init) ?? 0) > switched }
            }
        } catch {
            throw ProgramFailure(description: "\(error); \(browser.state)")
        }
        #expect(browser.reports.contains { $0["buffered"] == "audio_0.m4s" || $0["buffered"] == "audio_1.m4s" })
        #expect(!browser.reports.contains { $0["fatal"] == "true" })
        #expect(browser.reports.last { $0["width"] != nil }?["width"] != "0")
    }
}
