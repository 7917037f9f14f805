import Foundation
import TestSupport

/// What a player does with a master playlist, one request at a time, from an address of its choice.
struct HLSViewer: Sendable {
    /// The master playlist's address with its ticket.
    let url: String
    var address = "127.0.0.1"

    func master() async throws -> Curl.Reply {
        try await Curl.get(url, from: address)
    }

    /// The media playlist's address, as the master playlist gives it.
    func media(in master: Curl.Reply) throws -> String {
        guard master.status == 200,
            let line = master.body.split(whereSeparator: \.isNewline).first(where: { !$0.hasPrefix("#") })
        else { throw ProgramFailure(description: "no media playlist: \(master.status) \(master.body)") }
        return try HLSViewer.resolve(String(line), against: url)
    }

    /// Master, then media playlist: what starts playback.
    func start() async throws -> (url: String, reply: Curl.Reply) {
        let url = try media(in: try await master())
        return (url, try await Curl.get(url, from: address))
    }

    /// The address of a playlist's newest segment.
    static func lastSegment(of playlist: Curl.Reply, at url: String) throws -> String {
        guard let line = playlist.body.split(whereSeparator: \.isNewline).last(where: { !$0.hasPrefix("#") }) else {
            throw ProgramFailure(description: "no segment: \(playlist.status) \(playlist.body)")
        }
        return try resolve(String(line), against: url)
    }

    /// The session in an address's path.
    static func session(in url: String) -> String {
        url.firstMatch(of: /\/sess_([^\/]+)\//).map { String($0.1) } ?? ""
    }

    private static func resolve(_ text: String, against base: String) throws -> String {
        guard let url = URL(string: text, relativeTo: URL(string: base)) else {
            throw ProgramFailure(description: "no address: \(text)")
        }
        return url.absoluteString
    }
}
