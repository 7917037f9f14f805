import Basics
import NIOCore
import NIOSSL
import Usher

/// What the origin's configuration says of pushes (`push.*`).
public struct PushConfiguration: Sendable {
    /// `push.allow_private`: networks beyond the public ones that pushes may go to.
    public var allowPrivate: [IPNetwork]
    /// `push.connect_timeout`: from the start of the name lookup until the destination accepts the stream.
    public var connectTimeout: TimeAmount
    /// `push.send_timeout`: without any acknowledged byte, while some wait to be, a connection is given up.
    public var sendTimeout: TimeAmount
    /// `push.retry_initial`, `push.retry_max`, `push.permanent_retry`.
    public var backOff: BackOff.Limits
    /// `push.max_per_account`: sessions of one account at a time.
    public var maxPerAccount: Int
    /// Connections of one account on their way to one host and port at a time; accepted ones do not count. All accounts
    /// together may have four times as many.
    public var connectingPerEndpoint: Int
    /// How long the last commands to the destination may take until its connection is cut.
    public var closeTimeout: TimeAmount
    /// Bytes that may wait in this process for a destination to take them, beyond the message being written.
    public var sendBuffer: Int
    /// Certificates of authorities that destinations' certificates are checked against.
    public var trustRoots: NIOSSLTrustRoots

    public init(
        allowPrivate: [IPNetwork] = [], connectTimeout: TimeAmount = .seconds(10),
        sendTimeout: TimeAmount = .seconds(10),
        backOff: BackOff.Limits = BackOff.Limits(), maxPerAccount: Int = 100, connectingPerEndpoint: Int = 8,
        closeTimeout: TimeAmount = .seconds(1), sendBuffer: Int = 256 << 10, trustRoots: NIOSSLTrustRoots = .default
    ) {
        self.allowPrivate = allowPrivate
        self.connectTimeout = connectTimeout
        self.sendTimeout = sendTimeout
        self.backOff = backOff
        self.maxPerAccount = maxPerAccount
        self.connectingPerEndpoint = connectingPerEndpoint
        self.closeTimeout = closeTimeout
        self.sendBuffer = sendBuffer
        self.trustRoots = trustRoots
    }
}
