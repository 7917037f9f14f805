import Basics
import NIOCore
import RTMP

/// Where load goes, and as what.
public struct LoadTarget: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case rtmpViewer(RTMPURL)
        case hlsViewer(HTTPAddress)
        case dashViewer(HTTPAddress)
        case publisher(RTMPURL)
        /// Publishers come here.
        case receiver(host: String, port: Int)
    }

    /// As it was given.
    public let text: String
    let kind: Kind

    /// - Throws: ``LoadProblem`` with a sentence for people.
    public init(_ text: String, publishes: Bool) throws {
        self.text = text
        let scheme = text.prefix { $0 != ":" }.lowercased()
        switch scheme {
        case "rtmp", "rtmps":
            do {
                let url = try RTMPURL(text)
                guard !url.app.isEmpty, !url.stream.isEmpty else {
                    throw LoadProblem("\(text.cut()) names no stream: rtmp://host/app/instance/stream")
                }
                kind = publishes ? .publisher(url) : .rtmpViewer(url)
            } catch let error as RTMPError {
                throw LoadProblem("\(text.cut()): \(error.message)")
            }
        case "http", "https":
            guard !publishes else { throw LoadProblem("\(text.cut()): publishers speak RTMP: rtmp://…") }
            guard let address = HTTPAddress(text) else { throw LoadProblem("\(text.cut()) is no address") }
            let isDASH = address.path.prefix(while: { $0 != "?" }).hasSuffix(".mpd")
            kind = isDASH ? .dashViewer(address) : .hlsViewer(address)
        default:
            throw LoadProblem("\(text.cut()) is neither rtmp://… nor http://…/playlist.m3u8 or …/manifest.mpd")
        }
    }

    /// The destination of pushes, which come to this address: `host:port` or `[host]:port`.
    /// - Throws: ``LoadProblem`` with a sentence for people.
    public init(receivingOn text: String) throws {
        self.text = text
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw LoadProblem("\(text.cut()) is no address to listen on: 127.0.0.1:1936") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        kind = .receiver(host: String(host), port: port)
    }

    var server: (host: String, port: Int, isTLS: Bool) {
        switch kind {
        case .rtmpViewer(let url), .publisher(let url): (url.host, url.port, url.isTLS)
        case .receiver(let host, let port): (host, port, false)
        case .hlsViewer(let address), .dashViewer(let address): (address.host, address.port, address.isTLS)
        }
    }

    /// What those who come to it are called in reports.
    var group: String {
        switch kind {
        case .rtmpViewer: "RTMP viewers"
        case .hlsViewer: "HLS viewers"
        case .dashViewer: "DASH viewers"
        case .publisher: "publishers"
        case .receiver: "pushes"
        }
    }

    /// Connections that one of them has, at most.
    var connections: Int {
        switch kind {
        case .rtmpViewer, .publisher, .receiver: 1
        case .hlsViewer: 2
        case .dashViewer: 3
        }
    }
}

/// A sentence about why there can be no load.
public struct LoadProblem: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// What a load is to be.
public struct LoadPlan: Sendable {
    /// Viewers or publishers go to them in turn.
    public var targets: [LoadTarget]
    public var count: Int
    /// The time in which they come, evenly; zero: as fast as they are let in.
    public var ramp = TimeAmount.zero
    /// How long is measured once all run; nil: until ``LoadRun/stop()``.
    public var duration: TimeAmount?
    /// Queries, one for each viewer: `key=…&pass=…`. Empty: none has one.
    public var tickets: [String] = []
    /// What publishers send.
    public var recording: Recording?
    /// False: viewers of HLS know nothing of parts, and those of DASH take whole segments only.
    public var wantsLowLatency = true
    /// For servers whose certificates nobody has signed.
    public var trustsAnyCertificate = false

    public init(targets: [LoadTarget], count: Int) {
        self.targets = targets
        self.count = count
    }

    /// Nobody is started: they come by themselves.
    var receives: Bool {
        targets.contains { if case .receiver = $0.kind { true } else { false } }
    }

    /// How long is waited for all to run.
    var patience: TimeAmount { ramp + .seconds(60) }
    /// So many may be on their way in at once, as a listen queue is finite. A publisher at once sends as much as it ever will, so
    /// the next one waits until this one has been let in.
    var mostOnTheWay: Int { recording == nil ? 128 : 1 }

    /// Publishers and viewers of several instances of one stream: the number stands in the stream's name.
    func target(of index: Int) -> LoadTarget.Kind {
        let kind = targets[index % targets.count].kind
        let ticket = tickets.isEmpty ? nil : tickets[index % tickets.count]
        switch kind {
        case .publisher(var url):
            let parts = url.stream.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            url.stream = "\(parts[0])\(index / targets.count + 1)" + (parts.count > 1 ? "?\(parts[1])" : "")
            return .publisher(url)
        case .rtmpViewer(var url):
            if let ticket { url.stream += (url.stream.contains("?") ? "&" : "?") + ticket }
            return .rtmpViewer(url)
        case .hlsViewer(let address):
            return .hlsViewer(address.adding(query: ticket))
        case .dashViewer(let address):
            return .dashViewer(address.adding(query: ticket))
        case .receiver:
            return kind
        }
    }
}
