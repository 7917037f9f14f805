import Foundation

/// The pushes that run, and what a destination must be like, as the API sees it.
public protocol PushControl: Sendable {
    /// What is wrong with a service name (`service_name`) and the fields of its destination; empty when nothing is.
    /// Problems of the name alone stand alone.
    func problems(service: String, destination: [String: String]) -> [FieldProblem]

    /// The fields as they may be shown: passwords, stream keys and keys in `url` by their last four characters only.
    func masked(_ destination: [String: String]) -> [String: String]

    /// Starts a session. Without its stream on air it waits for it.
    /// - Returns: the session's entry name.
    func connect(_ order: PushOrder) async throws(PushRefusal) -> String

    /// Ends sessions for good; returns when they have ended.
    /// - Returns: their entry names, empty when none ran.
    func disconnect(_ target: PushTarget, cdn: Int) async -> [String]

    /// The account's sessions, narrowed by what is given of their source.
    func sessions(cdn: Int, app: String?, instance: String?, stream: String?) async -> [PushSessionReport]
}

/// A push to start.
public struct PushOrder: Sendable, Hashable {
    public enum Destination: Sendable, Hashable {
        /// As stored; read anew from the store.
        case stored(id: Int64)
        case manual(service: String, fields: [String: String])
    }

    public var cdn: Int
    public var app: String
    public var instance: String
    public var stream: String
    public var destination: Destination
    /// The name wanted; nil: the stored push's name, else the profile's.
    public var entryName: String?
}

/// Which sessions are meant.
public enum PushTarget: Sendable, Hashable {
    /// Those of a stored push, also of one that was removed since; narrowed by what is given of their source.
    case service(id: Int64, app: String?, instance: String?, stream: String?)
    /// The one of that name on an app and instance; `*`: all there.
    case entry(name: String, app: String, instance: String)
}

/// Why a push was not started.
public enum PushRefusal: Error, Sendable, Hashable {
    case notFound
    case invalid([FieldProblem])
    case alreadyConnected(entryName: String)
    /// For any other reason, one sentence without secrets.
    case refused(String)
}

/// A session as it stands. Holds no secrets.
public struct PushSessionReport: Sendable, Hashable {
    public var entryName: String
    public var app: String
    public var instance: String
    public var stream: String
    public var profile: String
    /// `Waiting`, `Connecting`, `Connected`, `Retrying`, `Failed` or `Disconnected`.
    public var status: String
    /// nil for a manual one.
    public var pushServiceID: Int64?
    /// Where to, stream key masked.
    public var destination: String
    public var bytesSent: Int64
    public var droppedFrames: Int
    public var reconnects: Int
    /// Since when it is `Connected`.
    public var connected: Date?
    public var lastError: String?

    public init(
        entryName: String, app: String, instance: String, stream: String, profile: String, status: String,
        pushServiceID: Int64?, destination: String, bytesSent: Int64 = 0, droppedFrames: Int = 0, reconnects: Int = 0,
        connected: Date? = nil, lastError: String? = nil
    ) {
        self.entryName = entryName
        self.app = app
        self.instance = instance
        self.stream = stream
        self.profile = profile
        self.status = status
        self.pushServiceID = pushServiceID
        self.destination = destination
        self.bytesSent = bytesSent
        self.droppedFrames = droppedFrames
        self.reconnects = reconnects
        self.connected = connected
        self.lastError = lastError
    }
}
