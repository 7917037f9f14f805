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
    /// How long a peer has to take the last word.
    var farewell = TimeAmount.seconds(2)

    public init(handshakeTimeout: TimeAmount, idleTimeout: TimeAmount, maximumMessage: Int, hub: HubSettings) {
        self.handshakeTimeout = handshakeTimeout
        self.idleTimeout = idleTimeout
        self.maximumMessage = maximumMessage
        self.hub = hub
    }

    /// A peer that takes none of its replies for this long is closed: the same patience as with viewers that stay behind.
    var slowPeerTimeout: TimeAmount { TimeAmount(hub.slowViewerTimeout) }

    var session: ServerSession.Configuration {
        var session = ServerSession.Configuration()
        session.limits.maxMediaMessageSize = maximumMessage
        session.handshakeTimeout = handshakeTimeout
        session.connectTimeout = handshakeTimeout + handshakeTimeout
        return session
    }

    /// What a hub is made with: the stream's own settings over the configured ones.
    func hubSettings(_ own: StreamGrantSettings) -> HubSettings {
        var settings = hub
        settings.reconnectWindow = own.reconnectWindow.map { .seconds($0) } ?? settings.reconnectWindow
        settings.endsOnUnpublish = own.endsOnUnpublish ?? settings.endsOnUnpublish
        return settings
    }
}

/// What RTMP connections work with: one set for all of them.
public struct RTMPEnvironment: Sendable {
    let configuration: RTMPServerConfiguration
    let stage: Stage
    let memory: MemoryBudget
    let admissions: Admissions
    let authorizer: PublishAuthorizer
    let challenges: ChallengeAuthentication
    let events: OriginEventLog
    let logger: Logger
    /// For lines that strangers cause.
    let log: LogLimiter

    public init(
        configuration: RTMPServerConfiguration, stage: Stage, memory: MemoryBudget, admissions: Admissions,
        authorizer: PublishAuthorizer, challenges: ChallengeAuthentication, events: OriginEventLog, logger: Logger,
        log: LogLimiter
    ) {
        self.configuration = configuration
        self.stage = stage
        self.memory = memory
        self.admissions = admissions
        self.authorizer = authorizer
        self.challenges = challenges
        self.events = events
        self.logger = logger
        self.log = log
    }
}
