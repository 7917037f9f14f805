import Basics
import Storage
import Testing

@Suite("Every store: pushes")
struct PushConformance {
    private func push(
        _ name: String, accountID: AccountID = 1, app: String? = nil, instance: String? = nil, stream: String? = nil,
        autopush: Bool = true
    ) -> PushService {
        PushService(
            accountID: accountID, name: name, service: "rtmp", app: app, instance: instance, stream: stream,
            autopush: autopush,
            destination: ["dst_host": "example.com", "dst_pass": "gehéim \"\u{0}"], created: at(1), updated: at(2))
    }

    @Test("A push comes back as it was stored, to its own account only", arguments: StoreKind.allCases)
    func stored(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var full = push("full", app: "demo-origin", instance: "i", stream: "s")
            full.adaptiveGroup = "group"
            full.pushSource = false
            full.id = try await store.insertPush(full).id
            let plain = try await store.insertPush(push("", autopush: false))
            #expect(try await store.push(id: full.id, accountID: 1) == full)
            #expect(try await store.push(id: full.id, accountID: 2) == nil)
            #expect(try await store.pushes(accountID: 1) == [full, plain])
            #expect(try await store.pushes(accountID: 2) == [])
        }
    }

    @Test("Only its own account changes and removes a push; its id is not given again", arguments: StoreKind.allCases)
    func changed(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var push = try await store.insertPush(push("one", app: "demo-origin"))
            let before = push
            push.name = "two"
            push.service = "youtube"
            push.app = nil
            push.autopush = false
            push.destination = [:]
            push.updated = at(9)
            var foreign = push
            foreign.accountID = 2
            #expect(try await store.updatePush(foreign) == false)
            #expect(try await store.push(id: push.id, accountID: 1) == before)
            #expect(try await store.updatePush(push))
            #expect(try await store.push(id: push.id, accountID: 1) == push)
            #expect(try await store.removePush(id: push.id, accountID: 2) == false)
            #expect(try await store.removePush(id: push.id, accountID: 1))
            #expect(try await store.removePush(id: push.id, accountID: 1) == false)
            #expect(try await store.updatePush(push) == false)
            #expect(try await store.insertPush(before).id > before.id)
        }
    }

    @Test(
        "Autopushes are those of the stream, and of its account those without a source", arguments: StoreKind.allCases)
    func autopushes(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            for push in [
                push("all"), push("app", app: "demo-origin"), push("stream", stream: "show"),
                push("exact", app: "demo-origin", instance: "_definst_", stream: "show"),
                push("other instance", instance: "second"), push("other stream", stream: "film"),
                push("off", autopush: false), push("foreign", accountID: 2),
                push("foreign exact", accountID: 2, app: "demo-origin", stream: "show"),
            ] { _ = try await store.insertPush(push) }
            func names(_ app: String, _ instance: String, _ stream: String) async throws -> [String] {
                try await store.autopushes(app: app, instance: instance, stream: stream).map(\.name)
            }
            #expect(try await names("demo-origin", "_definst_", "show") == ["all", "app", "stream", "exact"])
            #expect(try await names("demo-vod", "second", "show") == ["all", "stream", "other instance"])
            #expect(try await names("other-origin", "_definst_", "show") == ["foreign"])
            #expect(try await names("nobody-origin", "_definst_", "show") == [])
        }
    }
}
