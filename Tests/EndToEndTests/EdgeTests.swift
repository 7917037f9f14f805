import ControlAPI
import Foundation
import Load
import TestSupport
import Testing

/// nginx with the shipped configuration in front of a running origin.
@Suite(.serialized) struct EdgeTests {
    private static let behind = ["http.trusted_proxies: [127.0.0.1]"]

    /// The segments that a playlist lists, in a session's path.
    private func segments(of playlist: Curl.Reply, at url: String) -> [String] {
        let folder = url.replacing(/[^\/]*$/, with: "")
        return playlist.body.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }.map { folder + $0 }
    }

    @Test("A hundred low-latency viewers behind the edge cost the origin one request for each part and each playlist")
    func lowLatency() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(Self.behind)
        try await origin.account().openStream("open")
        let edge = try await EdgeNginx(before: origin)
        let encoder = try Encoder.endless(source, to: origin.rtmp("open"))
        try await eventually("a segment") { try await origin.mediaPlaylist("open") != nil }
        let folder = try Folder()
        let result = try await ForeignProgram.run([
            Places.playhouse, "load", edge.url("open/playlist.m3u8"), "--count", "100", "--duration", "6", "--json",
            folder.file("load.json"),
        ])
        encoder.kill()
        #expect(result.status == 0, "\(result.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(LoadReport.self, from: Data(folder.read("load.json").utf8))
        let group = try #require(report.groups.first)
        #expect(group.running == 100 && group.gone == 0 && group.errors == [:], "\(group)")
        let fetches = edge.fetchesAtOrigin
        let parts = fetches.filter { $0.contains("/part_") }
        let numbered = fetches.filter { $0.contains("_HLS_msn=") }
        // Five parts a second.
        #expect(Set(parts).count >= 20 && Set(numbered).count >= 20, "\(fetches.suffix(20))")
        #expect(parts.count == Set(parts).count)
        #expect(numbered.count == Set(numbered).count)
    }

    @Test("Many viewers get each segment from the origin once, and each session is asked about at most once a second")
    func manyViewersShareOneCopy() async throws {
        let scene = try await TicketScene(Self.behind)
        let edge = try await EdgeNginx(before: scene.origin)
        let ticket = try await scene.ticket(uses: 12)
        let addresses = (10..<22).map { "127.1.\($0).1" }
        var media: [String] = []
        for address in addresses {
            let viewer = edge.viewer(ticket, from: address)
            media.append(try viewer.media(in: try await viewer.master()))
        }
        #expect(Set(media.map(HLSViewer.session)).count == 12)
        let first = try #require(media.first)
        try await eventually("two segments") {
            segments(of: try await Curl.get(first, from: "127.1.10.1"), at: first).count >= 2
        }
        let before = edge.questions.count
        let playlists = try await Curl.all(zip(media, addresses).map { .init(url: $0, address: $1) })
        #expect(playlists.map(\.status) == Array(repeating: 200, count: 12))
        #expect(try await scene.remaining(ticket) == "0")

        // The same segments for all, each three times.
        let names = segments(of: try #require(playlists.last), at: "").suffix(2)
        try #require(names.count == 2)
        let requests = zip(media, addresses).flatMap { url, address in
            (0..<3).flatMap { _ in
                names.map { name in
                    Curl.Request(url: url.replacing(/[^\/]*$/, with: "") + name, address: address)
                }
            }
        }
        let replies = try await Curl.all(requests)
        #expect(Set(replies.map(\.status)) == [200])
        for name in names {
            #expect(edge.requestsAtOrigin.filter { $0.hasSuffix("/\(name)") }.count == 1)
        }
        let asked = edge.questions.filter { $0.cache == "MISS" }
        #expect(Set(edge.questions.map(\.cache)).isSubset(of: ["MISS", "HIT"]))
        #expect(Set(asked.map { "\($0.second) \($0.viewer)" }).count == asked.count)
        #expect(Set(asked.map(\.viewer)).count == 12)
        #expect(edge.questions.count == before + 12 * 7)
        // The log is written after the answer.
        try await eventually("\(asked.count) questions at the origin") { edge.questionsAtOrigin.count == asked.count }
        #expect(asked.count < edge.questions.count)
        #expect(try await scene.attempts(ticket) == 12)
    }

    @Test("A revoked ticket is refused though the edge has the segment, and others go on")
    func aRevokedTicketIsRefused() async throws {
        let scene = try await TicketScene(Self.behind)
        let edge = try await EdgeNginx(before: scene.origin)
        let tickets = [try await scene.ticket(uses: 1), try await scene.ticket(uses: 1)]
        var media: [String] = []
        var segment: [String] = []
        for (ticket, address) in zip(tickets, ["127.1.1.1", "127.1.2.1"]) {
            let (url, reply) = try await edge.viewer(ticket, from: address).start()
            #expect(reply.status == 200)
            media.append(url)
            segment.append(try #require(segments(of: reply, at: url).last))
        }
        // Both of the same segment.
        segment[1] = media[1].replacing(/[^\/]*$/, with: "") + (segment[0].split(separator: "/").last ?? "")
        #expect(try await Curl.get(segment[0], from: "127.1.1.1").status == 200)
        try await scene.account.succeed("sevu.revoke", ["key": .string(tickets[0].key)])
        try await eventually("the segment is refused") {
            try await Curl.get(segment[0], from: "127.1.1.1").status == 403
        }
        try await eventually("the playlist is refused") {
            try await Curl.get(media[0], from: "127.1.1.1").status == 403
        }
        #expect(try await Curl.get(segment[0], from: "127.1.1.1").status == 403)
        #expect(try await Curl.get(segment[1], from: "127.1.2.1").status == 200)
        #expect(try await Curl.get(media[1], from: "127.1.2.1").status == 200)
        let name = try #require(segment[0].split(separator: "/").last)
        #expect(edge.requestsAtOrigin.filter { $0.hasSuffix("/\(name)") }.count == 1)
    }

    @Test("A session is refused to another address, and its own key and pass cost another use there")
    func aSessionIsRefusedElsewhere() async throws {
        let scene = try await TicketScene(Self.behind)
        let edge = try await EdgeNginx(before: scene.origin)
        let ticket = try await scene.ticket(uses: 2)
        let (url, reply) = try await edge.viewer(ticket, from: "127.1.1.1").start()
        let segment = try #require(segments(of: reply, at: url).last)
        #expect(try await Curl.get(segment, from: "127.1.1.1").status == 200)
        #expect(try await Curl.get(segment, from: "127.9.9.9").status == 403)
        let bare = url.replacing(/\?.*/, with: "")
        #expect(try await Curl.get(bare, from: "127.9.9.9").status == 403)
        // What he says of himself is the edge's to say.
        let forged = ["X-Forwarded-For: 127.1.1.1", "X-Real-IP: 127.1.1.1", "X-Original-URI: \(segment)"]
        #expect(try await Curl.get(segment, from: "127.9.9.9", headers: forged).status == 403)
        #expect(try await scene.remaining(ticket) == "1")
        // The refusal is kept for what is left of its second.
        var moved = try await Curl.get(url, from: "127.9.9.9")
        try await eventually("another session") {
            moved = try await Curl.get(url, from: "127.9.9.9")
            return moved.status == 302
        }
        #expect(HLSViewer.session(in: moved.redirect) != HLSViewer.session(in: url))
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await Curl.get(moved.redirect, from: "127.9.9.9").status == 200)
        #expect(try await Curl.get(segment, from: "127.9.9.9").status == 403)
        #expect(try await Curl.get(segment, from: "127.1.1.1").status == 200)
        // The question itself is not for viewers.
        #expect(try await Curl.get("http://127.0.0.1:\(edge.port)/usher/check", headers: forged).status == 404)
        #expect(try await Curl.get("http://127.0.0.1:\(edge.port)/_usher", headers: forged).status == 404)
    }

    @Test("A request for headers charges nothing at the edge, and lets nobody have a segment")
    func headChargesNothing() async throws {
        let scene = try await TicketScene(Self.behind)
        let edge = try await EdgeNginx(before: scene.origin)
        let ticket = try await scene.ticket(uses: 1)
        let (shared, reply) = try await edge.viewer(try await scene.ticket(uses: 1), from: "127.1.1.1").start()
        let name = try #require(segments(of: reply, at: shared).last?.split(separator: "/").last)
        #expect(try await Curl.get(shared.replacing(/[^\/]*$/, with: "") + name, from: "127.1.1.1").status == 200)
        let viewer = edge.viewer(ticket, from: "127.1.2.1")
        let media = try viewer.media(in: try await viewer.master())
        for _ in 0..<3 {
            let head = try await ForeignProgram.output(of: [
                "curl", "-sI", "--interface", "127.1.2.1", "-o", "/dev/null", "-w", "%{http_code}", media,
            ])
            #expect(head.text == "200")
            let segment = media.replacing(/[^\/]*$/, with: "") + name
            #expect(try await Curl.get(segment, from: "127.1.2.1").status == 403)
        }
        #expect(try await scene.remaining(ticket) == "1")
        let outside = edge.url("paid/chunklist.m3u8\(ticket.query)")
        let redirect = try await Curl.get(outside, from: "127.1.2.1")
        #expect(redirect.status == 302)
        #expect(redirect.redirect.hasPrefix(edge.url("paid/sess_")))
    }

    @Test("A stream without tickets comes from the edge, and no longer when it is protected")
    func openStreamsComeFromTheEdge() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + Self.behind)
        let account = try await origin.account()
        let encoder = try await origin.publish("open", as: account)
        let edge = try await EdgeNginx(before: origin)
        let media = edge.url("open/chunklist.m3u8")
        var playlist = try await Curl.get(media)
        try await eventually("a segment") {
            playlist = try await Curl.get(media)
            return playlist.status == 200 && !segments(of: playlist, at: media).isEmpty
        }
        let segment = try #require(segments(of: playlist, at: media).last)
        let replies = try await Curl.all(
            (1...10).map { .init(url: segment, address: "127.1.\($0).1") })
        #expect(replies.map(\.status) == Array(repeating: 200, count: 10))
        let name = try #require(segment.split(separator: "/").last)
        #expect(edge.requestsAtOrigin.filter { $0.hasSuffix("/\(name)") }.count == 1)
        try await account.succeed("sevu.updatestream", ["app": "demo-origin", "stream": "open", "protection": "sevu"])
        try await eventually("the segment is refused") { try await Curl.get(segment).status == 403 }
        #expect(try await Curl.get(media).status == 403)
        try await encoder.stop()
    }

    @Test("Only a trusted proxy is answered")
    func onlyATrustedProxyIsAnswered() async throws {
        let scene = try await TicketScene(Self.behind)
        let ticket = try await scene.ticket(uses: 1)
        let (url, _) = try await scene.viewer(ticket, from: "127.0.0.1").start()
        let path = "/" + url.split(separator: "/").dropFirst(2).joined(separator: "/")
        let question = "http://127.0.0.1:\(scene.origin.httpPort)/usher/check"
        let headers = ["X-Original-URI: \(path)", "X-Forwarded-For: 127.0.0.1"]
        #expect(try await Curl.get(question, from: "127.0.0.1", headers: headers).status == 204)
        #expect(try await Curl.get(question, from: "127.0.0.2", headers: headers).status == 403)
        #expect(scene.origin.log.contains("it is not in http.trusted_proxies"))
    }

    @Test("The documentation shows the configuration that is shipped")
    func theDocumentationShowsIt() throws {
        let shipped = try String(contentsOfFile: Places.repository + "/examples/nginx-edge.conf", encoding: .utf8)
        let text = try String(contentsOfFile: Places.repository + "/docs/playback.md", encoding: .utf8)
        let block = try #require(text.firstMatch(of: /```nginx\n((?s).*?)```/)).1
        #expect(String(block) == shipped)
    }
}
