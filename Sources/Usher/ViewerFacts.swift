/// What is known of somebody who asks to watch, whatever the protocol: the input of every decision.
public struct ViewerFacts: Sendable, Hashable, Codable {
    /// How the viewer is sent the stream.
    public enum Delivery: String, Sendable, Hashable, Codable {
        case hls, dash, flv, rtmp
    }

    public enum Place: Sendable, Hashable, Codable {
        /// There are no lists, or nobody has looked.
        case unasked
        case admitted
        case denied
    }

    /// Ticket key as presented; nil when none was.
    public var key: String?
    public var pass: String?
    /// Signed token as presented, with its name (`hdnea=…`, `hdntl=…`); nil when none was.
    public var token: String?
    /// What paths of tokens are matched against: of the URL asked for, or on HLS of the stream's master playlist, whatever of
    /// the stream is asked for.
    public var path: String
    /// The viewer's address, textual IPv4 or IPv6 without port or zone.
    public var address: String
    /// The address is a proxy's that nobody vouches for, and such a viewer is to be let in nowhere.
    public var isAddressHidden: Bool
    /// What the stream's lists of countries and networks say of the address.
    public var place: Place
    public var app: String
    public var instance: String
    /// Stream name or VOD path, prefixes `mp4:`/`flv:`/`smil:` already removed.
    public var video: String
    /// The page that embeds the player, and what referred to it; empty when unknown.
    public var pageURL: String
    public var referrerURL: String
    /// The address of this server that the viewer reached.
    public var serverAddress: String
    /// No decision depends on it.
    public var delivery: Delivery

    public init(
        key: String?, pass: String?, token: String? = nil, path: String = "", address: String,
        isAddressHidden: Bool = false,
        place: Place = .unasked, app: String, instance: String, video: String,
        pageURL: String = "", referrerURL: String = "", serverAddress: String = "", delivery: Delivery = .hls
    ) {
        self.key = key
        self.pass = pass
        self.token = token
        self.path = path
        self.address = address
        self.isAddressHidden = isAddressHidden
        self.place = place
        self.app = app
        self.instance = instance
        self.video = video
        self.pageURL = pageURL
        self.referrerURL = referrerURL
        self.serverAddress = serverAddress
        self.delivery = delivery
    }
}
