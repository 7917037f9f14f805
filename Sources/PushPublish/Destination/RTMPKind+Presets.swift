extension RTMPKind {
    /// RTMP itself, and the presets over it. Whatever a preset fills in, a field or `url` overrides.
    public static let all: [any DestinationKind] = [
        RTMPKind("rtmp"),
        RTMPKind("rtmps", isTLS: true, isSchemeFree: false),
        RTMPKind("youtube", host: "a.rtmp.youtube.com", app: "live2"),
        RTMPKind("facebook", isTLS: true, host: "live-api-s.facebook.com", port: 443, app: "rtmp"),
        RTMPKind("twitch", host: "live.twitch.tv", app: "app"),
        // Kick's ingest host is shown in the creator's dashboard.
        RTMPKind("kick", isTLS: true, port: 443, app: "app"),
        RTMPKind("instagram", isTLS: true, host: "live-upload.instagram.com", port: 443, app: "rtmp"),
        // TikTok gives host and application with every broadcast.
        RTMPKind("tiktok"),
        // One host a region; port and application are everywhere the same.
        RTMPKind("periscope", port: 80, app: "x"),
    ]
}
