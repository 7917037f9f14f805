import NIOCore

extension ServerSession {
    /// What a session is set up with.
    public struct Configuration: Sendable, Hashable {
        public var limits = RTMPLimits()
        /// From the connection's start to the end of the handshake. Default 5 s.
        public var handshakeTimeout = TimeAmount.seconds(5)
        /// From the connection's start to `connect`. Default 10 s.
        public var connectTimeout = TimeAmount.seconds(10)
        /// From `connect`, or the end of the last stream, to `publish` or `play`. Default 30 s.
        public var idleTimeout = TimeAmount.seconds(30)
        /// From an unanswered ping to the end. Default 20 s.
        public var pingTimeout = TimeAmount.seconds(20)

        public init() {}
    }
}
