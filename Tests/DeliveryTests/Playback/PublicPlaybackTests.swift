import Foundation
import HTTPTypes
import NIOCore
import TestSupport
import Testing

@testable import Delivery

@Suite struct PublicPlaybackTests {
    private let folder = TestPlayer.folder

    @Test("the master playlist names the media playlist, with codecs and size, for caches to keep half a target")
    func master() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let reply = try await player.get("\(folder)/playlist.m3u8")
        #expect(reply.status == .ok)
        #expect(reply.headers[.contentType] == "application/vnd.apple.mpegurl")
        #expect(reply.headers[.cacheControl] == "public, max-age=1")
        #expect(reply.headers[.accessControlAllowOrigin] == "*")
        #expect(reply.headers[.vary] == "Accept-Encoding")
        #expect(reply.headers[.contentLength] == String(reply.body.readableBytes))
        #expect(reply.text.hasSuffix("\nchunklist.m3u8\n"))
        #expect(reply.text.contains("CODECS=\"avc1.4d400b,mp4a.40.2\""))
        #expect(reply.text.contains("RESOLUTION=160x90"))
    }

    @Test("media playlist and segments, the segments for ever in caches and byte for byte the published ones")
    func mediaAndSegments() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let media = try await player.get("\(folder)/chunklist.m3u8")
        #expect(media.status == .ok)
        #expect(segments(in: media.text) == (1...7).map { "media_\($0).m4s" })
        #expect(media.headers[.cacheControl] == "public, max-age=1")
        let segment = try await player.get("\(folder)/media_3.m4s")
        #expect(segment.status == .ok)
        #expect(segment.headers[.contentType] == "video/mp4")
        #expect(segment.headers[.cacheControl] == "public, max-age=31536000, immutable")
        #expect(segment.headers[.acceptRanges] == "bytes")
        let published = try #require(player.test.outputs.file(.segment(3, .fragmentedMP4), at: TestStage.address))
        #expect(segment.body == published.bytes)
        #expect(segment.headers[.eTag] == published.entityTag)
    }

    @Test("a player that has the playlist already is told so")
    func notModified() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        for name in ["playlist.m3u8", "chunklist.m3u8", "media_2.m4s"] {
            let first = try await player.get("\(folder)/\(name)")
            let tag = try #require(first.headers[.eTag])
            let second = try await player.get("\(folder)/\(name)", headers: [.ifNoneMatch: "W/\"x\", \(tag)"])
            #expect(second.status == .notModified)
            #expect(second.body.readableBytes == 0)
            #expect(second.headers[.eTag] == tag)
            #expect(second.headers[.cacheControl] == first.headers[.cacheControl])
            #expect(second.headers[.contentLength] == nil)
            let other = try await player.get("\(folder)/\(name)", headers: [.ifNoneMatch: "\"x\""])
            #expect(other.status == .ok)
        }
    }

    @Test("gzip where accepted, with a tag of its own")
    func gzip() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let plain = try await player.get("\(folder)/chunklist.m3u8", headers: [.acceptEncoding: "gzip;q=0"])
        #expect(plain.headers[.contentEncoding] == nil)
        let reply = try await player.get("\(folder)/chunklist.m3u8", headers: [.acceptEncoding: "gzip, deflate, br"])
        #expect(reply.headers[.contentEncoding] == "gzip")
        #expect(reply.headers[.vary] == "Accept-Encoding")
        #expect(reply.headers[.contentLength] == String(reply.body.readableBytes))
        #expect(reply.headers[.eTag] != plain.headers[.eTag])
        let unpacked = try await ForeignProgram.run(["gzip", "-dc"], input: Data(reply.body.readableBytesView))
        #expect(unpacked.text == plain.text)
        let tag = try #require(reply.headers[.eTag])
        let again = try await player.get(
            "\(folder)/chunklist.m3u8", headers: [.acceptEncoding: "gzip", .ifNoneMatch: tag])
        #expect(again.status == .notModified)
        let segment = try await player.get("\(folder)/media_2.m4s", headers: [.acceptEncoding: "gzip"])
        #expect(segment.headers[.contentEncoding] == nil)
    }

    @Test("parts of segments")
    func ranges() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let uri = "\(folder)/media_2.m4s"
        let whole = try await player.get(uri)
        let length = whole.body.readableBytes
        let tag = try #require(whole.headers[.eTag])

        let part = try await player.get(uri, headers: [.range: "bytes=188-375"])
        #expect(part.status == .partialContent)
        #expect(part.headers[.contentRange] == "bytes 188-375/\(length)")
        #expect(part.headers[.contentLength] == "188")
        #expect(part.body == whole.body.getSlice(at: 188, length: 188))

        let beyond = try await player.get(uri, headers: [.range: "bytes=\(length)-"])
        #expect(beyond.status == .rangeNotSatisfiable)
        #expect(beyond.headers[.contentRange] == "bytes */\(length)")

        let same = try await player.get(uri, headers: [.range: "bytes=0-9", .ifRange: tag])
        #expect(same.status == .partialContent)
        let changed = try await player.get(uri, headers: [.range: "bytes=0-9", .ifRange: "\"old\""])
        #expect(changed.status == .ok)
        #expect(changed.body.readableBytes == length)
    }

    @Test("HEAD tells the same as GET, without the body")
    func head() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        for name in ["playlist.m3u8", "chunklist.m3u8", "media_2.m4s"] {
            let full = try await player.get("\(folder)/\(name)")
            let head = try await player.get("\(folder)/\(name)", method: .HEAD)
            #expect(head.status == .ok)
            #expect(head.body.readableBytes == 0)
            #expect(head.headers[.contentLength] == String(full.body.readableBytes))
            #expect(head.headers[.eTag] == full.headers[.eTag])
            #expect(head.headers[.contentType] == full.headers[.contentType])
        }
    }

    @Test("preflight requests are answered for listed origins")
    func preflight() async throws {
        let player = await TestPlayer(
            isProtected: false, configuration: DeliveryConfiguration(allowedOrigins: ["https://tv.example"]))
        let good = try await player.get(
            "\(folder)/chunklist.m3u8", method: .OPTIONS, headers: [.origin: "https://tv.example"])
        #expect(good.status == .noContent)
        #expect(good.headers[.accessControlAllowOrigin] == "https://tv.example")
        #expect(good.headers[.accessControlAllowMethods] == "GET, HEAD, OPTIONS")
        #expect(good.headers[.accessControlAllowHeaders] == "If-None-Match, If-Range, Range")
        let other = try await player.get(
            "\(folder)/chunklist.m3u8", method: .OPTIONS, headers: [.origin: "https://other.example"])
        #expect(other.headers[.accessControlAllowOrigin] == nil)
    }

    @Test(
        "every way players spell the stream leads to it",
        arguments: [
            "/demo-origin/live/mystream", "/demo-origin/play/mystream", "/demo-live/play/mystream",
            "/demo-live/live/mystream.smil", "/demo-origin/play/smil:mystream.smil", "/demo-origin/play/mp4:mystream",
            "/demo-origin/play/flv%3Amystream", "/demo-origin/live/mystream/sess_x",
        ])
    func spellings(folder: String) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        for name in ["playlist.m3u8", "chunklist.m3u8", "media_2.m4s"] {
            #expect(try await player.get("\(folder)/\(name)").status == .ok)
        }
    }

    @Test(
        "what is not there is 404 with a short body, and no other route is taken over",
        arguments: [
            ("/demo-origin/live/mystream/index.html", .notFound, nil),
            ("/demo-origin/live/mystream/media_99.m4s", .notFound, nil),
            ("/demo-origin/live/mystream/init_2.mp4", .notFound, nil),
            ("/demo-origin/live/mystream/media_1.ts", .notFound, nil),
            ("/demo-origin/live/mystream/part_1_9999.m4s", .notFound, nil),
            ("/demo-origin/live/mystream/../../../etc/passwd", .notFound, nil),
            ("/demo-origin/live/offline/playlist.m3u8", .notFound, "5"),
            ("/demo-origin/live/offline/chunklist.m3u8", .notFound, "5"),
            ("/demo-vod/play/mp4:folder/of/file.mp4/playlist.m3u8", .notFound, "5"),
            ("/other-origin/live/mystream/playlist.m3u8", .notFound, "5"),
        ] as [(String, HTTPResponse.Status, String?)])
    func missing(uri: String, status: HTTPResponse.Status, retryAfter: String?) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let reply = try await player.get(uri)
        #expect(reply.status == status)
        #expect(reply.headers[.retryAfter] == retryAfter)
        #expect(reply.body.readableBytes < 64)
    }

    @Test("a stream that is only starting is waited for")
    func starting() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.publish(until: 500)
        async let reply = player.get("\(folder)/playlist.m3u8")
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        try await eventually { output.held.count == 1 }
        try await player.test.send(FLVFile.sample(), to: publication, from: 500, until: 1_100)
        #expect(try await reply.status == .ok)
    }

    @Test("where nobody is kept waiting, the answer is 503 with a time to come back")
    func notWaiting() async throws {
        let player = await TestPlayer(
            isProtected: false, configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, maximumHeld: 0))
        _ = try await player.publish(until: 500)
        let reply = try await player.get("\(folder)/chunklist.m3u8")
        #expect(reply.status == .serviceUnavailable)
        #expect(reply.headers[.retryAfter] == "1")
    }

    @Test("viewers are counted by address")
    func viewers() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        #expect(player.service.viewerCount(TestStage.address) == 0)
        _ = try await player.get("\(folder)/playlist.m3u8")
        _ = try await player.get("\(folder)/chunklist.m3u8")
        #expect(player.service.viewerCount(TestStage.address) == 1)
    }
}
