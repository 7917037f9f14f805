import Crypto
import Foundation
import NIOCore

/// The page that plays a stream, at the stream's own address, and the library (hls.js) that it loads for browsers that cannot play
/// HLS themselves. The page is the same bytes for all streams and viewers: it reads its own address.
struct PlayerPage: Sendable {
    private let html: PlaylistBody
    private let policy: String
    private let script: PlaylistBody?

    /// - Parameters:
    ///   - library: nil: there is none, and such browsers are told that they cannot play.
    ///   - embedders: sites that may have the page in a frame, as `hls.cors_origin` has them.
    init(library: ByteBuffer?, embedders: [String]) {
        script = library.map { PlaylistBody($0) }
        var text = String(decoding: PackageResources.player_html, as: UTF8.self)
        if let script {
            // By its version, so that browsers may keep it. Seen from a stream's folder, so that it holds behind any proxy.
            let address = "../../..\(Self.libraryPath)?\(Self.version(of: script))"
            text = text.replacing("data-hls-js=\"\"", with: "data-hls-js=\"\(address)\"")
        }
        html = PlaylistBody(ByteBuffer(string: text))
        // The page runs its own script and what that loads from here, and talks to this server alone: what is in its address
        // cannot be sent anywhere else.
        policy = [
            "default-src 'none'", "script-src '\(Self.hash(of: "script", in: text))' 'strict-dynamic'",
            "style-src '\(Self.hash(of: "style", in: text))'", "img-src 'self' data:", "media-src 'self' blob:",
            "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors " + (embedders.contains("*") ? "*" : (["'self'"] + embedders).joined(separator: " ")),
        ].joined(separator: "; ")
    }

    func reply(to head: RequestHead) -> PlaybackReply {
        var reply = PlaybackReply.document(html, "text/html; charset=utf-8", to: head, cache: .page)
        reply.add("Content-Security-Policy", policy)
        // A ticket in the page's address is in nobody's log as a referrer, not in ours either.
        reply.add("Referrer-Policy", "strict-origin")
        reply.add("X-Content-Type-Options", "nosniff")
        return reply
    }

    /// The library; nil: there is none.
    func library(for head: RequestHead) -> PlaybackReply? {
        guard let script else { return nil }
        let isVersioned = RequestTarget(head.target).query.map { $0 == Self.version(of: script) } ?? false
        var reply = PlaybackReply.document(
            script, "text/javascript; charset=utf-8", to: head, cache: isVersioned ? .publicFile : .page)
        reply.add("X-Content-Type-Options", "nosniff")
        return reply
    }

    static func hasLibrary(at target: String) -> Bool {
        RequestTarget(target).path == libraryPath
    }

    private static let libraryPath = "/player/hls.js"

    private static func version(of script: PlaylistBody) -> String {
        script.entityTag.filter { $0 != "\"" }
    }

    /// What the policy knows an element's text by.
    private static func hash(of element: String, in text: String) -> String {
        guard let start = text.range(of: "<\(element)>"), let end = text.range(of: "</\(element)>") else { return "" }
        let digest = SHA256.hash(data: Data(text[start.upperBound..<end.lowerBound].utf8))
        return "sha256-" + Data(digest).base64EncodedString()
    }
}
