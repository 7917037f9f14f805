import NIOCore

/// What a client session is to do, and how.
public struct ClientConfiguration: Sendable, Hashable {
    public enum Purpose: Sendable, Hashable {
        case publish
        case play
    }

    public var purpose: Purpose
    /// `app` or `app/instance`, with its query if it has one.
    public var app: String
    /// The stream's name or key, with its query if it has one.
    public var stream: String
    /// The server's address as a URL up to the application; see ``RTMPURL/tcURL``.
    public var tcURL: String
    /// For servers that ask for `authmod=adobe`.
    public var credentials: AdobeAuthentication.Credentials?
    /// Appended to `app` and `tcUrl`: what ``ClientEvent/reconnectWithAuthentication(appQuery:)`` of the last
    /// connection said. Nil for the first.
    public var authenticationQuery: String?
    public var profile = PublishProfile()
    public var limits = RTMPLimits()
    /// From the connection's start to the end of the handshake. Default 10 s.
    public var handshakeTimeout = TimeAmount.seconds(10)
    /// From the connection's start to Publish.Start or Play.Start. Default 20 s.
    public var startTimeout = TimeAmount.seconds(20)
    /// From an unanswered ping to the end. Default 20 s.
    public var pingTimeout = TimeAmount.seconds(20)

    public init(purpose: Purpose, app: String, stream: String, tcURL: String) {
        self.purpose = purpose
        self.app = app
        self.stream = stream
        self.tcURL = tcURL
    }

    /// From a URL; user and password become credentials.
    public init(purpose: Purpose, url: RTMPURL) {
        self.init(purpose: purpose, app: url.app, stream: url.stream, tcURL: url.tcURL)
        if let user = url.user, let password = url.password {
            credentials = AdobeAuthentication.Credentials(user: user, password: password)
        }
    }
}

/// What differs between the servers one pushes to.
public struct PublishProfile: Sendable, Hashable {
    /// Sends `releaseStream` before `createStream`, as encoders do; Wowza can be told to want it or not.
    public var sendReleaseStream = true
    /// Sends `FCPublish`, and `FCUnpublish` at the end; Akamai and others insist.
    public var sendFCPublish = true
    public var flashVersion = RTMP.encoderVersion
    /// Announces the codecs of enhanced RTMP in `connect`. Some old servers stumble over unknown fields.
    public var isEnhanced = false
    /// How `tcUrl` is written.
    public var tcURLForm = TCURLForm.plain

    public enum TCURLForm: Sendable, Hashable {
        /// As the configuration has it.
        case plain
        /// Without the application's query, for servers that compare it with a list.
        case withoutQuery
    }

    public init() {}
}
