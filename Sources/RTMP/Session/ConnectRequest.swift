import Basics
import Media

/// What a client asks for with `connect` (RTMP 1.0 §7.2.1.1, enhanced RTMP v2).
///
/// Only these fields are kept of the command's object: clients may put anything there.
public struct ConnectRequest: Sendable, Hashable {
    public var transactionID: Double
    /// `app` as sent, with its query; from the path of `tcUrl` when a client leaves `app` out.
    public var app: String
    /// `app` taken apart.
    public var path: AppPath
    public var tcURL: String?
    /// The query of `tcUrl`, for encoders that put their parameters there only.
    public var tcURLParameters: RTMPParameters
    /// At most 256 bytes, as the following two.
    public var flashVersion: String?
    public var swfURL: String?
    public var pageURL: String?
    /// 0 for AMF0, 3 for AMF3.
    public var objectEncoding: Int
    /// The codecs an enhanced client understands (`fourCcList`), at most 64; `*` stands for all.
    public var fourCCs: [String]
    /// Whether the client sent any field of enhanced RTMP.
    public var isEnhanced: Bool
    /// What an enhanced client can do (`capsEx`).
    public var capabilities: ExtendedCapabilities
    /// Whether the client is an encoder: it says `type` `nonprivate`, as ffmpeg, librtmp (so OBS) and GStreamer do when
    /// they publish and never when they play, or calls itself one: `FMLE/3.0`, Wirecast and the like.
    public var isPublisher: Bool

    /// A parameter of the application's query, else of `tcUrl`'s.
    public func parameter(_ name: String) -> String? {
        path.parameters[name] ?? tcURLParameters[name]
    }

    private static let encoderPrefixes = [
        "fmle", "fme", "wirecast", "obs", "xsplit", "vmix", "flash media live encoder", "teradek", "livu", "larix",
    ]

    /// - Throws: `malformedMessage` without an object, or when `app` or `tcUrl` is longer than `maxNameSize` bytes: cut short
    ///   they would mean something else.
    init(_ command: RTMPCommand, maxNameSize: Int) throws(RTMPError) {
        guard let object = command.object.object else {
            throw RTMPError(.malformedMessage, "A connect without its object.")
        }
        for field in ["app", "tcUrl"] where object[field]?.string?.utf8.count ?? 0 > maxNameSize {
            throw RTMPError(.malformedMessage, "A connect whose \(field) is longer than \(maxNameSize) bytes.")
        }
        transactionID = command.transactionID
        tcURL = object["tcUrl"]?.string
        let named = object["app"]?.string ?? ""
        app = named.isEmpty ? tcURL.map(ConnectRequest.app(ofTCURL:)) ?? "" : named
        path = AppPath(app)
        tcURLParameters = RTMPParameters(query: tcURL.flatMap { RTMPParameters.split($0).query } ?? "")
        flashVersion = (object["flashVer"] ?? object["flashver"])?.string?.cut()
        swfURL = object["swfUrl"]?.string?.cut()
        pageURL = object["pageUrl"]?.string?.cut()
        objectEncoding = object["objectEncoding"]?.number == 3 ? 3 : 0
        let listed = object["fourCcList"]?.array?.compactMap(\.string) ?? []
        let maps = [object["videoFourCcInfoMap"], object["audioFourCcInfoMap"]].compactMap { $0?.object }
        let codecs = listed.isEmpty ? maps.flatMap { $0.members.map(\.name) } : listed
        fourCCs = Array(codecs.filter { $0.utf8.count <= 4 }.prefix(64))
        capabilities = ExtendedCapabilities(object["capsEx"])
        isEnhanced = object["fourCcList"] != nil || object["capsEx"] != nil || !maps.isEmpty
        let version = (flashVersion ?? "").lowercased()
        isPublisher =
            object["type"]?.string == "nonprivate" || ConnectRequest.encoderPrefixes.contains { version.hasPrefix($0) }
    }

    /// What stands behind the host in `rtmp://host[:port]/app/instance?query`.
    private static func app(ofTCURL text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return "" }
        return text[scheme.upperBound...].drop { $0 != "/" }.drop { $0 == "/" }.description
    }
}

/// `capsEx` of enhanced RTMP v2.
public struct ExtendedCapabilities: OptionSet, Sendable, Hashable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// None when the value is missing or no whole number.
    init(_ value: AMFValue?) {
        self.init(rawValue: value?.number.flatMap { UInt32(exactly: $0) } ?? 0)
    }

    /// What this side can do, as server and as client.
    static let ours: ExtendedCapabilities = [.reconnect, .modEx, .timestampNanoseconds]

    /// Understands `NetConnection.Connect.ReconnectRequest`.
    public static let reconnect = ExtendedCapabilities(rawValue: 1)
    public static let multitrack = ExtendedCapabilities(rawValue: 2)
    /// Understands ModEx packets.
    public static let modEx = ExtendedCapabilities(rawValue: 4)
    /// Understands `TimestampOffsetNano`.
    public static let timestampNanoseconds = ExtendedCapabilities(rawValue: 8)
}

extension ConnectRequest {
    /// The codecs that pass through, video first (`fourCcList`).
    static let carriedCodecs = carriedVideo + carriedAudio
    private static let carriedVideo = VideoCodec.allCases.map { FourCC($0).description }
    private static let carriedAudio = AudioCodec.allCases.map { FourCC($0).description }

    /// The `_result` that accepts the request. An enhanced client learns which codecs pass through and what the server can do
    /// (enhanced RTMP v1 and v2).
    var acceptance: RTMPCommand {
        var information = RTMPStatus(
            level: .status, code: "NetConnection.Connect.Success", description: "Connection succeeded."
        ).object
        information["objectEncoding"] = .number(Double(objectEncoding))
        if isEnhanced {
            // 4: can forward. The server decodes nothing.
            func map(_ codecs: [String]) -> AMFValue { .object(AMFObject(codecs.map { .init($0, 4) })) }
            information["fourCcList"] = .strictArray(ConnectRequest.carriedCodecs.map { .string($0) })
            information["videoFourCcInfoMap"] = map(ConnectRequest.carriedVideo)
            information["audioFourCcInfoMap"] = map(ConnectRequest.carriedAudio)
            information["capsEx"] = .number(Double(ExtendedCapabilities.ours.rawValue))
        }
        let properties: AMFObject = ["fmsVer": .string(RTMP.serverVersion), "capabilities": 31, "mode": 1]
        return RTMPCommand(
            "_result", transactionID: transactionID, object: .object(properties), arguments: [.object(information)])
    }
}
