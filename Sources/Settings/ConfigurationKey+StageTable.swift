import Storage

extension ConfigurationKey {
    static let live = [
        ConfigurationKey(
            "live.takeover_after", \.live.takeoverAfter, .duration(.seconds(1) ... .seconds(300)),
            """
            A second encoder is refused while the first is sending; once the first has been silent for this long, the \
            second takes its place and viewers stay.
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

    static let hls = [
        ConfigurationKey(
            "hls.segment_duration", \.hls.segmentDuration, .duration(.milliseconds(500) ... .seconds(30)),
            "Segments end at the first keyframe after this much."),
        ConfigurationKey(
            "hls.segment_max_duration", \.hls.segmentMaxDuration, .duration(.seconds(1) ... .seconds(60)),
            "A segment ends here even without a keyframe. Less than three times hls.segment_duration counts as that."),
        ConfigurationKey(
            "hls.segment_max_bytes", \.hls.segmentMaxBytes, .bytes(1 << 20...1 << 30),
            "A segment ends here even without a keyframe."),
        ConfigurationKey(
            "hls.window", \.hls.window, .integer(3...100, unit: "segments"),
            "Segments listed in a playlist. A stream's own setting goes first."),
        ConfigurationKey(
            "hls.session_timeout", \.hls.sessionTimeout, .duration(.seconds(5) ... .seconds(86400)),
            "A viewer who asks for nothing for this long has left; coming back costs another use of the ticket."),
        ConfigurationKey(
            "hls.cors_origin", \.hls.corsOrigin, .corsOrigin,
            "Which pages may play: the value of Access-Control-Allow-Origin. Empty: the header is not sent."),
    ]

    static let usher = [
        ConfigurationKey(
            "usher.default_protection", \.usher.defaultProtection, .choice,
            "Of streams without settings of their own: open to everybody, or only with a ticket."),
        ConfigurationKey(
            "usher.protected", \.usher.protected, .streamPatterns,
            "Streams that need a ticket whatever their own settings say, such as demo-origin/paid*."),
    ]

    static let push = [
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

    static let storage = [
        ConfigurationKey(
            "storage.path", \.storage.path, .path,
            """
            The folder of the database; made when it is missing. A relative path starts at the configuration file's \
            folder, or at the working directory when it comes from the environment or there is no file.
            """),
        ConfigurationKey(
            "storage.attempt_retention", \.storage.attemptRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long the log of viewers' attempts is kept. 0: for ever."),
        ConfigurationKey(
            "storage.event_retention", \.storage.eventRetention,
            .duration(.zero ... .seconds(3650 * 86400), unit: .days),
            "How long the log of publishes and pushes is kept. 0: for ever."),
    ]
}
