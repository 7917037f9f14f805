import Storage

/// What commands work on. The rooms behind the protocols are connected by the origin.
public struct ControlServices: Sendable {
    public var store: any Store
    public var stage: any StageControl
    public var push: any PushControl
    public var admission: any AdmissionControl
    public var secrets: any StreamUserSecrets
    public var configuration: ControlConfiguration
    /// Makes read-change-write of a stream's settings one step.
    let settingsGate = SerialGate()

    public init(
        store: any Store, stage: any StageControl, push: any PushControl, admission: any AdmissionControl,
        secrets: any StreamUserSecrets, configuration: ControlConfiguration = ControlConfiguration()
    ) {
        self.store = store
        self.stage = stage
        self.push = push
        self.admission = admission
        self.secrets = secrets
        self.configuration = configuration
    }
}

/// What the origin's configuration says of the API.
public struct ControlConfiguration: Sendable {
    /// `api.timestamp_window`, seconds.
    public var timestampWindow: Double
    /// How long a request waits for the reply of a running one with the same signature, when that runs on another node.
    public var replayWait: Duration
    /// Limits of failed signatures (`api.rate_limit`).
    public var attempts: AttemptLimiter.Limits
    /// Where encoders publish and RTMP players connect, without a path: `rtmp://origin.example.com`.
    public var publicRTMP: String
    /// Where HTTP players fetch, without a path: `http://origin.example.com:8080`.
    public var publicHTTP: String
    /// What `server.status` says it is.
    public var serverName: String
    public var serverVersion: String

    public init(
        timestampWindow: Double = 300, replayWait: Duration = .seconds(10),
        attempts: AttemptLimiter.Limits = AttemptLimiter.Limits(), publicRTMP: String = "rtmp://127.0.0.1",
        publicHTTP: String = "http://127.0.0.1", serverName: String = "127.0.0.1", serverVersion: String = ""
    ) {
        self.timestampWindow = timestampWindow
        self.replayWait = replayWait
        self.attempts = attempts
        self.publicRTMP = publicRTMP
        self.publicHTTP = publicHTTP
        self.serverName = serverName
        self.serverVersion = serverVersion
    }
}
