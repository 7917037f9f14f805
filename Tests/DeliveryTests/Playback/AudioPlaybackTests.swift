import Basics
import HLS
import HTTPTypes
import Live
import Media
import NIOCore
import RTMP
import TestSupport
import Testing

@testable import Delivery

/// Audio that is asked for alone, and audio tracks to choose among.
@Suite("Audio of its own") struct AudioPlaybackTests {
    private let folder = TestPlayer.folder

    private func uris(_ text: String) -> [String] {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    private func lines(_ tag: String, _ text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("#\(tag):") }.map(String.init)
    }

    /// The sample's audio once more, as another track of its own, from a time on.
    private func send(
        _ stage: TestStage, to publication: Publication, extra tracks: [UInt8], from: Int64 = 0, until: Int64
    ) async throws {
        for tag in try FLVFile.sample().tags where tag.isHeader || (from..<until).contains(tag.timestamp) {
            let sample = StreamSample(tag.type == .video ? .video : .audio, timestamp: tag.timestamp, body: tag.body)
            publication.send(sample)
            for number in tag.type == .audio ? tracks : [] {
                switch sample.content {
                case .configuration(let configuration?):
                    publication.send(
                        StreamSample(configuration, of: TrackID(.audio, number: number), time: sample.time))
                case .accessUnit(var unit):
                    unit.track = TrackID(.audio, number: number)
                    publication.send(StreamSample(unit))
                default: break
                }
            }
        }
        try await stage.settle()
    }

    @Test(
        "Audio alone has a master playlist that lists nothing else, with its own bit rate",
        arguments: ["only=audio", "wowzaaudioonly", "wowzaaudioonly=true", "key=k&only=audio"])
    func onlyAudio(query: String) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish(until: 3_500)
        let master = try await player.get("\(folder)/playlist.m3u8?\(query)")
        #expect(master.status == .ok)
        #expect(uris(master.text) == ["chunklist_audio.m3u8"])
        let told = try #require(lines("EXT-X-STREAM-INF", master.text).first)
        let match = try #require(
            told.wholeMatch(of: /#EXT-X-STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),CODECS="mp4a.40.2"/))
        let snapshot = try #require(player.test.outputs.output(at: TestStage.address)?.current?.snapshot)
        let bytes = snapshot.listed.map { segment in
            snapshot.file(.trackSegment(.audio, segment.sequence))?.bytes.readableBytes ?? 0
        }
        let seconds = snapshot.listed.reduce(0) { $0 + $1.duration.seconds }
        #expect(match.2 == "\(Int((Double(bytes.reduce(0, +)) * 8 / seconds).rounded(.up)))")
        #expect(Int(match.1).map { $0 >= Int(match.2) ?? .max } == true)

        let media = try await player.get("\(folder)/chunklist_audio.m3u8")
        let whole = try await player.get("\(folder)/chunklist.m3u8")
        #expect(uris(media.text) == uris(whole.text).map { $0.replacing("media_", with: "audio_") })
        for line in ["EXT-X-PART", "EXT-X-MAP", "EXT-X-PRELOAD-HINT", "EXTINF"] {
            #expect(lines(line, media.text).count == lines(line, whole.text).count && !lines(line, media.text).isEmpty)
        }
        for name in uris(media.text) {
            let file = try await player.get("\(folder)/\(name)")
            #expect(file.status == .ok && file.headers[.contentType] == "audio/mp4")
        }
        let plain = try await player.get("\(folder)/playlist.m3u8")
        #expect(uris(plain.text) == ["chunklist.m3u8"])
    }

    @Test("The next part of the audio is waited for, and is what the next part has of it")
    func heldPart() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.publish(until: 3_500)
        let media = try await player.get("\(folder)/chunklist_audio.m3u8").text
        let hint = try #require(lines("EXT-X-PRELOAD-HINT", media).first?.split(separator: "\"").dropFirst().first)
        async let reply = player.get("\(folder)/\(hint)")
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        try await eventually("the request waits") { output.held.count == 1 }
        try await player.test.send(FLVFile.sample(), to: publication, from: 3_500, until: 4_000)
        let part = try await reply
        #expect(part.status == .ok && part.headers[.contentType] == "audio/mp4")
        let whole = try await player.get("\(folder)/\(hint.replacing("part_audio_", with: "part_"))")
        #expect(whole.body.readableBytesView.suffix(part.body.readableBytes).elementsEqual(part.body.readableBytesView))
        #expect(part.body.readableBytes < whole.body.readableBytes)
    }

    @Test("What is not to be had is told")
    func refused() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.test.publish()
        for tag in try FLVFile.sample().tags where tag.type == .video && tag.timestamp < 3_500 {
            publication.send(StreamSample(.video, timestamp: tag.timestamp, body: tag.body))
        }
        try await player.test.settle()
        #expect(try await player.get("\(folder)/playlist.m3u8").status == .ok)
        #expect(try await player.get("\(folder)/playlist.m3u8?only=audio").status == .notFound)
        #expect(try await player.get("\(folder)/chunklist_audio.m3u8").status == .notFound)
        #expect(try await player.get("\(folder)/chunklist_audio_3.m3u8").status == .notFound)
        #expect(try await player.get("\(folder)/playlist.m3u8?only=video").status == .badRequest)
    }

    @Test("With hls.audio_only the master playlist lists it too, and each playlist reports of the other")
    func listed() async throws {
        let configuration = DeliveryConfiguration(segmenter: TestStage.segmenter, listsAudioAlone: true)
        let player = await TestPlayer(isProtected: false, configuration: configuration)
        _ = try await player.publish(until: 3_500)
        let master = try await player.get("\(folder)/playlist.m3u8").text
        #expect(uris(master) == ["chunklist.m3u8", "chunklist_audio.m3u8"])
        #expect(lines("EXT-X-STREAM-INF", master).last?.contains("RESOLUTION") == false)
        #expect(!master.contains("EXT-X-MEDIA"))
        for (name, other) in [
            ("chunklist.m3u8", "chunklist_audio.m3u8"), ("chunklist_audio.m3u8", "chunklist.m3u8"),
        ] {
            let reports = lines("EXT-X-RENDITION-REPORT", try await player.get("\(folder)/\(name)").text)
            #expect(reports.count == 1 && reports[0].hasPrefix("#EXT-X-RENDITION-REPORT:URI=\"\(other)\",LAST-MSN="))
        }
    }

    @Test("A session that is paid for the audio is good for all of the stream, and is charged once")
    func session() async throws {
        let player = await TestPlayer(isProtected: true)
        let publication = try await player.test.publish()
        try await send(player.test, to: publication, extra: [1], until: 3_500)
        let master = try await player.get("\(folder)/playlist.m3u8?key=k&pass=p").text
        let media = lines("EXT-X-MEDIA", master)
        #expect(media.count == 2)
        let addresses = media.compactMap { $0.firstMatch(of: /URI="([^"]*)"/).map { String($0.1) } } + uris(master)
        let session = try #require(addresses.first?.split(separator: "/").first)
        #expect(
            addresses
                == ["audio", "audio_1", "video"].map { "\(session)/chunklist_\($0).m3u8?key=k&pass=p" })
        for address in addresses { #expect(try await player.get("\(folder)/\(address)").status == .ok) }
        #expect(player.admission.now.charged == 1)
        let only = try await player.get("\(folder)/playlist.m3u8?only=audio&key=k&pass=p").text
        #expect(uris(only) == ["\(session)/chunklist_audio.m3u8?key=k&pass=p"])
        for name in ["audio_1_2.m4s", "audio_2.m4s", "video_2.m4s", "init_audio_1_1.mp4"] {
            #expect(try await player.get("\(folder)/\(session)/\(name)").status == .ok)
            #expect(try await player.get("\(folder)/\(name)").status == .forbidden)
        }
        let moved = try await player.get("\(folder)/chunklist_audio_1.m3u8?key=k&pass=p")
        #expect(moved.headers[.location] == "\(session)/chunklist_audio_1.m3u8?key=k&pass=p")
    }

    @Test("Several audio tracks are a group beside video without audio, named as the encoder names them")
    func group() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.test.publish()
        let map: AMFObject = [
            "1": .object(["language": "de", "name": "Kommentar"]), "2": .object(["language": "pt-BR"]),
            "x": .null, "3": .object(["language": "no such!"]),
        ]
        publication.send(StreamSample(metadata: ["audioTrackIdInfoMap": .object(map)], time: .zero))
        try await send(player.test, to: publication, extra: [1, 2, 3], until: 3_500)
        let master = try await player.get("\(folder)/playlist.m3u8").text
        let audio = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\""
        #expect(
            lines("EXT-X-MEDIA", master) == [
                "\(audio),NAME=\"Audio 1\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"chunklist_audio.m3u8\"",
                "\(audio),NAME=\"Kommentar\",LANGUAGE=\"de\",AUTOSELECT=YES,CHANNELS=\"1\",URI=\"chunklist_audio_1.m3u8\"",
                "\(audio),NAME=\"Português (Brasil)\",LANGUAGE=\"pt-BR\",AUTOSELECT=YES,CHANNELS=\"1\",URI=\"chunklist_audio_2.m3u8\"",
                "\(audio),NAME=\"Audio 4\",AUTOSELECT=YES,CHANNELS=\"1\",URI=\"chunklist_audio_3.m3u8\"",
            ])
        #expect(uris(master) == ["chunklist_video.m3u8"])
        let told = try #require(lines("EXT-X-STREAM-INF", master).first)
        #expect(told.contains("CODECS=\"avc1.4d400b,mp4a.40.2\"") && told.hasSuffix(",AUDIO=\"audio\""))
        let snapshot = try #require(player.test.outputs.output(at: TestStage.address)?.current?.snapshot)
        let rates = [TrackID.video, .audio].map { snapshot.rendition(uri: "", of: $0).peakBandwidth }
        #expect(told.contains("BANDWIDTH=\(rates[0] + rates[1]),"))
        // Each says where the others are.
        let names = ["video", "audio", "audio_1", "audio_2", "audio_3"].map { "chunklist_\($0).m3u8" }
        for name in names {
            let reports = lines("EXT-X-RENDITION-REPORT", try await player.get("\(folder)/\(name)").text)
            let told = reports.compactMap { $0.firstMatch(of: /URI="([^"]*)"/).map { String($0.1) } }
            #expect(told == names.filter { $0 != name })
        }
        // Old players get the default track, as before.
        let old = try await player.get("\(folder)/playlist.m3u8?format=ts").text
        #expect(uris(old) == ["chunklist_ts.m3u8"] && !old.contains("EXT-X-MEDIA"))
        #expect(uris(try await player.get("\(folder)/playlist.m3u8?only=audio").text) == ["chunklist_audio.m3u8"])
    }

    @Test("Streams named by language are the audio of a program, in the master playlist and in the MPD")
    func voices() async throws {
        let player = await TestPlayer(isProtected: true)
        let program = "/demo-origin/live/show"
        func address(_ name: String) -> StreamAddress {
            StreamAddress(app: "demo-origin", instance: "live", stream: name)
        }
        let video = try await player.test.publish(address("show_360p"))
        let voice = try await player.test.publish(address("show_audio_de"))
        for tag in try FLVFile.sample().tags where tag.isHeader || tag.timestamp < 3_500 {
            let kind: TrackID.Kind = tag.type == .video ? .video : .audio
            video.send(StreamSample(kind, timestamp: tag.timestamp, body: tag.body))
            if kind == .audio { voice.send(StreamSample(kind, timestamp: tag.timestamp, body: tag.body)) }
        }
        try await player.test.settle()
        let master = try await player.get("\(program)/playlist.m3u8?key=k&pass=p").text
        let session = try #require(uris(master).first?.split(separator: "/").first)
        let audio = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\""
        #expect(
            lines("EXT-X-MEDIA", master) == [
                "\(audio),NAME=\"Audio 1\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"\(session)/r_360p/chunklist_audio.m3u8?key=k&pass=p\"",
                "\(audio),NAME=\"Deutsch\",LANGUAGE=\"de\",AUTOSELECT=YES,CHANNELS=\"1\",URI=\"\(session)/r_audio_de/chunklist.m3u8?key=k&pass=p\"",
            ])
        #expect(uris(master) == ["\(session)/r_360p/chunklist_video.m3u8?key=k&pass=p"])
        var names: [[String]] = []
        for path in ["r_360p/chunklist_video.m3u8", "r_360p/chunklist_audio.m3u8", "r_audio_de/chunklist.m3u8"] {
            let reply = try await player.get("\(program)/\(session)/\(path)?key=k&pass=p")
            #expect(reply.status == .ok)
            names.append(uris(reply.text).map { $0.filter(\.isNumber) })
            #expect(lines("EXT-X-RENDITION-REPORT", reply.text).count == 2, "\(path)")
        }
        #expect(names[0] == names[1] && names[1].dropFirst(0).elementsEqual(names[2].prefix(names[1].count)))
        #expect(player.admission.now.charged == 1)

        let mpd = try await player.get("\(program)/\(session)/manifest.mpd?key=k&pass=p")
        #expect(mpd.status == .ok && player.admission.now.charged == 1)
        let sets = try #require(MPDFile(mpd.text)?.periods.first?.all("AdaptationSet"))
        #expect(sets.map { $0.attributes["contentType"] } == ["video", "audio", "audio"])
        #expect(sets.map { $0.attributes["lang"] } == [nil, nil, "de"])
        for set in sets {
            let template = try #require(set.first("Representation")?.first("SegmentTemplate"))
            let name = try #require(template.attributes["media"]).replacing(
                "$Number$", with: template.attributes["startNumber"] ?? "")
            #expect(try await player.get("\(program)/\(session)/\(name)").status == .ok, "\(name)")
        }
    }
}
