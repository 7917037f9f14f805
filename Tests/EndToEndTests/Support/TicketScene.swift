import Basics
import ControlAPI
import Foundation
import TestSupport

/// An origin with a stream `paid` on air that needs a ticket, and what tickets are asked about.
struct TicketScene {
    let origin: OriginProcess
    let account: TestAccount
    let encoder: TinyEncoder?

    /// - Parameters:
    ///   - quick: settings that come before the others.
    ///   - isOnAir: without, the stream is set up and nobody publishes it.
    init(
        quick: [String] = OriginProcess.quick, _ settings: [String] = [], isOnAir: Bool = true
    ) async throws {
        origin = try await OriginProcess(quick + settings)
        account = try await origin.account()
        if isOnAir {
            encoder = try await origin.publish("paid", as: account, ["protection": "sevu"])
        } else {
            try await account.openStream("paid", ["protection": "sevu"])
            encoder = nil
        }
    }

    struct Ticket: Sendable {
        var key: String
        var pass: String
        var query: String { "?key=\(key)&pass=\(pass)" }
    }

    /// `sevu.request`; for stream `paid` and anybody unless the fields say otherwise.
    func ticket(uses: Int, _ more: JSONObject = [:]) async throws -> Ticket {
        let pass = UUID().uuidString
        var fields: JSONObject = [
            "app": "demo-origin", "video": "paid", "pass": .string(pass), "ip": "0.0.0.0/0", "uses": .int(uses),
        ]
        for member in more.members { fields[member.name] = member.value }
        let reply = try await account.succeed("sevu.request", fields)
        guard let key = reply["ticket"]?.objectValue?.string("key"), !key.isEmpty else {
            throw ProgramFailure(description: "no ticket: \(reply.text)")
        }
        return Ticket(key: key, pass: pass)
    }

    func viewer(_ ticket: Ticket, from address: String = "127.0.0.1") -> HLSViewer {
        HLSViewer(url: origin.playlist("paid", query: ticket.query), address: address)
    }

    /// `sevu.status`' remaining uses.
    func remaining(_ ticket: Ticket) async throws -> String {
        try await account.succeed("sevu.status", ["key": .string(ticket.key)]).string("uses")
    }

    /// `sevu.errorcount` of a ticket's attempts.
    func attempts(_ ticket: Ticket, success: Bool? = nil) async throws -> Int64 {
        var fields: JSONObject = ["key": .string(ticket.key)]
        if let success { fields["success"] = .int(success ? 1 : 0) }
        return try await account.succeed("sevu.errorcount", fields).integer("error_count") ?? -1
    }

    /// The rows of `sevu.errorlog`, newest first.
    func log(_ fields: JSONObject = [:]) async throws -> [JSONObject] {
        let reply = try await account.succeed("sevu.errorlog", fields)
        return reply["attempts"]?.arrayValue?.compactMap(\.objectValue) ?? []
    }

    func viewers() async throws -> Int64 {
        try await account.details("paid")?.integer("viewers") ?? 0
    }
}
