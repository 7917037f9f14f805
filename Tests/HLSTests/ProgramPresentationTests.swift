import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

/// The MPD of several renditions.
@Suite("MPDs of programs") struct ProgramPresentationTests {
    /// Renditions of a program that have been given these access units, each with what is being written.
    private func snapshots(_ streams: [[AccessUnit]]) throws -> [PlaylistSnapshot] {
        let plan = ProgramPlan(numbers: SequenceNumbers(first: 0))
        for _ in streams { _ = plan.join() }
        plan.reserved(first: 0)
        return try streams.map { units in
            var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 30), plan: plan)
            let hasVideo = units.contains { $0.codec.isVideo }
            let tracks = try SyntheticStream.tracks()
            try stream.setTracks(hasVideo ? tracks : TrackSet(audio: tracks.audio))
            for unit in units { _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) }
            return try #require(stream.snapshot)
        }
    }

    private func mpd(_ members: [PresentationMember]) throws -> MPDFile {
        let text = String(buffer: PlaylistSnapshot.presentation(members))
        let mpd = try #require(MPDFile(text), "\(text)")
        #expect(mpd.problems == [], "\(text)")
        return mpd
    }

    @Test("Renditions are representations of one set, with the same numbers and times, and audio is listed once")
    func oneSet() throws {
        let units = SyntheticStream.both(0..<8_500)
        // The other one's encoder rounds up.
        let other = units.map { unit in
            var unit = unit
            unit.decodeTime += MediaTime(milliseconds: 2)
            return unit
        }
        let snapshots = try snapshots([units, other])
        let mpd = try mpd([
            PresentationMember(folder: "r_720p", snapshot: snapshots[0]),
            PresentationMember(folder: "r_360p", snapshot: snapshots[1]),
        ])
        let sets = try #require(mpd.periods.first).all("AdaptationSet")
        #expect(sets.map { $0.attributes["contentType"] } == ["video", "audio"])
        #expect(sets.allSatisfy { $0.attributes["segmentAlignment"] == "true" && $0.attributes["startWithSAP"] == "1" })
        let representations = sets.map { $0.all("Representation").map { $0.attributes["id"] ?? "" } }
        #expect(representations == [["video-720p", "video-360p"], ["audio-720p"]])
        let templates = sets.flatMap { $0.all("Representation") }.compactMap { $0.first("SegmentTemplate") }
        #expect(
            templates.map { $0.attributes["media"] } == [
                "r_720p/video_$Number$.m4s", "r_360p/video_$Number$.m4s", "r_720p/audio_$Number$.m4s",
            ])
        #expect(
            templates.map { $0.attributes["initialization"] } == [
                "r_720p/init_video_0.mp4", "r_360p/init_video_0.mp4", "r_720p/init_audio_0.mp4",
            ])
        #expect(templates.map { $0.attributes["startNumber"] } == ["0", "0", "0"])
        // All times are of one clock, the first rendition's.
        #expect(templates.map { $0.attributes["presentationTimeOffset"] } == ["0", "0", "0"])
        let first = templates.map { $0.first("SegmentTimeline")?.first("S")?.attributes["t"] }
        #expect(first == ["0", "180", "0"])
        #expect(templates.allSatisfy { $0.attributes["availabilityTimeComplete"] == "false" })
    }

    @Test("A rendition that has finished its segment a moment later is listed all the while")
    func behind() throws {
        let snapshots = try snapshots([SyntheticStream.both(0..<6_100), SyntheticStream.both(0..<5_900)])
        let mpd = try mpd(
            zip([nil, "r_360p"], snapshots).map { PresentationMember(folder: $0, snapshot: $1) })
        let set = try #require(mpd.periods.first?.first("AdaptationSet"))
        let counts = set.all("Representation").map { representation in
            representation.first("SegmentTemplate")?.first("SegmentTimeline")?.all("S").reduce(0) {
                $0 + 1 + ($1.integer("r") ?? 0)
            }
        }
        #expect(counts == [3, 2])
    }

    @Test("A rendition that has come late, or by another clock, is left out of the periods that it does not fit")
    func notAligned() throws {
        let units = SyntheticStream.both(0..<8_500)
        let offset = units.map { unit in
            var unit = unit
            unit.decodeTime += MediaTime(milliseconds: 700)
            return unit
        }
        for other in [SyntheticStream.both(4_000..<8_500), offset] {
            let snapshots = try snapshots([units, other])
            let mpd = try mpd(zip([nil, "r_360p"], snapshots).map { PresentationMember(folder: $0, snapshot: $1) })
            let set = try #require(mpd.periods.first?.first("AdaptationSet"))
            #expect(set.all("Representation").map { $0.attributes["id"] } == ["video"])
        }
    }

    @Test("Audio alone is a set of its own, in its language")
    func voice() throws {
        let snapshots = try snapshots([SyntheticStream.both(0..<8_500), SyntheticStream.sound(0..<8_500)])
        let mpd = try mpd([
            PresentationMember(snapshot: snapshots[0], languages: [0: "en"]),
            PresentationMember(
                folder: "r_audio_de", snapshot: snapshots[1], isAudioAlone: true, languages: [0: "de"]),
        ])
        let sets = try #require(mpd.periods.first).all("AdaptationSet")
        #expect(sets.map { $0.attributes["lang"] } == [nil, "en", "de"])
        #expect(
            sets.map { $0.first("Representation")?.attributes["id"] } == ["video", "audio", "audio-audio_de"])
    }
}
