import Basics
import Foundation
import Synchronization
import Testing

@testable import ControlAPI
@testable import Storage

/// A request that changes something runs once, however often it comes.
struct ReplayTests {
    private static let ticket: JSONObject = [
        "app": "demo-origin", "video": "mystream", "pass": "secret", "ip": "auto", "uses": 5,
    ]

    private func tickets(_ api: TestAPI) async throws -> Int {
        try await api.store.ticketChanges(after: 0, limit: 1000).count
    }

    @Test("The same request gets the same bytes")
    func theSameRequestGetsTheSameBytes() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.request", Self.ticket)
            let first = await api.post(text)
            #expect(TestReply(first).code == 2000)
            api.clock.advance(299)
            #expect(await api.post(text) == first)
            #expect(try await tickets(api) == 1)
        }
    }

    @Test("The reply has the form of the first run")
    func theReplyHasTheFormOfTheFirstRun() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.request", Self.ticket)
            let first = await api.post(text)
            #expect(await api.postPHP(text) == first)
            api.clock.advance(1)
            let other = api.text("sevu.request", Self.ticket)
            let php = await api.postPHP(other)
            #expect(php.contentType == "text/plain; charset=utf-8")
            #expect(await api.post(other) == php)
            #expect(try await tickets(api) == 2)
        }
    }

    @Test("Different texts of one signature are one request")
    func differentTextsOfOneSignatureAreOneRequest() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.request", Self.ticket)
            let first = await api.post(text)
            // White space that the fallback re-encoding does not see, and escapes in the signature itself.
            let spaced = text.replacing(",\"", with: ", \"")
            #expect(spaced != text)
            #expect(await api.post(spaced) == first)
            #expect(try await tickets(api) == 1)
        }
    }

    @Test("The same request many times at once runs once")
    func duplicatesAtOnceRunOnce() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            let replies = await withTaskGroup(of: ControlResponse.self) { group in
                for _ in 1...50 { group.addTask { await api.post(text) } }
                return await group.reduce(into: Set<ControlResponse>()) { $0.insert($1) }
            }
            #expect(replies.count == 1)
            #expect(replies.map { TestReply($0).code } == [2100])
            #expect(try await api.store.streamUsers(accountID: 158, app: nil, stream: nil).count == 1)
        }
    }

    @Test("What the disk had no room for is answered with try again, and run when it comes again")
    func aFullDiskIsNotRemembered() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func allow(pages: Int) async throws {
                try await api.store.write { _ = try $0.first("PRAGMA max_page_count = \(pages)") }
            }
            let names = (100..<200).map { "\($0)" + String(repeating: "x", count: 30) }
            let (videos, apps) = (names.joined(separator: "|"), names.map { "demo-\($0)" }.joined(separator: "|"))
            // Full but for what is left in pages that are begun: the claim of a request finds its place there, a ticket of eight
            // thousand bytes does not.
            try await allow(pages: 1)
            await #expect(throws: StoreError.self) {
                for number in 0..<1_000 {
                    _ = try await api.store.insertTicket(
                        .init(
                            accountID: 158, key: "filler\(number)", pass: "", ip: "auto", app: apps, video: videos,
                            uses: 1,
                            created: api.clock.now, expires: api.clock.now))
                }
            }
            let before = try await tickets(api)
            let text = api.text(
                "sevu.request", ["app": .string(apps), "video": .string(videos), "pass": "p", "ip": "auto", "uses": 1])
            for _ in 0..<2 {
                let reply = await api.post(text)
                #expect(reply.status == 503)
                #expect(reply.retryAfter == 2)
                #expect(TestReply(reply).code == 1000)
                #expect(TestReply(reply).message == "The server cannot store anything now, please try again")
            }
            #expect(try await tickets(api) == before)
            try await allow(pages: 1_000_000)
            let reply = await api.post(text)
            #expect(TestReply(reply).code == 2000)
            #expect(await api.post(text) == reply)
            #expect(try await tickets(api) == before + 1)
        }
    }

    @Test("A request whose effect is the store's alone is claimed, carried out and answered in one write")
    func oneWrite() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func writes(_ command: String, _ fields: JSONObject, code: Int) async throws -> TestReply {
                let text = api.text(command, fields)
                let before = api.store.writeCounts.writes
                let reply = await api.post(text)
                #expect(TestReply(reply).code == code, "\(command): \(TestReply(reply).message)")
                #expect(api.store.writeCounts.writes == before + 1, "\(command)")
                #expect(await api.post(text) == reply)
                return TestReply(reply)
            }
            _ = try await writes(
                "sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"], code: 2100)
            _ = try await writes(
                "sevu.updatestream", ["app": "demo-origin", "stream": "s", "protection": "sevu"], code: 2104)
            _ = try await writes(
                "sevu.updatestreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "q"], code: 2105)
            let made = try await writes("sevu.request", Self.ticket, code: 2000)
            let key = try #require(made["ticket"]?["key"])
            _ = try await writes("sevu.request", Self.ticket.removing("uses"), code: 6)
            _ = try await writes(
                "sevu.requestmany",
                [
                    "app": "demo-origin", "video": "mystream", "passes": ["a", "b"], "ip": "auto", "uses": 5,
                ], code: 2005)
            let changed = try await writes("sevu.update", ["key": key, "uses": 7], code: 2004)
            #expect(changed["uses_total"] == "7" && changed["sessions"] == "0")
            _ = try await writes("sevu.update", ["key": "nobody.1.2", "uses": 7], code: 2040)
            _ = try await writes("sevu.revoke", ["key": key], code: 2002)
            _ = try await writes(
                "sevu.removestreamuser", ["app": "demo-origin", "stream": "s", "user": "u"], code: 2103)
        }
    }

    @Test("A failed validation is remembered")
    func aFailedValidationIsRemembered() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.revoke", ["key": "mystream.1.2"])
            let first = await api.post(text)
            #expect(TestReply(first).code == 2040)
            _ = try await api.store.insertTicket(
                .init(
                    accountID: 158, key: "mystream.1.2", pass: "p", ip: "auto", app: "*", video: "*", uses: 0,
                    created: api.clock.now, expires: api.clock.now.addingTimeInterval(60)))
            #expect(await api.post(text) == first)
            #expect(try await api.store.ticket(key: "mystream.1.2")?.isActive == true)

            let incomplete = api.text("sevu.request")
            let refused = await api.post(incomplete)
            #expect(TestReply(refused).code == 6)
            #expect(await api.post(incomplete) == refused)
        }
    }

    @Test("A request that only reads runs again")
    func aReadingRequestIsRunAgain() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.liststreamusers")
            #expect(TestReply(await api.post(text))["stream_users"] == [])
            try await api.call("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            #expect(TestReply(await api.post(text))["stream_users"]?.arrayValue?.count == 1)
        }
    }

    @Test("The same fields signed later are another request")
    func theSameFieldsSignedLaterAreAnotherRequest() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let first = try await api.call("sevu.request", Self.ticket)
            let second = try await api.call("sevu.request", Self.ticket)
            #expect(first["ticket"]?["key"] != second["ticket"]?["key"])
            #expect(try await tickets(api) == 2)
        }
    }

    @Test("After the window a repeated request is too old rather than new")
    func afterTheWindowItIsTooOldRatherThanNew() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.request", Self.ticket)
            _ = await api.post(text)
            api.clock.advance(301)
            try await api.store.removeReplays(expiredBefore: api.clock.now)
            #expect(TestReply(await api.post(text)).code == 2)
            // The row is kept longer than the request can be right.
            api.clock.advance(-1)
            #expect(TestReply(await api.post(text)).code == 2000)
            #expect(try await tickets(api) == 1)
        }
    }

    @Test("A command goes on when its client hangs up")
    func aClientThatHangsUpDoesNotStopItsCommand() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            let task = Task { await api.post(text) }
            task.cancel()
            _ = await task.value
            // Whether the first got as far as the command or not: the retry ends in one user and a success.
            #expect(TestReply(await api.post(text)).code == 2100)
            #expect(try await api.store.streamUsers(accountID: 158, app: nil, stream: nil).count == 1)
        }
    }
}
