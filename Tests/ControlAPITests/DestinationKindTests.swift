import Basics
import PushPublish
import Testing

@testable import ControlAPI

/// A kind of destination is what its declaration says, for every command alike.
struct DestinationKindTests {
    /// A kind that no other code has heard of.
    private struct CarrierPigeon: DestinationKind {
        let service = "pigeon"
        let profile = "feathers"
        private let loft = DestinationField("loft", display: .whole, text: "Where to.").required()
        private let ring = DestinationField("ring_number", aliases: ["ring"], maximumBytes: 8, text: "Which one.")
        var fields: [DestinationField] { [loft, ring] }

        func destination(from values: [String: String]) throws(FieldProblems) -> any PushDestination {
            guard values["loft"] != nil else { throw FieldProblems([.missing("loft")]) }
            return Nest()
        }
    }

    private struct Nest: PushDestination {
        let host = "loft.example"
        let port = 1
        let summary = "a loft"
        let secrets: [String] = []
        let identity = "loft"

        func makeConnection(_ context: PushConnectionContext) -> any PushConnection { Grounded() }
    }

    private final class Grounded: PushConnection {
        func start() {}
        func close() async -> PushCounters { PushCounters() }
        func counters() async -> PushCounters { PushCounters() }
    }

    @Test("A kind of destination is read, checked and shown by its declaration alone")
    func onePlace() async throws {
        try await TestAPI.run(kinds: DestinationKinds([CarrierPigeon()])) { (api: TestAPI) async throws in
            let incomplete = try await api.call("pushpublish.add", ["service_name": "pigeon", "ring": "1234567890"])
            #expect(incomplete.message == "One or more required fields are missing: loft")
            let added = try await api.call(
                "pushpublish.add",
                [
                    "service_name": "pigeon", "loft": "roof", "ring": "abcd-1234", "dst_host": "live.example.com",
                    "app": "demo-origin", "stream": "s",
                ])
            #expect(added.code == 2300)
            // Only what the kind declares is kept.
            let stored = try await api.store.push(id: 1, accountID: 158)?.destination
            #expect(stored == ["loft": "roof", "ring_number": "abcd-1234"])
            let row = try await api.call("pushpublish.services")["services"]?.arrayValue?.first
            #expect(row?["loft"] == "roof")
            #expect(row?["ring_number"] == "****1234")
            let connected = try await api.call("pushpublish.connect", ["push_service_id": 1])
            #expect(connected["entry_name"] == "feathers")
            // The kinds of another server are not this one's.
            let other = try await api.call("pushpublish.add", ["service_name": "rtmp"])
            #expect(other.message == "One or more fields are not valid: service_name must be one of pigeon")
        }
    }
}
