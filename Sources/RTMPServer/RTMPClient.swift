import Basics
import Foundation
import Live
import NIOCore
import RTMP
import Usher

/// The two ends of a connection.
struct RTMPPeer: Sendable {
    /// Where the client comes from, without port.
    let address: String
    /// Where it came to.
    let serverAddress: String
    /// Inside TLS.
    let isSecure: Bool
    let accepted = Date()

    init(_ channel: any Channel, isSecure: Bool) {
        self.isSecure = isSecure
        address = channel.remoteAddress?.plainAddress ?? "unknown"
        serverAddress = channel.localAddress?.plainAddress ?? ""
    }
}

/// What is kept of a client's `connect`: what later questions ask for. A client may put 64 KiB into it, and stay for hours.
struct RTMPClient: Sendable {
    /// What it calls itself (`flashVer`).
    let software: String
    let pageURL: String
    let swfURL: String
    /// The application that it connected to.
    let app: String
    private let instance: String?
    private let parameters: [String: String]

    /// The parameters that are asked for, and how many bytes of them are kept. Longer ones match nothing anyway: of a ticket
    /// 512 bytes do.
    private static let parameterNames = ["user": 512, "pass": 512, "key": 512, "hdnea": HDNEAToken.maximumLength]

    init(_ request: ConnectRequest) {
        software = (request.flashVersion ?? "").cut()
        pageURL = (request.pageURL ?? "").cut()
        swfURL = (request.swfURL ?? "").cut()
        app = request.path.app.cut()
        instance = request.path.instance?.cut()
        var parameters: [String: String] = [:]
        for (name, maximum) in RTMPClient.parameterNames {
            parameters[name] = request.parameter(name)?.cut(toBytes: maximum)
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

    /// A parameter of the stream name, else of the app: `user`, `pass`, `key` or `hdnea`.
    func parameter(_ key: String, of name: StreamName? = nil) -> String? {
        guard let maximum = RTMPClient.parameterNames[key] else {
            assertionFailure("\(key) is not kept")
            return nil
        }
        return name?.parameters[key]?.cut(toBytes: maximum) ?? parameters[key]
    }

    /// The client as a publisher.
    func publisher(_ user: String, at peer: RTMPPeer) -> PublisherInfo {
        PublisherInfo(
            address: peer.address, software: software, transport: peer.isSecure ? "rtmps" : "rtmp",
            user: user.cut(), connected: peer.accepted)
    }

    /// The client as a viewer of a stream that it named.
    func viewer(of stream: StreamAddress, _ name: StreamName, at peer: RTMPPeer) -> ViewerFacts {
        let spelled = address(of: name)
        return ViewerFacts(
            key: parameter("key", of: name), pass: parameter("pass", of: name),
            token: parameter("hdnea", of: name).map { "hdnea=\($0)" },
            path: "/\(spelled.app)/\(spelled.instance)/\(spelled.stream)", address: peer.address, app: stream.app,
            instance: stream.instance, video: stream.stream, pageURL: pageURL, referrerURL: swfURL,
            serverAddress: peer.serverAddress, delivery: .rtmp)
    }
}

extension SocketAddress {
    /// The address without port; an IPv4 address inside IPv6 as IPv4.
    fileprivate var plainAddress: String {
        guard let address = ipAddress else { return "unknown" }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
