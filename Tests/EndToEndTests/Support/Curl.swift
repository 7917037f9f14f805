import Foundation
import TestSupport

/// curl, which can ask from any of the machine's loopback addresses, and for many things at once.
enum Curl {
    struct Request: Sendable {
        var url: String
        /// The local address it comes from.
        var address = "127.0.0.1"
        var headers: [String] = []
    }

    struct Reply: Sendable {
        var status: Int
        var body: String
        /// Where a redirect leads, in full; empty without one.
        var redirect: String
    }

    static func get(_ url: String, from address: String = "127.0.0.1", headers: [String] = []) async throws -> Reply {
        let replies = try await all([Request(url: url, address: address, headers: headers)])
        guard let reply = replies.first else { throw ProgramFailure(description: "no reply from \(url)") }
        return reply
    }

    /// All at once, in one curl; the replies in the requests' order. Redirects are not followed.
    static func all(_ requests: [Request]) async throws -> [Reply] {
        let folder = try Folder()
        let sections = requests.enumerated().map { number, request in
            ([
                "url = \"\(request.url)\"", "interface = \"\(request.address)\"",
                "output = \"\(folder.file("body\(number)"))\"", "silent",
                "write-out = \"\(number) %{http_code} %{redirect_url}\\n\"",
            ] + request.headers.map { "header = \"\($0)\"" }).joined(separator: "\n")
        }
        let head = "parallel\nparallel-immediate\nparallel-max = \(max(1, requests.count))\n"
        let file = try folder.write(head + sections.joined(separator: "\nnext\n") + "\n", to: "requests")
        let result = try await ForeignProgram.run(["curl", "--disable", "--config", file])
        var replies: [Int: Reply] = [:]
        for line in result.text.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard words.count >= 3, let number = Int(words[0]), let status = Int(words[1]) else { continue }
            replies[number] = Reply(status: status, body: folder.read("body\(number)"), redirect: words[2])
        }
        guard replies.count == requests.count else {
            throw ProgramFailure(
                description: "curl: \(replies.count) replies of \(requests.count): \(result.status) \(result.errors)")
        }
        return requests.indices.compactMap { replies[$0] }
    }
}
