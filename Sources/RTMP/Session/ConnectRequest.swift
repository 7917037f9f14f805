/// What a client asks for with `connect` (RTMP 1.0 §7.2.1.1, enhanced RTMP v2).
public struct ConnectRequest: Sendable, Hashable {
    public var transactionID: Double
    /// `app` as sent, with its query.
    public var app: String
    /// `app` taken apart.
    public var path: AppPath
    public var tcURL: String?
    /// The query of `tcUrl`, for encoders that put their parameters there only.
    public var tcURLParameters: RTMPParameters
    public var flashVersion: String?
    public var swfURL: String?
    public var pageURL: String?
    /// 0 for AMF0, 3 for AMF3.
    public var objectEncoding: Int
    /// The codecs an enhanced client understands (`fourCcList`); `*` stands for all.
    public var fourCCs: [String]
    /// Whether the client sent any field of enhanced RTMP.
    public var isEnhanced: Bool
    /// What an enhanced client can do (`capsEx`).
    public var capabilities: ExtendedCapabilities
    /// All of `connect`'s object.
    public var object: AMFObject

    /// Whether the client is an encoder: it says `type` `nonprivate`, as ffmpeg, librtmp (so OBS) and GStreamer do when
    /// they publish and never when they play, or calls itself one: `FMLE/3.0`, Wirecast and the like.
    public var isPublisher: Bool {
        if object["type"]?.string == "nonprivate" { return true }
        guard let version = flashVersion?.lowercased() else { return false }
        return ConnectRequest.encoderPrefixes.contains { version.hasPrefix($0) }
    }

    /// A parameter of the application's query, else of `tcUrl`'s.
    public func parameter(_ name: String) -> String? {
        path.parameters[name] ?? tcURLParameters[name]
    }

    private static let encoderPrefixes = [
        "fmle", "fme", "wirecast", "obs", "xsplit", "vmix", "flash media live encoder", "teradek", "livu", "larix",
    ]

    init(_ command: RTMPCommand) throws(RTMPError) {
        guard let object = command.object.object else {
            throw RTMPError(.malformedMessage, "A connect without its object.")
        }
        self.object = object
        transactionID = command.transactionID
        app = object["app"]?.string ?? ""
        path = AppPath(app)
        tcURL = object["tcUrl"]?.string
        tcURLParameters = RTMPParameters(query: tcURL.flatMap { RTMPParameters.split($0).query } ?? "")
        flashVersion = object["flashVer"]?.string ?? object["flashver"]?.string
        swfURL = object["swfUrl"]?.string
        pageURL = object["pageUrl"]?.string
        objectEncoding = object["objectEncoding"]?.number == 3 ? 3 : 0
        fourCCs = object["fourCcList"]?.array?.compactMap(\.string) ?? []
        let maps = [object["videoFourCcInfoMap"], object["audioFourCcInfoMap"]].compactMap { $0?.object }
        if fourCCs.isEmpty { fourCCs = maps.flatMap { $0.properties.map(\.key) } }
        capabilities = ExtendedCapabilities(rawValue: UInt32(exactly: object["capsEx"]?.number ?? 0) ?? 0)
        isEnhanced = object["fourCcList"] != nil || object["capsEx"] != nil || !maps.isEmpty
    }
}

/// `capsEx` of enhanced RTMP v2.
public struct ExtendedCapabilities: OptionSet, Sendable, Hashable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Understands `NetConnection.Connect.ReconnectRequest`.
    public static let reconnect = ExtendedCapabilities(rawValue: 1)
    public static let multitrack = ExtendedCapabilities(rawValue: 2)
    /// Understands ModEx packets.
    public static let modEx = ExtendedCapabilities(rawValue: 4)
    /// Understands `TimestampOffsetNano`.
    public static let timestampNanoseconds = ExtendedCapabilities(rawValue: 8)
}
