import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import MPEGTS

@Suite("AC-3 in a transport stream") struct AC3Tests {
    @Test(
        "ffmpeg finds every frame of AC-3 and Enhanced AC-3 at its time",
        arguments: [("ac3", "ac3,AC-3"), ("eac3", "eac3,EAC3")])
    func frames(_ name: String, _ announced: String) async throws {
        let folder = URL(filePath: Places.repository).appending(path: "Tests/FragmentedMP4Tests/Fixtures")
        let file = try AccessUnitFile(named: "\(name).units", in: folder)
        #expect(TransportStreamMuxer.canCarry(try #require(file.tracks.audio)))
        var muxer = try TransportStreamMuxer(tracks: file.tracks)
        var bytes = ByteBuffer()
        muxer.writeTables(into: &bytes)
        for unit in file.units { try muxer.write(unit, into: &bytes) }
        muxer.flush(into: &bytes)
        let place = try Folder()
        try Data(bytes.readableBytesView).write(to: place.url.appendingPathComponent("out.ts"))
        let stream = try await cleanOutput(
            of: [
                "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,codec_tag_string", "-of", "csv=p=0",
                "out.ts",
            ], in: place)
        #expect(stream.contains(announced), "\(stream)")
        let packets = try await ProbedPacket.all(of: "out.ts", in: place)
        #expect(packets.count == file.units.count)
        for (packet, unit) in zip(packets, file.units) {
            let sent = (unit.decodeTime + TransportStreamMuxer.defaultTimestampOffset).nanoseconds
            #expect(abs(packet.presentationTime - sent) <= 12_000)
        }
        _ = try await cleanOutput(
            of: ["ffmpeg", "-v", "error", "-xerror", "-i", "out.ts", "-f", "null", "-"], in: place)
    }
}
