import Admission
import Live
import Logging
import Media
import NIOCore
import RTMP

/// How RTMP connections are treated (`rtmp.*`, `live.*`).
public struct RTMPServerConfiguration: Sendable {
    /// For the handshake, and again for `connect`.
    public var handshakeTimeout: TimeAmount
    /// A publisher from whom nothing is received for this long is disconnected.
    public var idleTimeout: TimeAmount
    /// Bytes of one media message.
    public var maximumMessage: Int
    /// What a hub is made with where the stream's settings say nothing else.
    public var hub: HubSettings

    public init(handshakeTimeout: TimeAmount, idleTimeout: TimeAmount, maximumMessage: Int, hub: HubSettings) {
        self.handshakeTimeout = handshakeTimeout
        self.idleTimeout = idleTimeout
        self.maximumMessage = maximumMessage
        self.hub = hub
    }
}

/// What RTMP connections work with: one set for all of them.
public struct RTMPServices: Sendable {
    let stage: Stage
    let admissions: Admissions
    let authorizer: PublishAuthorizer
    let challenges: ChallengeAuthentication
    let events: OriginEventLog
    let registry: RTMPConnectionRegistry
    let configuration: RTMPServerConfiguration
    let logger: Logger
    /// For lines that strangers cause.
    let log: LogLimiter

    public init(
        stage: Stage, admissions: Admissions, authorizer: PublishAuthorizer, challenges: ChallengeAuthentication,
        events: OriginEventLog, registry: RTMPConnectionRegistry, configuration: RTMPServerConfiguration,
        logger: Logger, log: LogLimiter
    ) {
        self.stage = stage
        self.admissions = admissions
        self.authorizer = authorizer
        self.challenges = challenges
        self.events = events
        self.registry = registry
        self.configuration = configuration
        self.logger = logger
        self.log = log
    }

    /// What a hub is made with: the stream's own settings over the configured ones.
    func hubSettings(_ own: StreamGrantSettings) -> HubSettings {
        var settings = configuration.hub
        settings.reconnectWindow = own.reconnectWindow.map { .seconds($0) } ?? settings.reconnectWindow
        settings.endsOnUnpublish = own.endsOnUnpublish
        return settings
    }

    var sessionConfiguration: ServerSession.Configuration {
        var session = ServerSession.Configuration()
        session.limits.maxMediaMessageSize = configuration.maximumMessage
        session.handshakeTimeout = configuration.handshakeTimeout
        session.connectTimeout = session.handshakeTimeout + session.handshakeTimeout
        return session
    }
}
