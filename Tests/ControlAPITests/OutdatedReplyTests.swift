import Basics
import Foundation
import Storage
import Testing

@testable import ControlAPI

/// The same signed request gets its first reply again only for as long as that says what is so.
struct OutdatedReplyTests {
    private struct Call: Sendable {
        var command: String
        var fields: JSONObject

        init(_ command: String, _ fields: JSONObject) {
            (self.command, self.fields) = (command, fields)
        }
    }

    private static let user: JSONObject = ["app": "demo-origin", "stream": "s", "user": "ann", "pass": "p"]
    private static let name: JSONObject = ["app": "demo-origin", "stream": "s", "user": "ann"]
    private static let stream: JSONObject = ["app": "demo-origin", "stream": "s"]
    private static let entry: JSONObject = ["app": "demo-origin", "inst": "live", "entry_name": "tv"]
    private static let push: JSONObject = [
        "service_name": "rtmp", "url": "rtmp://live.example.com/app/key", "app": "demo-origin", "stream": "s",
        "entry_name": "tv",
    ]

    private static func merged(_ one: JSONObject, _ more: JSONObject) -> JSONObject {
        var all = one
        for member in more.members { all[member.name] = member.value }
        return all
    }

    private static let add = Call("sevu.addstreamuser", user)
    private static let remove = Call("sevu.removestreamuser", name)
    private static let open = Call("sevu.updatestream", merged(stream, ["protection": "none"]))
    private static let protect = Call("sevu.updatestream", merged(stream, ["protection": "sevu"]))
    private static let connect = Call("pushpublish.connect", push)
    private static let disconnect = Call("pushpublish.disconnect", entry)
    private static let all = Call("pushpublish.disconnect", merged(entry, ["entry_name": "*"]))
    private static let stored = Call("pushpublish.connect", ["push_service_id": 1])
    private static let unstored = Call("pushpublish.disconnect", ["push_service_id": 1])
    private static let store = Call("pushpublish.add", push.removing("entry_name"))

    /// Calls that are made before, the one that is repeated, one in between.
    private static let outdated: [([Call], Call, Call)] = [
        ([], add, remove),
        ([], remove, add),
        ([add], remove, add),
        ([add], protect, open),
        ([], add, protect),
        ([], add, Call("sevu.addstreamuser", merged(user, ["user": "bob", "protection": "sevu"]))),
        ([add], open, Call("sevu.addstreamuser", merged(user, ["stream": "*", "protection": "sevu"]))),
        ([], connect, disconnect), ([], disconnect, connect), ([connect], disconnect, connect),
        ([connect], all, connect),
        ([connect], connect, disconnect), ([], connect, all),
        ([store], stored, unstored), ([store], unstored, stored), ([store, stored], unstored, stored),
        ([store], stored, all),
        ([], store, Call("pushpublish.remove", ["push_service_id": 1])),
        (
            [store], Call("pushpublish.update", ["push_service_id": 1, "name": "one"]),
            Call("pushpublish.update", ["push_service_id": 1, "name": "two"])
        ),
    ]

    @Test(
        "A repeated request whose object another command has changed since is told so, and is run under another request_id",
        arguments: outdated.indices)
    func outdatedReplies(index: Int) async throws {
        let (before, call, between) = Self.outdated[index]
        try await TestAPI.run { (api: TestAPI) async throws in
            for call in before { try await api.call(call.command, call.fields) }
            api.clock.advance(1)
            let first = TestReply(await api.post(api.text(call.command, call.fields)))
            let other = TestReply(await api.post(api.text(between.command, between.fields)))
            #expect(other.status == "success", "\(other.text)")
            let again = TestReply(await api.post(api.text(call.command, call.fields)))
            #expect(again.code == 9, "\(first.text) then \(again.text)")
            #expect(again.message?.hasPrefix("This request was carried out before, and what it was about") == true)
            let anew = api.text(call.command, Self.merged(call.fields, ["request_id": "2"]))
            let fresh = TestReply(await api.post(anew))
            #expect(fresh.code != 9, "\(fresh.text)")
        }
    }

    /// Commands that leave alone what the repeated one was about.
    private static let kept: [([Call], Call, Call)] = [
        ([], add, Call("sevu.addstreamuser", merged(user, ["user": "bob"]))),
        ([], add, Call("sevu.addstreamuser", merged(user, ["stream": "t", "protection": "sevu"]))),
        ([add], protect, Call("sevu.addstreamuser", merged(user, ["user": "bob"]))),
        ([], add, Call("sevu.removestreamuser", merged(name, ["user": "bob"]))),
        ([], connect, Call("pushpublish.connect", merged(push, ["stream": "t", "entry_name": "other"]))),
        ([], connect, Call("pushpublish.disconnect", merged(entry, ["entry_name": "other"]))),
        ([], connect, Call("pushpublish.disconnect", merged(entry, ["inst": "studio", "entry_name": "*"]))),
        ([store], stored, store),
        (
            [store, store], Call("pushpublish.update", ["push_service_id": 1, "name": "one"]),
            Call("pushpublish.update", ["push_service_id": 2, "name": "two"])
        ),
    ]

    @Test(
        "A repeated request gets its first reply when other commands were about other things", arguments: kept.indices)
    func keptReplies(index: Int) async throws {
        let (before, call, between) = Self.kept[index]
        try await TestAPI.run { (api: TestAPI) async throws in
            for call in before { try await api.call(call.command, call.fields) }
            api.clock.advance(1)
            let text = api.text(call.command, call.fields)
            let first = await api.post(text)
            #expect(TestReply(first).status == "success")
            _ = await api.post(api.text(between.command, between.fields))
            #expect(await api.post(text) == first)
            #expect(await api.post(text) == first)
        }
    }

    @Test("Replies about a ticket hold until another command changes that ticket")
    func tickets() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func request(_ pass: String) -> String {
                api.text(
                    "sevu.request",
                    ["app": "demo-origin", "video": "s", "pass": .string(pass), "ip": "0.0.0.0/0", "uses": 5])
            }
            let made = await api.post(request("ann"))
            let other = await api.post(request("bob"))
            let key = try #require(TestReply(made)["ticket"]?["key"])
            let otherKey = try #require(TestReply(other)["ticket"]?["key"])
            let revoke = api.text("sevu.revoke", ["key": otherKey])
            let revoked = await api.post(revoke)
            #expect(TestReply(revoked).code == 2002)
            #expect(await api.post(request("ann")) == made)
            #expect(TestReply(await api.post(request("bob"))).code == 9)
            #expect(await api.post(revoke) == revoked)
            let update = api.text("sevu.update", ["key": otherKey, "active": 1])
            #expect(TestReply(await api.post(update)).code == 2004)
            #expect(TestReply(await api.post(revoke)).code == 9)
            // Another account's command cannot touch it.
            #expect(TestReply(await api.post(api.text("sevu.revoke", ["key": key], key: api.other))).code == 2040)
            #expect(await api.post(request("ann")) == made)
        }
    }

    @Test("What is changed without a signature counts as well")
    func changesOfThisMachine() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let account = try #require(try await api.store.account(id: 158))
            let text = api.text("sevu.addstreamuser", Self.user)
            #expect(TestReply(await api.post(text)).code == 2100)
            let removed = await api.service.perform("sevu.removestreamuser", account: account, fields: Self.name)
            #expect(removed.code == .streamUserRemoved)
            #expect(TestReply(await api.post(text)).code == 9)
            #expect(try await api.store.streamUsers(accountID: 158, app: nil, stream: nil) == [])
        }
    }
}
