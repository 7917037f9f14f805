import Basics
import Foundation
import Testing
import Usher

@testable import ControlAPI
@testable import Storage

/// Every code there is, provoked from outside.
struct ReplyCodeTests {
    private typealias Provocation = @Sendable (TestAPI) async throws -> TestReply

    @Test("Every code of the table is given by some request", arguments: ReplyCode.allCases) func everyCodeIsGiven(
        code: ReplyCode
    ) async throws {
        let provocation = try #require(Self.provocations[code], "nothing provokes \(code.name)")
        try await TestAPI.run(
            failuresPerMinute: code == .unusuallyHighTraffic ? 2 : 0, pushesPerAccount: code == .pushRefused ? 1 : 100,
            replayWait: code == .requestRunning ? .zero : .seconds(60)
        ) { api in
            let reply = try await provocation(api)
            #expect(reply.code == code.rawValue, "\(reply.text)")
            #expect(reply.status == (code.isSuccess ? "success" : "failure"))
            #expect(reply.object.members.last?.name == "handle_time")
            let names = reply.object.members.prefix(3).map(\.name)
            #expect(names == ["code", "message", "status"])
        }
    }

    @Test("The table of codes names every code once")
    func theTableNamesEveryCodeOnce() {
        let rows = ReplyCode.markdownTable.split(separator: "\n").dropFirst(2)
        #expect(rows.count == ReplyCode.allCases.count)
        for (row, code) in zip(rows, ReplyCode.allCases) {
            #expect(row.hasPrefix("| \(code.rawValue) | \(code.isSuccess ? "success" : "failure") | \(code.message) |"))
        }
    }

    @Test("Codes of success stand below forty in their family")
    func successesStandBelowForty() {
        for code in ReplyCode.allCases where code.rawValue >= 2000 {
            let isLow = code.rawValue % 100 < 40
            // 2050 and 2051 are the documented exceptions.
            let isException = code == .attemptsCounted || code == .attemptsListed
            #expect(code.isSuccess == (isLow || isException), "\(code)")
        }
    }

    private static let ticket: JSONObject = [
        "app": "demo-origin", "video": "mystream", "pass": "secret", "ip": "auto/24", "uses": 5,
    ]
    private static let user: JSONObject = [
        "app": "demo-origin", "stream": "mystream", "user": "alice", "pass": "wonderland",
    ]
    private static let push: JSONObject = [
        "service_name": "rtmp", "dst_host": "live.example.com", "dst_app": "app", "dst_stream": "secretkey",
        "app": "demo-origin", "stream": "mystream",
    ]
    private static let address: JSONObject = ["app": "demo-origin", "inst": "live", "stream": "mystream"]

    private static func wrong(_ api: TestAPI) async throws -> TestReply {
        let call = SignedCall(accountID: 158, apiKey: TestAPI.publicKey, privateKey: "wrong")
        return TestReply(await api.post(call.text(command: "app.list", now: api.clock.now)))
    }

    private static func key(_ api: TestAPI) async throws -> JSONValue {
        let reply = try await api.call("sevu.request", ticket)
        return try #require(reply["ticket"]?["key"])
    }

    private static let provocations: [ReplyCode: Provocation] = common.merging(sevu) { $1 }.merging(streams) { $1 }

    private static let common: [ReplyCode: Provocation] = [
        .unrecognizedCommand: { try await $0.call("sevu.nothing") },
        .cdnAuthorizationFailed: { api in
            let call = SignedCall(accountID: 200, apiKey: TestAPI.publicKey, privateKey: TestAPI.privateKey)
            return TestReply(await api.post(call.text(command: "app.list", now: api.clock.now)))
        },
        .timestampOutOfRange: { api in
            let text = api.text("app.list")
            api.clock.advance(301)
            return TestReply(await api.post(text))
        },
        .signatureFailed: wrong,
        .unexpectedError: { api in
            try await api.store.write { try $0.run("UPDATE api_keys SET rights = 'odd'") }
            return try await api.call("app.list")
        },
        .unauthorized: { try await $0.call("sevu.request", ticket, key: $0.reader) },
        .requiredFieldsMissing: { try await $0.call("sevu.status") },
        .fieldInvalid: { try await $0.call("sevu.errorcount", ["success": "perhaps"]) },
        .accountSuspended: { api in
            try await api.store.setSuspension(accountID: 158, "Please provide a valid credit card")
            return try await api.call("app.list")
        },
        .requestRunning: { api in
            let text = api.text("sevu.request", ticket)
            let signed = try await SignedRequest.verify(
                Array(text.utf8), store: api.store, now: api.clock.now, window: 300)
            _ = try await api.store.beginReplay(
                digest: signed.digest, now: api.clock.now, expires: api.clock.now.addingTimeInterval(60))
            return TestReply(await api.post(text))
        },
        .unusuallyHighTraffic: { api in
            _ = try await wrong(api)
            _ = try await wrong(api)
            return try await api.call("app.list")
        },
        .originLogListed: { try await $0.call("log.origin", ["app": "demo-origin", "stream": "*"]) },
        .serverReachable: { try await $0.call("server.status", ["app": "demo-origin"]) },
        .serverNotReachable: { try await $0.call("server.status", ["origin_url": "elsewhere.example"]) },
        .appsListed: { try await $0.call("app.list") },
        .viewersCounted: { try await $0.call("vsn.viewercount", ["app": "demo-origin", "url": "s"], key: $0.reader) },
        .viewersListed: { try await $0.call("viewer.livedetailed", ["app": "demo-origin", "url": "s"]) },
        .viewerHistoryListed: { try await $0.call("vsn.viewerhistorybyname", ["app": "demo-origin", "url": "s"]) },
        .usageSummarized: { try await $0.call("usage.data") },
        .usageListed: { try await $0.call("video.cdn", ["app": "demo-origin"]) },
        .usedVideosListed: { try await $0.call("video.streams", ["app": "demo-origin"]) },
        .appNumbersListed: { try await $0.call("video.getapps") },
        .diskUsageListed: { try await $0.call("disk.usage", key: $0.reader) },
    ]

    private static let sevu: [ReplyCode: Provocation] = [
        .ticketCreated: { try await $0.call("sevu.request", ticket) },
        .ticketFound: { try await $0.call("sevu.status", ["key": key($0)]) },
        .ticketRevoked: { try await $0.call("sevu.revoke", ["key": key($0)]) },
        .ticketsListed: { try await $0.call("sevu.list") },
        .ticketUpdated: { try await $0.call("sevu.update", ["key": key($0), "uses": 9]) },
        .ticketsCreated: { api in
            var fields = ticket
            fields["passes"] = ["ann", "bob"]
            return try await api.call("sevu.requestmany", fields)
        },
        .sessionsListed: { try await $0.call("sevu.sessions") },
        .sessionEnded: { api in
            let made = try await api.call("sevu.request", ticket)["ticket"]?.objectValue
            let facts = ViewerFacts(
                key: made?["key"]?.stringValue, pass: made?["pass"]?.stringValue, address: "192.0.2.1",
                app: "demo-origin", instance: "play", video: "mystream")
            _ = try await api.admissions.admit(facts, session: nil)
            let sessions = try await api.call("sevu.sessions")["sessions"]?.arrayValue
            return try await api.call("sevu.kick", ["session": sessions?.first?.objectValue?["session"] ?? .null])
        },
        .sessionNotFound: { try await $0.call("sevu.kick", ["session": "none"]) },
        .ticketNotFound: { try await $0.call("sevu.status", ["key": "mystream.1.2"]) },
        .attemptsListed: { try await $0.call("sevu.errorlog") },
        .attemptsCounted: { try await $0.call("sevu.errorcount") },
        .streamUserAdded: { try await $0.call("sevu.addstreamuser", user) },
        .streamUsersListed: { try await $0.call("sevu.liststreamusers") },
        .streamUserFound: { api in
            let id = try #require(try await api.call("sevu.addstreamuser", user)["streamuser_id"])
            return try await api.call("sevu.retrievestreamuser", ["streamuser_id": id])
        },
        .streamUserUpdated: { api in
            try await api.call("sevu.addstreamuser", user)
            var fields = user
            fields["pass"] = "looking-glass"
            return try await api.call("sevu.updatestreamuser", fields)
        },
        .streamUserRemoved: { api in
            try await api.call("sevu.addstreamuser", user)
            return try await api.call("sevu.removestreamuser", user)
        },
        .streamUserExists: { api in
            try await api.call("sevu.addstreamuser", user)
            return try await api.call("sevu.addstreamuser", user)
        },
        .streamUpdated: { api in
            let id = try #require(try await api.call("sevu.addstreamuser", user)["stream_id"])
            return try await api.call("sevu.updatestream", ["stream_id": id, "protection": "sevu"])
        },
        .streamUserNotFound: { try await $0.call("sevu.removestreamuser", ["streamuser_id": 99]) },
        .streamNotFound: { try await $0.call("sevu.updatestream", ["stream_id": "99"]) },
    ]

    private static let streams: [ReplyCode: Provocation] = [
        .activeStreamsListed: { try await $0.call("stream.active", ["app": "demo-origin", "inst": "live"]) },
        .streamDetailsFound: { api in
            _ = try await api.publish("mystream")
            return try await api.call("stream.details", address)
        },
        .streamClosed: { api in
            _ = try await api.publish("mystream")
            return try await api.call("stream.close", address)
        },
        .streamNotActive: { try await $0.call("stream.details", address) },
        .pushAdded: { try await $0.call("pushpublish.add", push) },
        .pushUpdated: { api in
            let id = try #require(try await api.call("pushpublish.add", push)["push_service_id"])
            return try await api.call("pushpublish.update", ["push_service_id": id, "autopush": true])
        },
        .pushRemoved: { api in
            let id = try #require(try await api.call("pushpublish.add", push)["push_service_id"])
            return try await api.call("pushpublish.remove", ["push_service_id": id])
        },
        .pushesListed: { try await $0.call("pushpublish.services", ["filters": []]) },
        .pushConnecting: { try await $0.call("pushpublish.connect", push) },
        .pushNotConnected: {
            try await $0.call("pushpublish.disconnect", ["app": "demo-origin", "inst": "live", "entry_name": "tv"])
        },
        .pushNotFound: { try await $0.call("pushpublish.remove", ["push_service_id": 99]) },
        .pushAlreadyConnected: { api in
            try await api.call("pushpublish.connect", push)
            return try await api.call("pushpublish.connect", push)
        },
        .pushRefused: { api in
            try await api.call("pushpublish.connect", push)
            var second = push
            second["dst_stream"] = "anotherkey"
            return try await api.call("pushpublish.connect", second)
        },
    ]
}
