import Logging

extension ConfigurationKey {
    /// The groups, in the order of the documentation, each with what it is about.
    public static let groups: [(name: String, text: String)] = [
        ("server", "The process as a whole."),
        ("http", "The listener of the API, playlists and segments."),
        ("rtmp", "The listener of encoders and RTMP viewers."),
        ("live", "Streams between their publisher and all who receive them."),
        ("hls", "Segments, playlists and HLS sessions."),
        ("usher", "Who may watch."),
        ("push", "Streams that leave for other platforms."),
        ("api", "The signed API."),
        ("storage", "What survives a restart."),
        ("limits", "Ceilings, so that no peer can take more than its share."),
        ("log", "The log, on standard error."),
        ("compat", "Quirks of the API this one follows; off by default."),
    ]

    /// Every key there is.
    public static let all: [ConfigurationKey] =
        server + http + rtmp + live + hls + usher + push + api + storage + limits
        + log + compat

    private static let server = [
        ConfigurationKey(
            "server.public_host", \.server.publicHost, .hostOrEmpty,
            "The host in addresses that replies show. Empty: the machine's host name, or 127.0.0.1 if it has none."),
        ConfigurationKey(
            "server.event_loops", \.server.eventLoops, .integer(0...1024),
            "Threads that move bytes. 0: one per processor core."),
        ConfigurationKey(
            "server.drain_timeout", \.server.drainTimeout, .duration(.zero ... .seconds(600)),
            "After SIGTERM: how long viewers, pushes and encoders may take to end before they are cut off."),
    ]

    private static let http = [
        ConfigurationKey(
            "http.listen", \.http.listen, .address,
            "Where the API and HLS are served. Port 0 lets the system choose one."),
        ConfigurationKey(
            "http.idle_timeout", \.http.idleTimeout, .duration(.seconds(1) ... .seconds(3600)),
            "A connection on which no request arrives for this long is closed."),
        ConfigurationKey(
            "http.trusted_proxies", \.http.trustedProxies, .networks,
            """
            Proxies in front of this origin. Only from these addresses is the viewer's address taken from X-Forwarded-For.
            """),
    ]

    private static let rtmp = [
        ConfigurationKey(
            "rtmp.listen", \.rtmp.listen, .address,
            "Where encoders publish and RTMP players connect. Port 0 lets the system choose one."),
        ConfigurationKey(
            "rtmp.handshake_timeout", \.rtmp.handshakeTimeout, .duration(.seconds(1) ... .seconds(60)),
            "The handshake must be done by then, connect in twice the time; a client then has 30 s to publish or play."),
        ConfigurationKey(
            "rtmp.idle_timeout", \.rtmp.idleTimeout, .duration(.seconds(5) ... .seconds(3600)),
            "An encoder that sends nothing for this long is disconnected."),
        ConfigurationKey(
            "rtmp.max_message", \.rtmp.maxMessage, .bytes(64 << 10...64 << 20),
            "The largest message (one video frame) accepted; a longer one ends the connection."),
        ConfigurationKey(
            "rtmp.challenge_apps", \.rtmp.challengeApps, .patterns,
            """
            Apps whose encoders, when they bring no credentials, are asked for them by Adobe's challenge at connect, which \
            some hardware encoders need. Others are refused at publish.
            """),
    ]

    private static let api = [
        ConfigurationKey(
            "api.timestamp_window", \.api.timestampWindow, .duration(.seconds(1) ... .seconds(3600)),
            """
            How far a request's timestamp may be from this machine's clock. A request seen again within it is given the \
            first one's reply.
            """),
        ConfigurationKey(
            "api.rate_limit", \.api.rateLimit, .integer(0...100_000),
            "Failed signatures per minute from one address before it is answered 429; failed publish logins, apart. 0: no limit."
        ),
    ]

    private static let limits = [
        ConfigurationKey(
            "limits.connections", \.limits.connections, .integer(1...10_000_000),
            "Connections at one time, HTTP and RTMP together."),
        ConfigurationKey(
            "limits.connections_per_address", \.limits.connectionsPerAddress, .integer(1...10_000_000),
            "Connections at one time from one address (IPv6: one /64). Trusted proxies are not counted."),
        ConfigurationKey(
            "limits.memory", \.limits.memory, .bytes(64 << 20...1 << 40),
            "What the rings and segments of all streams may take together. A stream that does not fit is refused."),
        ConfigurationKey(
            "limits.body", \.limits.body, .bytes(16 << 10...1 << 20),
            "The largest API request accepted; a longer one is answered 413."),
    ]

    private static let log = [
        ConfigurationKey(
            "log.level", \.log.level, .choice,
            "The least important messages shown. trace and debug are for finding faults."),
        ConfigurationKey(
            "log.format", \.log.format, .choice,
            "Lines for people, or one JSON object per line for a log collector."),
    ]

    private static let compat = [
        ConfigurationKey(
            "compat.accept_password_hash", \.compat.acceptPasswordHash, .flag,
            "Whether an encoder may send the stored hash of its password in the password's place.")
    ]
}
