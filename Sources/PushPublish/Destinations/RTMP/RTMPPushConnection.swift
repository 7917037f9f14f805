import Live
import Logging
import Media
import NIOCore
import RTMP

/// One try at publishing a stream to an RTMP server.
///
/// A login by challenge (`authmod=adobe`) takes up to three connections; they are one try with one deadline.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` alone; the entry points go there first.
final class RTMPPushConnection: PushConnection, @unchecked Sendable {
    /// Connections one login may take.
    private static let mostConnections = 4

    let destination: RTMPDestination
    let context: PushConnectionContext
    let eventLoop: any EventLoop

    private var connector: PushConnector?
    private var handler: RTMPPushHandler?
    private(set) var channel: (any Channel)?
    private var deadline: Scheduled<Void>?
    private var connections = 0
    private var isEnhanced = false
    private var isStarted = false
    /// Failed, ended or closed: nothing is reported any more.
    private(set) var isOver = false
    private var feed: PushFeed?
    /// Of the feed, when it has ended.
    private var sent = PushCounters()
    private var closeDeadline: Scheduled<Void>?

    init(_ destination: RTMPDestination, context: PushConnectionContext) {
        self.destination = destination
        self.context = context
        self.eventLoop = context.eventLoop
    }

    // MARK: PushConnection

    func start() {
        let hub = context.hub
        Task {
            let tracks = await hub.report()?.tracks
            eventLoop.execute { self.begin(tracks) }
        }
    }

    func counters() async -> PushCounters {
        (try? await eventLoop.submit { self.currentCounters }.get()) ?? PushCounters()
    }

    func close() async -> PushCounters {
        let counters = eventLoop.flatSubmit {
            self.end()
            return self.gone(within: .milliseconds(50)).map { self.currentCounters }
        }
        return (try? await counters.get()) ?? PushCounters()
    }

    private var currentCounters: PushCounters { feed?.counters ?? sent }

    // MARK: Connecting

    private func begin(_ tracks: TrackSet?) {
        guard !isOver, !isStarted else { return }
        isStarted = true
        isEnhanced = tracks.map(RTMPPushConnection.needsEnhanced) ?? false
        deadline = eventLoop.scheduleTask(in: context.configuration.connectTimeout) { [weak self] in
            guard let self else { return }
            let step = self.handler.map { "no \($0.awaited)" } ?? "\(self.connector?.step.rawValue ?? "starting")"
            let seconds = self.context.configuration.connectTimeout.nanoseconds / 1_000_000_000
            self.fail(PushFailure(.timeout, "not accepted within \(seconds) s (\(step))"))
        }
        connect(authenticationQuery: nil)
    }

    /// Whether a track's codec goes by FourCC, which destinations like to be told when connecting. Tracks that are not known
    /// yet count as the classic ones, which nearly all are.
    private static func needsEnhanced(_ tracks: TrackSet) -> Bool {
        let classic: Set<Codec> = [.video(.avc), .audio(.aac), .audio(.mp3)]
        return [tracks.video, tracks.audio].contains { track in
            track.map { !classic.contains($0.codec) } ?? false
        }
    }

    private func connect(authenticationQuery: String?) {
        connections += 1
        guard connections <= RTMPPushConnection.mostConnections else {
            fail(PushFailure(.loginRefused, "the destination asks for a login again and again"))
            return
        }
        handler = nil
        let target = PushConnector.Target(host: destination.host, port: destination.port, isTLS: destination.isTLS)
        let connector = PushConnector(target, context: context)
        self.connector = connector
        connector.connect { channel in
            // The initialiser runs on the connection's own event loop.
            let handler = RTMPPushHandler(
                configuration: self.clientConfiguration(authenticationQuery), secrets: self.destination.secrets,
                isTLS: self.destination.isTLS
            ) { [weak self] event in self?.receive(event) }
            self.handler = handler
            try channel.pipeline.syncOperations.addHandler(handler)
        } done: { result in
            switch result {
            case .success(let channel): self.channel = channel
            case .failure(let failure): self.fail(failure)
            }
        }
    }

    private func clientConfiguration(_ authenticationQuery: String?) -> ClientConfiguration {
        var configuration = ClientConfiguration(
            purpose: .publish, app: destination.app, stream: destination.stream, tcURL: destination.tcURL)
        if let user = destination.user {
            configuration.credentials = AdobeAuthentication.Credentials(
                user: user, password: destination.password ?? "")
        }
        configuration.authenticationQuery = authenticationQuery
        configuration.profile.isEnhanced = isEnhanced
        return configuration
    }

    private func receive(_ event: RTMPPushHandler.Event) {
        guard !isOver else { return }
        switch event {
        case .accepted(let streamID): accepted(streamID)
        case .authenticate(let query):
            connector?.cancel()
            channel = nil
            // A new one, after this one's call has returned.
            eventLoop.execute {
                if !self.isOver { self.connect(authenticationQuery: query) }
            }
        case .failed(let failure): fail(failure)
        case .closed:
            let awaited = handler?.awaited ?? "RTMP handshake"
            // nginx-rtmp and others say nothing to a key they do not know.
            let hint = awaited == RTMPPushHandler.publishAnswer ? " (often a wrong stream key)" : ""
            let when = feed == nil ? " before its \(awaited)\(hint)" : ""
            fail(PushFailure(.connectionLost, "the destination closed the connection\(when)"))
        }
    }

    // MARK: Streaming

    private func accepted(_ streamID: UInt32) {
        guard let channel = handler?.channel, feed == nil else { return }
        self.channel = channel
        deadline?.cancel()
        context.report(.accepted(address: channel.remoteAddress?.ipAddress ?? ""))
        let feed = PushFeed(
            hub: context.hub, channel: channel, messageStreamID: streamID,
            sendTimeout: context.configuration.sendTimeout,
            sendMetadata: { [weak self] in self?.handler?.send(metadata: $0) }
        ) { [weak self] event in
            guard let self, !self.isOver else { return }
            switch event {
            case .flowing: self.context.report(.flowing)
            case .failed(let failure): self.fail(failure)
            case .sourceEnded:
                self.end()
                self.context.report(.sourceEnded)
            }
        }
        self.feed = feed
        feed.start()
    }

    // MARK: Ending

    private func fail(_ failure: PushFailure) {
        guard !isOver else { return }
        isOver = true
        stopFeeding()
        cut()
        context.report(.failed(failure, sent))
    }

    /// Media stops, the destination is told, the connection closes: now if it was not accepted, else when the kernel has the
    /// last command, else when the time for it is over.
    private func end() {
        guard !isOver else { return }
        isOver = true
        let wasAccepted = feed != nil
        stopFeeding()
        guard wasAccepted, let channel, channel.isActive, let handler else {
            cut()
            return
        }
        let told = eventLoop.makePromise(of: Void.self)
        told.futureResult.whenComplete { _ in
            self.closeDeadline?.cancel()
            channel.close(promise: nil)
        }
        closeDeadline = eventLoop.scheduleTask(in: context.configuration.closeTimeout) { self.cut() }
        channel.closeFuture.whenComplete { _ in self.closeDeadline?.cancel() }
        handler.unpublish(told: told)
    }

    private func stopFeeding() {
        deadline?.cancel()
        deadline = nil
        if let feed {
            sent = feed.counters
            feed.stop()
        }
        feed = nil
    }

    /// Closes at once. What the kernel still holds for the destination is thrown away: it is of no use, and a destination that
    /// takes nothing would keep it for minutes.
    private func cut() {
        closeDeadline?.cancel()
        if let provider = channel as? any SocketOptionProvider {
            provider.setSoLinger(.init(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
        }
        channel?.close(promise: nil)
        connector?.cancel()
    }

    /// Succeeds when the connection is closed or the time is over.
    private func gone(within time: TimeAmount) -> EventLoopFuture<Void> {
        guard let channel, channel.isActive else { return eventLoop.makeSucceededVoidFuture() }
        let promise = eventLoop.makePromise(of: Void.self)
        let late = eventLoop.scheduleTask(in: time) { promise.succeed() }
        channel.closeFuture.whenComplete { _ in
            late.cancel()
            promise.succeed()
        }
        return promise.futureResult
    }
}
