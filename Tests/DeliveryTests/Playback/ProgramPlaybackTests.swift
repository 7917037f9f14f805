import Basics
import HLS
import Live
import NIOCore
import TestSupport
import Testing

@testable import Delivery

/// Streams that are renditions of one another, as players see them.
@Suite("Programs") struct ProgramPlaybackTests {
    private let folder = "/demo-origin/live"

    private func address(_ name: String) -> StreamAddress {
        StreamAddress(app: "demo-origin", instance: "live", stream: name)
    }

    /// Publishes the sample under these names, for as long as it has frames.
    private func publish(_ names: [String], _ player: TestPlayer, until: Int64 = 3_150) async throws -> [Publication] {
        var publications: [Publication] = []
        for name in names { publications.append(try await player.test.publish(address(name))) }
        for publication in publications { try await player.test.send(FLVFile.sample(), to: publication, until: until) }
        return publications
    }

    private func uris(_ text: String) -> [String] {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    @Test("The master playlist of a name lists all renditions of it, and a rendition's own lists that alone")
    func master() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await publish(["show_360p", "show", "show_720p", "other_360p"], player)
        for name in ["show", "show.smil", "smil:show.smil"] {
            let reply = try await player.get("\(folder)/\(name)/playlist.m3u8")
            #expect(reply.status == .ok)
            #expect(
                uris(reply.text) == ["chunklist.m3u8", "r_360p/chunklist.m3u8", "r_720p/chunklist.m3u8"])
            #expect(
                reply.text.matches(
                    of:
                        /BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+,CODECS="avc1.4d400b,mp4a.40.2",RESOLUTION=160x90,FRAME-RATE=25.000/
                ).count == 3)
            for uri in uris(reply.text) {
                let media = try await player.get("\(folder)/\(name)/\(uri)")
                #expect(segments(in: media.text) == ["media_1.m4s", "media_2.m4s", "media_3.m4s"])
                let file = try await player.get(
                    "\(folder)/\(name)/\(uri.replacing("chunklist.m3u8", with: "media_2.m4s"))")
                #expect(file.status == .ok)
            }
        }
        #expect(uris(try await player.get("\(folder)/show_360p/playlist.m3u8").text) == ["chunklist.m3u8"])
        #expect(try await player.get("\(folder)/show/r_1080p/chunklist.m3u8").status == .notFound)
        #expect(try await player.get("\(folder)/show/r_backup/chunklist.m3u8").status == .notFound)
    }

    @Test("A program needs no stream of its own name")
    func withoutSource() async throws {
        let player = await TestPlayer(isProtected: false)
        let publications = try await publish(["show_360p", "show_720p"], player)
        let reply = try await player.get("\(folder)/show/playlist.m3u8")
        #expect(uris(reply.text) == ["r_360p/chunklist.m3u8", "r_720p/chunklist.m3u8"])
        // A rendition that ends is not listed any more while there are others.
        try await player.test.end(publications[0])
        try await player.test.send(FLVFile.sample(), to: publications[1], from: 3_150, until: 4_100)
        #expect(uris(try await player.get("\(folder)/show/playlist.m3u8").text) == ["r_720p/chunklist.m3u8"])
        #expect(try await player.get("\(folder)/show/chunklist.m3u8").status == .notFound)
    }

    @Test("Each playlist reports where the others are")
    func reports() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await publish(["show", "show_360p"], player, until: 3_500)
        let output = try #require(player.test.outputs.output(at: address("show_360p")))
        let open = try #require(output.current?.snapshot.open)
        try #require(!open.parts.isEmpty)
        let own = try await player.get("\(folder)/show/chunklist.m3u8").text
        #expect(
            own.split(separator: "\n").last
                == "#EXT-X-RENDITION-REPORT:URI=\"r_360p/chunklist.m3u8\",LAST-MSN=4,LAST-PART=\(open.parts.count - 1)")
        let other = try await player.get("\(folder)/show/r_360p/chunklist.m3u8").text
        #expect(other.contains("#EXT-X-RENDITION-REPORT:URI=\"../chunklist.m3u8\",LAST-MSN=4,LAST-PART="))
        let alone = try await player.get("\(folder)/show_360p/chunklist.m3u8").text
        #expect(!alone.contains("RENDITION-REPORT"))
    }

    @Test("One session is good for all renditions, and is charged once")
    func session() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await publish(["show_360p", "show_720p"], player)
        let master = try await player.get("\(folder)/show/playlist.m3u8?key=k&pass=p")
        #expect(player.admission.now.lastFacts?.video == "show")
        let lists = uris(master.text)
        let session = try #require(lists.first?.split(separator: "/").first)
        #expect(
            lists == ["\(session)/r_360p/chunklist.m3u8?key=k&pass=p", "\(session)/r_720p/chunklist.m3u8?key=k&pass=p"])
        for list in lists {
            #expect(try await player.get("\(folder)/show/\(list)").status == .ok)
            let file = list.replacing(/chunklist.*/, with: "media_2.m4s")
            #expect(try await player.get("\(folder)/show/\(file)").status == .ok)
        }
        #expect(player.admission.now.charged == 1)
        // Without a session the playlist leads into one, seen from the rendition's folder.
        let moved = try await player.get("\(folder)/show/r_720p/chunklist.m3u8?key=k&pass=p")
        #expect(moved.status == .found)
        #expect(moved.headers[.location] == "../\(session)/r_720p/chunklist.m3u8?key=k&pass=p")
        let unknown = try await player.get("\(folder)/show/sess_x/r_720p/chunklist.m3u8?key=k&pass=p")
        #expect(unknown.headers[.location] == "../../\(session)/r_720p/chunklist.m3u8?key=k&pass=p")
        #expect(try await player.get("\(folder)/show/r_720p/media_2.m4s").status == .forbidden)
    }
}
