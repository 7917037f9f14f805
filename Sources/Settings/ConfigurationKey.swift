import Logging
import Storage

/// One key of the configuration: the row of the table that reading, checking, `playhouse config print-default` and
/// docs/configuration.md all follow.
public struct ConfigurationKey: Sendable {
    /// `group.name`, such as `http.listen`.
    public let name: String
    /// What kind of value: `duration`, `host:port` …
    public let type: String
    /// The unit of a plain number; empty when there is none.
    public let unit: String
    /// The values allowed; empty when all of the type are.
    public let range: String
    public let isList: Bool
    let mayBeSingle: Bool
    public let defaultValue: RawSetting
    /// What it is for, in a sentence or three.
    public let text: String
    /// Completes "expected …".
    let expectation: String
    /// Puts a value into the configuration.
    let assign: @Sendable (RawSetting, inout PlayhouseConfiguration) throws(UnacceptableValue) -> Void

    /// The default is what `PlayhouseConfiguration()` has at `path`.
    init<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<PlayhouseConfiguration, Value> & Sendable,
        _ kind: ConfigurationKind<Value>, _ text: String
    ) {
        self.name = name
        self.text = text
        type = kind.type
        unit = kind.unit
        range = kind.range
        isList = kind.isList
        mayBeSingle = kind.mayBeSingle
        expectation = kind.expectation
        defaultValue = kind.print(PlayhouseConfiguration()[keyPath: path])
        assign = { (raw, configuration) throws(UnacceptableValue) in
            configuration[keyPath: path] = try kind.parse(raw)
        }
    }

    /// `http` of `http.listen`.
    public var group: String {
        String(name.prefix { $0 != "." })
    }

    /// `listen` of `http.listen`.
    public var member: String {
        String(name.drop { $0 != "." }.dropFirst())
    }

    /// The environment variable that overrides it: `PLAYHOUSE_HTTP_LISTEN`.
    public var variable: String {
        Self.variablePrefix + name.uppercased().replacing(".", with: "_")
    }

    static let variablePrefix = "PLAYHOUSE_"
}

extension ConfigurationKey {
    /// The groups, in the order of the documentation, each with what it is about.
    public static let groups: [(name: String, text: String)] = [
        ("server", "The process as a whole."),
        ("http", "The listener of the API, playlists and segments."),
        ("https", "The same listener inside TLS."),
        ("rtmp", "The listener of encoders and RTMP viewers."),
        ("rtmps", "The same listener inside TLS."),
        ("live", "Streams between their publisher and all who receive them."),
        ("hls", "Segments, playlists and HLS sessions."),
        ("player", "The page at a stream's address that plays it."),
        ("thumbnail", "Pictures of what streams show: thumbnail.jpg."),
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
        server + http + https + rtmp + rtmps + live + hls + player + thumbnail + usher + push + api + storage + limits
        + log + compat

    private static let server = [
        ConfigurationKey(
            "server.public_host", \.server.publicHost, .hostOrEmpty,
            "The host in addresses that replies show. Empty: the machine's host name, or 127.0.0.1 if it has none."),
        ConfigurationKey(
            "server.public_url", \.server.publicURL, .webAddressOrEmpty,
            """
            What players' addresses in replies begin with, such as https://live.example.com where a proxy does TLS. Empty: https \
            with server.public_host and the port of https.listen, or without that http and the port of http.listen.
            """),
        ConfigurationKey(
            "server.event_loops", \.server.eventLoops, .integer(0...1024),
            "Threads that move bytes. 0: one per processor core that the process may use."),
        ConfigurationKey(
            "server.drain_timeout", \.server.drainTimeout, .duration(.zero ... .seconds(600)),
            "After SIGTERM: how long viewers, pushes and encoders may take to end before they are cut off."),
        ConfigurationKey(
            "server.upgrade_timeout", \.server.upgradeTimeout,
            .duration(.milliseconds(100) ... .seconds(30), unit: .milliseconds),
            """
            The same when the listening sockets stay open, after SIGUSR2 or with sockets of systemd: whoever comes meanwhile \
            waits as long, so it is short. An answer that is not sent by then is cut off, and players ask once more.
            """),
        ConfigurationKey(
            "server.resume_within", \.server.resumeWithin, .duration(.zero ... .seconds(600)),
            """
            How soon after an orderly end a start goes on with the playlists and viewing sessions of before. 0: never, and \
            nothing is kept for it.
            """),
    ]

    private static let http = [
        ConfigurationKey(
            "http.listen", \.http.listen, .address,
            "Where the API and HLS are served. Port 0 lets the system choose one."),
        ConfigurationKey(
            "http.idle_timeout", \.http.idleTimeout, .duration(.seconds(1) ... .seconds(3600)),
            "A connection on which no request begins for this long, and no response is on its way, is closed."),
        ConfigurationKey(
            "http.header_timeout", \.http.headerTimeout, .duration(.seconds(1) ... .seconds(300)),
            "How long a request's header may take from its first byte; a longer one is answered 408."),
        ConfigurationKey(
            "http.body_timeout", \.http.bodyTimeout, .duration(.seconds(1) ... .seconds(3600)),
            "How long a request's body may take after its header; a longer one is answered 408."),
        ConfigurationKey(
            "http.send_timeout", \.http.sendTimeout, .duration(.seconds(1) ... .seconds(3600)),
            """
            A client that takes less than 16 KiB of a waiting response in this time is closed. A download that goes on is never \
            cut, however long it takes in all. Less time is given when memory is short.
            """),
        ConfigurationKey(
            "http.trusted_proxies", \.http.trustedProxies, .networks,
            """
            Proxies in front of this origin. Only from these addresses is the viewer's address taken from X-Forwarded-For.
            """),
    ]

    private static let https = [
        ConfigurationKey(
            "https.listen", \.https.listen, .addressOrEmpty,
            """
            Where the API and HLS are served with TLS 1.2 and 1.3. Empty: nowhere. The http.* keys hold here as well; http.listen \
            stays, and may be an address of the machine itself, such as 127.0.0.1:8080.
            """),
        ConfigurationKey(
            "https.certificate", \.https.certificates, .paths,
            """
            PEM files, each with a certificate and those between it and its authority, read again within seconds when they are \
            replaced. Of several the one that has the name a client asks for is taken, else the first. A relative path starts \
            where that of storage.path does.
            """),
        ConfigurationKey(
            "https.key", \.https.keys, .paths,
            """
            PEM files, each with the key of a certificate, in the order of https.certificate: RSA or ECDSA, not encrypted. Empty: \
            the keys are in the certificates' files.
            """),
    ]

    private static let rtmps = [
        ConfigurationKey(
            "rtmps.listen", \.rtmps.listen, .addressOrEmpty,
            """
            Where encoders publish and RTMP players connect with TLS 1.2 and 1.3. Empty: nowhere. The rtmp.* keys hold here as \
            well.
            """),
        ConfigurationKey(
            "rtmps.certificate", \.rtmps.certificates, .paths,
            "As https.certificate. Empty: the certificates and keys of https."),
        ConfigurationKey("rtmps.key", \.rtmps.keys, .paths, "As https.key."),
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

    private static let live = [
        ConfigurationKey(
            "live.takeover_after", \.live.takeoverAfter, .duration(.seconds(1) ... .seconds(300)),
            """
            A second encoder is refused while the first is sending; once the first has been silent for this long, the \
            second takes its place and viewers stay.
            """),
        ConfigurationKey(
            "live.backup_suffix", \.live.backupSuffix, .nameSuffixOrEmpty,
            """
            A second encoder that publishes the stream's name with this behind it is the stream's backup: viewers of the stream \
            get what it sends while the primary encoder is away. Empty: there are no backups, and such a name is a stream of its own.
            """),
        ConfigurationKey(
            "live.backup_after", \.live.backupAfter, .duration(.seconds(1) ... .seconds(60)),
            """
            The encoder on air counts as gone when it has sent no audio or video for this long while the stream's other encoder \
            has; that one goes on air. A connection that ends does so at once.
            """),
        ConfigurationKey(
            "live.primary_after", \.live.primaryAfter, .duration(.zero ... .seconds(3600)),
            """
            A primary encoder that is back is on air again, from a keyframe on, when it has sent for this long without a break of \
            half of live.backup_after.
            """),
        ConfigurationKey(
            "live.reconnect_window", \.live.reconnectWindow, .duration(.zero ... .seconds(1800)),
            """
            How long viewers and pushes wait for an encoder whose connection broke before the stream ends. A stream's own \
            setting goes first.
            """),
        ConfigurationKey(
            "live.latency", \.live.latency, .duration(.zero ... .milliseconds(2000), unit: .milliseconds),
            "How long frames may be gathered before they go to many RTMP viewers at once. 0: every frame at once."),
        ConfigurationKey(
            "live.gop_bytes", \.live.gopBytes, .bytes(1 << 20...1 << 30),
            "The most one stream's ring of recent frames may take. New viewers start in it, slow ones fall back in it."),
        ConfigurationKey(
            "live.slow_viewer_timeout", \.live.slowViewerTimeout, .duration(.seconds(1) ... .seconds(300)),
            "A viewer that cannot keep up skips to newer keyframes; one that stays behind for this long is closed."),
    ]

    private static let hls = [
        ConfigurationKey(
            "hls.segment_duration", \.hls.segmentDuration, .duration(.milliseconds(500) ... .seconds(30)),
            "Segments end at the first keyframe after this much."),
        ConfigurationKey(
            "hls.part_duration", \.hls.partDuration, .duration(.milliseconds(50) ... .seconds(2), unit: .milliseconds),
            "Low latency: a part of a segment is out after this much, to the nearest frame. At most half of hls.segment_duration."
        ),
        ConfigurationKey(
            "hls.mpegts", \.hls.mpegts, .streamPatterns,
            """
            Streams, as app/stream, whose playlists list MPEG-TS for old players unless they are asked for format=fmp4. All others \
            list fragmented MP4 unless they are asked for format=ts.
            """),
        ConfigurationKey(
            "hls.audio_only", \.hls.audioOnly, .flag,
            """
            Master playlists list the audio alone as another variant, for players that go on listening where the network is too slow for \
            video, or in the background. Without it a player gets it with only=audio.
            """),
        ConfigurationKey(
            "hls.segment_max_duration", \.hls.segmentMaxDuration, .duration(.seconds(1) ... .seconds(60)),
            "A segment ends here even without a keyframe. Less than three times hls.segment_duration counts as that."),
        ConfigurationKey(
            "hls.segment_max_bytes", \.hls.segmentMaxBytes, .bytes(1 << 20...1 << 30),
            "A segment ends here even without a keyframe."),
        ConfigurationKey(
            "hls.window", \.hls.window, .integer(StreamSettings.playlistCounts, unit: "segments"),
            "Segments listed in a playlist. A stream's own setting goes first."),
        ConfigurationKey(
            "hls.session_timeout", \.hls.sessionTimeout, .duration(.seconds(5) ... .seconds(86400)),
            "A viewer who asks for nothing for this long has left; coming back costs another use of the ticket."),
        ConfigurationKey(
            "hls.cors_origin", \.hls.corsOrigin, .corsOrigin,
            "Which pages may play: the value of Access-Control-Allow-Origin. Empty: the header is not sent."),
    ]

    private static let player = [
        ConfigurationKey(
            "player.hls_js", \.player.hlsJS, .pathOrEmpty,
            """
            The file of hls.js, which the page loads in browsers that cannot play HLS themselves, and in those where it plays \
            better. Read at the start. Empty: hls.js in the folder of storage.path, if it is there. A relative path starts where \
            that of storage.path does.
            """)
    ]

    private static let thumbnail = [
        ConfigurationKey(
            "thumbnail.ffmpeg", \.thumbnail.ffmpeg, .path,
            "The program that makes pictures: a name to be looked for in PATH, or a path. Without it they are answered with 501."
        ),
        ConfigurationKey(
            "thumbnail.processes", \.thumbnail.processes, .integer(0...64),
            """
            Pictures made at one time, of all streams; others wait for their turn. Each takes up to three seconds of a processor core \
            at low priority, and 1 GiB of address space. 0: none are made.
            """),
        ConfigurationKey(
            "thumbnail.interval", \.thumbnail.interval, .duration(.seconds(1) ... .seconds(3600)),
            "A stream's next picture is made after this time at the earliest, and when somebody asks. As long it may be cached."
        ),
        ConfigurationKey(
            "thumbnail.width", \.thumbnail.width, .integer(16...3840, unit: "pixels"),
            "A picture is as wide as the video, but no wider than this."),
    ]

    private static let usher = [
        ConfigurationKey(
            "usher.default_protection", \.usher.defaultProtection, .choice,
            "Of streams without settings of their own: open to everybody, or only with a ticket, a signed token, or from some countries and networks."
        ),
        ConfigurationKey(
            "usher.protected", \.usher.protected, .streamPatterns,
            "Streams that need a ticket whatever their own settings say, such as demo-origin/paid*."),
        ConfigurationKey(
            "usher.require_trusted_proxy", \.usher.requireTrustedProxy, .flag,
            """
            Refuses viewers of protected streams who come with X-Forwarded-For from a proxy that is not in http.trusted_proxies. \
            Otherwise all of them have the proxy's address, and the log warns of it.
            """),
        ConfigurationKey(
            "usher.country_database", \.usher.countryDatabases, .paths,
            """
            Files in MaxMind's format (GeoLite2-Country.mmdb, DB-IP and others) that say which country an address is in, read again \
            within seconds when they are replaced. The first that knows an address decides. Without any, streams with lists of \
            countries admit nobody but their allowed networks. A relative path starts where that of storage.path does.
            """),
    ]

    private static let push = [
        ConfigurationKey(
            "push.allow_private", \.push.allowPrivate, .networks,
            "Pushes to private, loopback and link-local addresses are refused, but for these networks."),
        ConfigurationKey(
            "push.connect_timeout", \.push.connectTimeout, .duration(.seconds(1) ... .seconds(120)),
            "How long a destination may take from the first packet until it accepts the stream."),
        ConfigurationKey(
            "push.send_timeout", \.push.sendTimeout, .duration(.seconds(2) ... .seconds(300)),
            "A destination that acknowledges nothing for this long is taken for dead and connected again."),
        ConfigurationKey(
            "push.retry_initial", \.push.retryInitial, .duration(.milliseconds(100) ... .seconds(60)),
            "The pause before the first new attempt; it doubles with every one that fails."),
        ConfigurationKey(
            "push.retry_max", \.push.retryMax, .duration(.seconds(1) ... .seconds(3600)),
            "The longest such pause. At least push.retry_initial."),
        ConfigurationKey(
            "push.permanent_retry", \.push.permanentRetry, .duration(.seconds(10) ... .seconds(86400)),
            "The pause after a failure that waiting does not cure, such as a stream key that is refused."),
        ConfigurationKey(
            "push.max_per_account", \.push.maxPerAccount, .integer(1...100_000),
            "Pushes of one account that may run at one time."),
    ]

    private static let storage = [
        ConfigurationKey(
            "storage.path", \.storage.path, .path,
            """
            The folder of the database; made when it is missing. A relative path starts at the configuration file's \
            folder, or at the working directory when it comes from the environment or there is no file.
            """),
        ConfigurationKey(
            "storage.attempt_retention", \.storage.attemptRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long the log of viewers' attempts is kept, and tickets that have expired. 0: for ever."),
        ConfigurationKey(
            "storage.event_retention", \.storage.eventRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long the log of publishes and pushes is kept. 0: for ever."),
        ConfigurationKey(
            "storage.usage_retention", \.storage.usageRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long is kept what was delivered on each day. 0: for ever."),
        ConfigurationKey(
            "storage.viewer_retention", \.storage.viewerRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long is kept how many viewers each minute had. 0: for ever."),
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
            "Connections at one time, HTTP and RTMP together, with TLS or without."),
        ConfigurationKey(
            "limits.connections_reserved", \.limits.connectionsReserved, .integerOrAuto(0...10_000_000),
            """
            Of these, places that viewers (playback over HTTP and RTMP) cannot take, so that encoders and the API get in when \
            viewers have filled all others. auto: one in fifty, at least one.
            """),
        ConfigurationKey(
            "limits.connections_per_address", \.limits.connectionsPerAddress, .integer(1...10_000_000),
            "Connections at one time from one address (IPv6: one /64). Trusted proxies are not counted."),
        ConfigurationKey(
            "limits.memory", \.limits.memory, .bytesOrAuto(64 << 20...1 << 40),
            """
            What the rings and segments of all streams, and all that waits for peers, may take together; near it less is \
            kept, and a stream that does not fit is refused. auto: half of the machine's memory, or of what its cgroup \
            (container, systemd unit) allows.
            """),
        ConfigurationKey(
            "limits.body", \.limits.body, .bytes(16 << 10...1 << 20),
            "The largest API request accepted; a longer one is answered 413."),
        ConfigurationKey(
            "limits.bodies", \.limits.bodies, .bytes(4 << 20...1 << 40),
            """
            What all API requests that are being read or answered may hold together, headers of HTTP/2 requests that wait \
            among them, a quarter of it from one address (IPv6: one /64); beyond it they are answered 503.
            """),
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
