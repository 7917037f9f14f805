import Basics
import HLS
import Live
import Usher

/// The two ends of a connection, as the playback routes want them; read once for each connection.
struct PlaybackConnection: Sendable {
    /// nil when there is none, as with a Unix socket.
    var client: IPAddress?
    /// The address of this server that the client reached; empty when there is none.
    var server: String
    /// Inside TLS.
    var isSecure = false
    /// What was asked for last: a player asks for one file after the other of one folder.
    var lastPath: PlaybackPath?
}

/// A player's request, taken apart once.
struct PlaybackRequest: Sendable {
    let path: PlaybackPath
    let ticket: PresentedTicket
    /// nil when the connection has none, as a Unix socket's; such a viewer matches no ticket's addresses.
    let client: IPAddress?
    let isHead: Bool
    let head: RequestHead
    /// What is wanted of a playlist.
    let wish: PlaylistWish
    /// An edge asks in the viewer's name.
    let isOfEdge: Bool
    /// A proxy that is not in `http.trusted_proxies` says whom it asks for: `client` is the proxy, and who watches is not known.
    let isForwardedByStranger: Bool
    /// It came inside TLS.
    let isSecure: Bool
    private let serverAddress: String
    private let encodedPath: Substring
    private let encodedQuery: Substring?

    /// - Parameter edge: what an edge that asks in the viewer's name says of him; nil: the viewer asks for himself.
    /// - Returns: nil when the path is none of ours.
    init?(
        _ head: RequestHead, for edge: EdgeQuestion.Viewer? = nil, over connection: PlaybackConnection,
        trustedProxies: [IPNetwork]
    ) {
        let target = RequestTarget(edge?.target ?? head.target)
        guard let path = PlaybackPath(target.path, after: connection.lastPath) else { return nil }
        self.path = path
        self.head = head
        encodedPath = target.path
        encodedQuery = target.query
        ticket = PresentedTicket(query: target.query, cookies: head.all(.cookie))
        // An edge asks whether, and not when.
        wish =
            path.resource.isPlaylist ? PlaylistWish(query: target.query, takesDirectives: edge == nil) : PlaylistWish()
        isOfEdge = edge != nil
        isHead = edge?.isHead ?? (head.method == .head)
        let forwardedFor = edge?.forwardedFor ?? head.all(.forwardedFor)
        client = ClientAddress.resolve(peer: connection.client, forwardedFor: forwardedFor, trusted: trustedProxies)
        isForwardedByStranger =
            !forwardedFor.isEmpty && !trustedProxies.contains { proxy in connection.client.map(proxy.contains) ?? true }
        serverAddress = connection.server
        isSecure = connection.isSecure
    }

    /// The folder of the stream as the player spells it, encoded, for a cookie that is good for what lies in it; nil when it
    /// cannot stand in one.
    var streamFolder: String? {
        let parts = encodedPath.split(separator: "/").dropLast(1 + path.foldersDown)
        let folder = "/" + parts.joined(separator: "/") + "/"
        return folder.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ";") } ? folder : nil
    }

    /// From the stream's name to the folder of that name, with the query. It begins with a dot, so that no name, `mp4:…` for one,
    /// is taken for another site's address.
    var folderURI: String {
        let name = encodedPath.split(separator: "/").last ?? ""
        return "./\(name)/" + (encodedQuery.map { "?\($0)" } ?? "")
    }

    /// The viewer, as every decision sees one.
    ///
    /// - Parameters:
    ///   - address: where the stream was found: tickets and sessions know it by its own name, not by the player's spelling.
    ///   - trustsStrangers: whether a proxy that is not trusted counts as the viewer itself.
    func facts(for address: StreamAddress, trustsStrangers: Bool) -> ViewerFacts {
        ViewerFacts(
            key: ticket.key, pass: ticket.pass, token: ticket.token ?? ticket.cookie, path: path.masterPlaylist,
            address: client?.description ?? "",
            isAddressHidden: isForwardedByStranger && !trustsStrangers, app: address.app, instance: path.instance,
            video: address.stream, pageURL: page, serverAddress: serverAddress, delivery: delivery)
    }

    private var delivery: ViewerFacts.Delivery {
        switch path.resource {
        case .flv: .flv
        case .mediaPlaylist(.dash): .dash
        default: .hls
        }
    }

    /// The page that embeds the player: browsers name it, or at least its site, in `Referer`, or else in `Origin`.
    private var page: String {
        let page = head[.referer] ?? head[.origin] ?? ""
        return page == "null" ? "" : String(page.prefix(Self.maximumPageLength))
    }

    private static let maximumPageLength = 1_024
}

/// What the query of a playlist's address says of the playlist.
struct PlaylistWish: Sendable {
    private(set) var directives = PlaylistDirectives()
    /// `format=ts`, `format=fmp4`; nil: as the stream is given by default.
    private(set) var container: SegmentContainer?
    /// `only=audio`, or Wowza's `wowzaaudioonly`: audio alone, of a master playlist.
    private(set) var isAudioAlone = false
    /// A sentence about a parameter that cannot be obeyed.
    private(set) var problem: String?

    init() {}

    /// - Parameters:
    ///   - query: without the question mark.
    ///   - takesDirectives: whether the answer may wait.
    init(query: Substring?, takesDirectives: Bool) {
        guard var query, query.utf8.count <= Self.maximumQuery else { return }
        query.withUTF8 { query in
            var start = 0
            while start < query.count {
                let end = query[start...].firstIndex(of: UInt8(ascii: "&")) ?? query.count
                let parameter = query[start..<end]
                start = end + 1
                // Most are the ticket's.
                guard let first = parameter.first, "_fow".utf8.contains(first) else { continue }
                let equals = parameter.firstIndex(of: UInt8(ascii: "=")) ?? parameter.endIndex
                take(
                    String(decoding: parameter[..<equals], as: UTF8.self),
                    String(decoding: parameter[equals...].dropFirst(), as: UTF8.self), takesDirectives)
            }
        }
        if !directives.isComplete { problem = "_HLS_part needs _HLS_msn" }
    }

    private mutating func take(_ name: String, _ value: String, _ takesDirectives: Bool) {
        if name == "format" {
            switch value {
            case "ts": container = .transportStream
            case "fmp4": container = .fragmentedMP4
            default: problem = "format is ts or fmp4"
            }
        } else if name == "only" {
            isAudioAlone = value == "audio"
            if !isAudioAlone { problem = "only is audio" }
        } else if name == "wowzaaudioonly" {
            isAudioAlone = true
        } else if takesDirectives, let wrong = directives.take(name, value) {
            problem = wrong == "_HLS_skip" ? "_HLS_skip is YES or v2" : "\(wrong) is a number"
        }
    }

    private static let maximumQuery = 8_192
}

extension PlaybackPath.Resource {
    fileprivate var isPlaylist: Bool {
        switch self {
        case .masterPlaylist, .mediaPlaylist: true
        case .file, .thumbnail, .page, .time, .flv: false
        }
    }

    /// Not a part of one, and not what a decoder begins with.
    var isSegment: Bool {
        switch self {
        case .file(.segment), .file(.trackSegment): true
        default: false
        }
    }
}

/// A request's target in its two parts (RFC 9112 §3.2).
struct RequestTarget {
    /// Percent-encoded; of an absolute target, what follows the host.
    let path: Substring
    /// Without the question mark; nil when there is none.
    let query: Substring?

    init(_ uri: String) {
        var uri = uri
        let (start, end, mark) = uri.withUTF8 { bytes in
            var start = 0
            if bytes.first != UInt8(ascii: "/"),
                bytes.starts(with: "http://".utf8) || bytes.starts(with: "https://".utf8)
            {
                // Whoever speaks to a proxy names the server as well.
                let host = bytes.drop { $0 != UInt8(ascii: "/") }.dropFirst(2)
                start = host.firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
            }
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "#")) ?? bytes.count
            return (start, end, bytes[start..<end].firstIndex(of: UInt8(ascii: "?")))
        }
        func text(_ from: Int, _ to: Int) -> Substring {
            Substring(uri.utf8.dropFirst(from).prefix(to - from))
        }
        path = text(start, mark ?? end)
        query = mark.map { text($0 + 1, end) }
    }
}
