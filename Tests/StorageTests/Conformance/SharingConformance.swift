import Foundation
import Storage
import Testing
import Usher

/// Sessions at a time (`Ticket.maximumSessions`).
@Suite("Every store: sharing")
struct SharingConformance {
    private func request(
        _ id: String = SessionID.make(), at seconds: Double = 0, from address: String,
        joining window: TimeInterval? = 60
    ) -> AdmissionRequest {
        .sample(.sample(address: address), now: at(seconds), id: id, joinWindow: window)
    }

    @Test(
        "One session more than a ticket may have is refused, costs nothing, and is logged",
        arguments: StoreKind.allCases)
    func refused(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let ticket = try await store.insertTicket(.sample(uses: 0, maximumSessions: 2))
            #expect(ticket.maximumSessions == 2)
            #expect(try await store.admit(request("one", from: "192.0.2.1")).openedTicket != nil)
            #expect(try await store.admit(request("two", from: "192.0.2.2", joining: nil)).openedTicket != nil)
            for window in [60, nil] as [TimeInterval?] {
                let more = request(from: "192.0.2.3", joining: window)
                #expect(try await store.admit(more) == .refused(.noUsesRemaining))
            }
            // Those who play go on.
            #expect(try await store.admit(request(at: 30, from: "192.0.2.1")).grant?.id == "one")
            #expect(try await store.ticket(key: "k1")?.usedCount == 2)
            #expect(try await store.runningSessions(ofTicket: ticket.id, heardAfter: at(-1)) == 2)
            #expect(try await store.runningSessions(ofTicket: ticket.id, heardAfter: at(0)) == 1)
            #expect(try await store.runningSessions(ofTicket: ticket.id + 1, heardAfter: at(-1)) == 0)
            let log = try await store.attempts(accountID: 1, filter: .init(isSuccess: false), limit: 9, offset: 0)
            #expect(log.map(\.reason) == ["No Uses Remaining"] && log.map(\.repeats) == [2])
        }
    }

    @Test(
        "A session that ends, or that nothing is heard of any more, makes room for another",
        arguments: StoreKind.allCases,
        [60, nil] as [TimeInterval?])
    func room(kind: StoreKind, window: TimeInterval?) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 0, maximumSessions: 1))
            #expect(try await store.admit(request("one", from: "192.0.2.1", joining: window)).openedTicket != nil)
            try await store.endSession(id: "one")
            #expect(try await store.admit(request("two", from: "192.0.2.2", joining: window)).openedTicket != nil)
            try await store.touchSessions([SessionTouch(sessionID: "two", date: at(100))])
            #expect(
                try await store.admit(request(at: 184, from: "192.0.2.3", joining: window))
                    == .refused(.noUsesRemaining))
            #expect(try await store.admit(request("three", at: 185, from: "192.0.2.3", joining: window)).isNew)
        }
    }

    @Test(
        "What a viewer would be told is what he is told, and to ask charges nothing", arguments: StoreKind.allCases,
        [60, nil] as [TimeInterval?])
    func preview(kind: StoreKind, window: TimeInterval?) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 2, maximumSessions: 1))
            #expect(try await store.preview(request(from: "192.0.2.1", joining: window)) == .granted(nil))
            #expect(try await store.admit(request("one", from: "192.0.2.1", joining: window)).isNew)
            let refused = Verdict<String?>.refused(.noUsesRemaining)
            #expect(try await store.preview(request(at: 59, from: "192.0.2.2", joining: window)) == refused)
            // His own session, and what is left of it, are in nobody's way; a connection's is in every other connection's.
            for seconds in [59.0, 61, 84] {
                let own = try await store.preview(request(at: seconds, from: "192.0.2.1", joining: window))
                #expect(own == (window == nil ? refused : .granted(nil)), "\(seconds)")
            }
            #expect(try await store.preview(request(at: 85, from: "192.0.2.2", joining: window)) == .granted(nil))
            #expect(try await store.admit(request("two", at: 85, from: "192.0.2.2", joining: window)).isNew)
            // No use is left, whatever places are.
            #expect(try await store.preview(request(at: 200, from: "192.0.2.1", joining: window)) == refused)
            #expect(
                try await store.preview(request(at: 90, from: "192.0.2.2", joining: window))
                    == (window == nil ? refused : .granted("two")))
            let keyless = AdmissionRequest.sample(.sample(key: nil), now: at(0), joinWindow: window)
            #expect(try await store.preview(keyless) == .refused(.missingTicket))
            #expect(try await store.ticket(key: "k1")?.usedCount == 2)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 2)
        }
    }

    @Test("A viewer who comes back is not refused for what is left of his own session", arguments: StoreKind.allCases)
    func own(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 0, maximumSessions: 1))
            #expect(try await store.admit(request("one", from: "192.0.2.1")).isNew)
            #expect(try await store.admit(request("two", at: 70, from: "192.0.2.1")).isNew)
            #expect(try await store.admit(request(at: 70, from: "192.0.2.2")) == .refused(.noUsesRemaining))
            // On another stream he is another session.
            let other = AdmissionRequest.sample(.sample(video: "film"), now: at(70), joinWindow: 60)
            #expect(try await store.admit(other) == .refused(.noUsesRemaining))
        }
    }

    @Test("Of a hundred who come at once as many are let in as may be", arguments: StoreKind.allCases)
    func atOnce(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 50, maximumSessions: 7))
            let verdicts = try await withThrowingTaskGroup(of: Verdict<AdmittedSession>.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        try await store.admit(
                            self.request(from: "192.0.2.\(number)", joining: number.isMultiple(of: 2) ? 60 : nil))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(verdicts.count { $0.isNew } == 7)
            #expect(verdicts.count { $0 == .refused(.noUsesRemaining) } == 93)
            #expect(try await store.ticket(key: "k1")?.usedCount == 7)
        }
    }
}

extension Verdict<AdmittedSession> {
    fileprivate var isNew: Bool { grant?.isNew ?? false }
}
