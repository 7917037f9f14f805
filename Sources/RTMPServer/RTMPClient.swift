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
    let accepted = Date()

    init(_ channel: any Channel) {
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

    /// The client as a publisher.
    func publisher(_ user: String, at peer: RTMPPeer) -> PublisherInfo {
        PublisherInfo(
            address: peer.address, software: software, transport: "rtmp", user: user.cut(), connected: peer.accepted)
    }

    /// The client as a viewer of a stream that it named.
    func viewer(of stream: StreamAddress, _ name: StreamName, at peer: RTMPPeer) -> ViewerFacts {
        ViewerFacts(
            key: parameter("key", of: name), pass: parameter("pass", of: name), address: peer.address, app: stream.app,
            instance: stream.instance, video: stream.stream, pageURL: pageURL, referrerURL: swfURL,
            serverAddress: peer.serverAddress)
    }
}

extension SocketAddress {
    /// The address without port; an IPv4 address inside IPv6 as IPv4.
    fileprivate var plainAddress: String {
        guard let address = ipAddress else { return "unknown" }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
