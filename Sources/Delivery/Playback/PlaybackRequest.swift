import Basics
import HTTPTypes
import Hummingbird
import Live
import NIOCore
import Usher

/// A player's request, taken apart once.
struct PlaybackRequest: Sendable {
    let path: PlaybackPath
    let ticket: PresentedTicket
    /// nil when the connection has none, as a Unix socket's; such a viewer matches no ticket's addresses.
    let client: IPAddress?
    let isHead: Bool
    let headers: HTTPFields
    private let serverAddress: String

    /// - Returns: nil when the path is none of ours.
    init?(_ request: Request, context: some PlaybackRequestContext, trustedProxies: [IPNetwork]) {
        guard let path = PlaybackPath(request.uri.path) else { return nil }
        self.path = path
        ticket = PresentedTicket(query: request.uri.query)
        isHead = request.method == .head
        headers = request.headers
        client = ClientAddress.resolve(
            peer: context.remoteAddress?.ipAddress.flatMap { IPAddress($0) },
            forwardedFor: trustedProxies.isEmpty ? [] : request.headers[values: .xForwardedFor],
            trusted: trustedProxies)
        serverAddress = context.localAddress?.ipAddress.flatMap { IPAddress($0)?.description } ?? ""
    }

    /// The viewer, as every decision sees one.
    ///
    /// - Parameter address: where the stream was found: tickets and sessions know it by its own name, not by the
    ///   player's spelling.
    func facts(for address: StreamAddress) -> ViewerFacts {
        ViewerFacts(
            key: ticket.key, pass: ticket.pass, address: client?.description ?? "", app: address.app,
            instance: path.instance, video: address.stream, pageURL: page, serverAddress: serverAddress)
    }

    /// The page that embeds the player: browsers name it, or at least its site, in `Referer`, or else in `Origin`.
    private var page: String {
        let page = headers[.referer] ?? headers[.origin] ?? ""
        return page == "null" ? "" : String(page.prefix(Self.maximumPageLength))
    }

    private static let maximumPageLength = 1_024
}
