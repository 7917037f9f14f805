import Basics
import Live
import RTMP

/// What is kept of a client's `connect`: what later questions ask for. A client may put 64 KiB into it, and stay for hours.
struct RTMPClient: Sendable {
    /// What it calls itself (`flashVer`).
    let software: String
    let pageURL: String
    let swfURL: String
    private let app: String
    private let instance: String?
    private let parameters: [String: String]

    /// The parameters that are asked for. Longer values than these of a ticket (512 bytes) match nothing anyway.
    private static let parameterNames = ["user", "pass", "key"]
    private static let maximumParameter = 512

    init(_ request: ConnectRequest) {
        software = (request.flashVersion ?? "").cut()
        pageURL = (request.pageURL ?? "").cut()
        swfURL = (request.swfURL ?? "").cut()
        app = request.path.app.cut()
        instance = request.path.instance?.cut()
        var parameters: [String: String] = [:]
        for name in RTMPClient.parameterNames {
            parameters[name] = request.parameter(name)?.cut(toBytes: RTMPClient.maximumParameter)
        }
        self.parameters = parameters
    }

    /// The stream that the client means.
    ///
    /// `rtmp://host/<app>/<instance>/<stream>` reaches us as app `<app>/<instance>` and name `<stream>` from nearly every
    /// client, as app `<app>` and name `<instance>/<stream>` from some; without an instance it is `live`. Names are cut to
    /// 256 bytes; valid ones are shorter.
    func address(of name: StreamName) -> StreamAddress {
        if instance == nil, name.prefix == nil, let slash = name.name.firstIndex(of: "/") {
            let stream = name.name[name.name.index(after: slash)...]
            return StreamAddress(app: app, instance: name.name[..<slash].cut(), stream: stream.cut())
        }
        return StreamAddress(app: app, instance: instance ?? "live", stream: name.name.cut())
    }

    /// A parameter of the stream name, else of the app: `user`, `pass` or `key`.
    func parameter(_ key: String, of name: StreamName? = nil) -> String? {
        assert(RTMPClient.parameterNames.contains(key))
        return name?.parameters[key]?.cut(toBytes: RTMPClient.maximumParameter) ?? parameters[key]
    }
}
