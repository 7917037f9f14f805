import ControlAPI
import Foundation
import TestSupport
import Testing

/// Pictures of streams, made by ffmpeg.
struct ThumbnailTests {
    @Test("A stream's picture is as wide as wished, and comes for a ticket's session until that is revoked")
    func picture() async throws {
        let scene = try await TicketScene(["thumbnail.width: 64"])
        let address = scene.origin.page("paid") + "thumbnail.jpg"
        #expect(try await Web.get(address).status == 403)
        let ticket = try await scene.ticket(uses: 1)
        try await eventually("a picture") { try await Web.get(address + ticket.query).status == 200 }
        let picture = try await Web.get(address + ticket.query)
        #expect(picture.headers["content-type"] == "image/jpeg")
        #expect(picture.headers["cache-control"] == "private, max-age=2")
        let file = scene.origin.folder.file("picture.jpg")
        try picture.body.write(to: URL(filePath: file))
        let probe = try await ForeignProgram.output(of: [
            "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", file,
        ])
        #expect(probe.text == "mjpeg,64,36\n")
        #expect(try await scene.remaining(ticket) == "1")

        let playing = try await scene.viewer(ticket).start()
        let folder = try #require(playing.url.split(separator: "chunklist").first)
        let inSession = "\(folder)thumbnail.jpg"
        #expect(try await Web.get(inSession).status == 200)
        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        #expect(try await Web.get(inSession).status == 403)
        #expect(try await Web.get(address + ticket.query).status == 403)
    }

    @Test("Without ffmpeg the answer is 501 and says so")
    func withoutTheProgram() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + ["thumbnail.ffmpeg: /none/ffmpeg"])
        let account = try await origin.account()
        let encoder = try await origin.publish("mystream", as: account)
        let address = origin.page("mystream") + "thumbnail.jpg"
        try await eventually("an answer about the program") { try await Web.get(address).status == 501 }
        #expect(try await Curl.get(address).body.hasPrefix("This server makes no pictures: ffmpeg is not installed"))
        try await encoder.stop()
    }

    @Test("A publisher's garbage makes no picture, and other streams have theirs")
    func garbage() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + ["thumbnail.processes: 1"])
        let account = try await origin.account()
        let encoder = try await origin.publish("mystream", as: account)
        try await account.openStream("garbage")
        let peer = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "garbage")
        var random = SeededGenerator(seed: 11)
        for tag in try FLVFile(path: try await SourceMedia.h264AAC().path).tags {
            var body = tag.body
            if tag.type == .video, !tag.isHeader, body.readableBytes > 9 {
                // Behind the tag's head and the length of its first NAL unit.
                for index in (body.readerIndex + 9)..<body.writerIndex {
                    body.setInteger(UInt8.random(in: 0...255, using: &random), at: index)
                }
            }
            try await peer.send(tag.type, timestamp: UInt32(tag.timestamp), body: body)
        }
        let address = origin.page("garbage") + "thumbnail.jpg"
        try await eventually("segments of garbage: \(origin.log)") {
            try await Web.get(origin.playlist("garbage")).status == 200
        }
        #expect(try await Web.get(address).status == 503)
        try await eventually("the other's picture") {
            try await Web.get(origin.page("mystream") + "thumbnail.jpg").status == 200
        }
        #expect(try await Web.get(address).status == 503)
        #expect(origin.log.contains("no picture of a stream"))
        #expect(origin.isRunning)
        await peer.close()
        try await encoder.stop()
    }
}
