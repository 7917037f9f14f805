import Live
import Logging
import RTMP
import Storage

/// What RTMP connections work with: one set for all of them.
struct RTMPServices: Sendable {
    let stage: Stage
    let admissions: Admissions
    let authorizer: PublishAuthorizer
    let challenges: ChallengeAuthentication
    let events: OriginEventLog
    let store: any Store
    let registry: RTMPConnectionRegistry
    let configuration: PlayhouseConfiguration
    let logger: Logger

    /// What a hub is made with: the stream's own settings over the configured ones.
    func hubSettings(_ own: StreamGrantSettings) -> HubSettings {
        let live = configuration.live
        return HubSettings(
            reconnectWindow: own.reconnectWindow ?? live.reconnectWindow.wholeSeconds,
            endsOnUnpublish: own.endsOnUnpublish, takeoverAfter: live.takeoverAfter.wholeSeconds,
            latency: live.latency.wholeMilliseconds, ring: BatchRing.Limits(bytes: live.gopBytes),
            slowViewerTimeout: live.slowViewerTimeout.wholeSeconds)
    }

    var sessionConfiguration: ServerSession.Configuration {
        var session = ServerSession.Configuration()
        session.limits.maxMediaMessageSize = configuration.rtmp.maxMessage
        session.handshakeTimeout = .milliseconds(Int64(configuration.rtmp.handshakeTimeout.wholeMilliseconds))
        session.connectTimeout = session.handshakeTimeout + session.handshakeTimeout
        return session
    }
}
