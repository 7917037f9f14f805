import Admission
import Basics
import Foundation
import Live
import NIOCore
import RTMP
import Synchronization

/// One RTMP connection: carries bytes between the socket and `ServerSession`, and what the session says between the client
/// and the stage.
///
/// A peer is read only as fast as it can be served: not while it waits for an answer, while its replies wait for it to read
/// them (`ReplyBacklog`), or while its stream's event loop lags behind (`Publication.mayRead`). What it sends is decoded in
/// turns of bounded length, so that the event loop's other connections are served in between.
///
/// `@unchecked Sendable`: references are held by tasks and by `RTMPConnections`, but everything mutable is touched on the
/// channel's event loop alone, but for an atomic; what comes from elsewhere goes through `onLoop`.
final class RTMPConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let environment: RTMPEnvironment
    private let connections: RTMPConnections
    private let gate: ConnectionGateHandler?
    private let eventLoop: any EventLoop
    private let peer: RTMPPeer

    private var context: ChannelHandlerContext?
    private var session: ServerSession
    /// nil before `connect`.
    private var client: RTMPClient?
    /// Whom Adobe's challenge has verified.
    private var challenged: ChallengedUser?
    /// What is published, by message stream. Nearly always one.
    private var publications: [UInt32: RTMPPublication] = [:]
    /// What is played, by message stream.
    private var plays: [UInt32: RTMPPlay] = [:]
    private var lastUse: UInt64 = 0
    private var backlog = ReplyBacklog()
    private var memory: WaitingMemory
    private var isReadPending = false
    /// The rest of what was received is decoded in a later turn of the event loop.
    private var isDecodingLater = false
    private var isClosing = false
    private var check: Scheduled<Void>?
    private let wasAskedToReconnect = Atomic<Bool>(false)

    /// - Parameters:
    ///   - gate: holds the connection's place; nil: there are no limits.
    ///   - isSecure: it is inside TLS.
    init(
        _ channel: any Channel, environment: RTMPEnvironment, connections: RTMPConnections,
        gate: ConnectionGateHandler?, isSecure: Bool = false
    ) {
        self.environment = environment
        self.connections = connections
        self.gate = gate
        eventLoop = channel.eventLoop
        peer = RTMPPeer(channel, isSecure: isSecure)
        session = ServerSession(configuration: environment.configuration.session, now: .now())
        memory = WaitingMemory(budget: environment.memory)
    }

    /// Runs `body` on the event loop, for as long as the connection is there.
    private func onLoop(_ body: @escaping @Sendable (RTMPConnection) -> Void) {
        eventLoop.execute {
            guard self.context != nil else { return }
            body(self)
        }
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    private func start() {
        guard check == nil else { return }
        connections.add(self)
        scheduleCheck()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        connections.remove(self)
        leaveEverything(isOrderly: false)
        if challenged != nil, let client { environment.challenges.remember(client.app, address: peer.address) }
        memory.release()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After the last word the peer's bytes are taken and thrown away, so that it reads the word before the end.
        guard !isClosing else { return }
        do throws(RTMPError) {
            try session.receive(unwrapInboundIn(data), now: .now(), acknowledges: backlog.bytes == 0)
        } catch {
            fail(error)
            return
        }
        drain()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        passOnWhatWasRead()
        context.fireChannelReadComplete()
    }

    private func passOnWhatWasRead() {
        for publication in publications.values { publication.publication?.readComplete() }
    }

    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            isReadPending = true
        }
    }

    private var mayRead: Bool {
        guard !isClosing else { return true }
        return !session.awaitsAnswer && !backlog.stopsReading && !isDecodingLater
            && publications.values.allSatisfy { $0.publication?.mayRead ?? true }
    }

    private func resumeReading() {
        guard isReadPending, mayRead else { return }
        isReadPending = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            for play in plays.values { play.running?.subscriber.writabilityChanged() }
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        environment.logger.debug(
            "RTMP connection broke", metadata: ["address": "\(peer.address)", "error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: The session

    /// How many events are handled before the event loop's other connections get their turn.
    private static let eventsPerTurn = 256

    /// Handles what the client did, and sends what the session has to say.
    private func drain() {
        guard !isDecodingLater else { return }
        var events = 0
        do throws(RTMPError) {
            while !isClosing, !backlog.stopsReading, let event = try session.nextEvent() {
                handle(event)
                events += 1
                if events == RTMPConnection.eventsPerTurn {
                    decodeLater()
                    break
                }
            }
        } catch {
            fail(error)
            return
        }
        memory.hold(input: session.heldBytes)
        send()
        resumeReading()
    }

    private func decodeLater() {
        isDecodingLater = true
        eventLoop.execute {
            self.isDecodingLater = false
            guard self.context != nil, !self.isClosing else { return }
            self.drain()
            self.passOnWhatWasRead()
        }
    }

    /// Sends what the session has to say.
    private func send() {
        guard !isClosing, let context, let output = session.takeOutput() else { return }
        _ = write(output, context)
        if backlog.isOverLimit {
            fail(RTMPError(.tooMuchBuffered, "More than \(ReplyBacklog.limit) bytes of replies wait to be read."))
        }
    }

    /// Writes replies and counts them until the socket has taken them.
    private func write(_ replies: ByteBuffer, _ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        let count = replies.readableBytes
        backlog.add(count, now: .now())
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(replies), promise: written)
        written.futureResult.whenComplete { [weak self] _ in self?.wasSent(count) }
        memory.hold(replies: backlog.bytes)
        return written.futureResult
    }

    private func wasSent(_ count: Int) {
        let wasStopped = backlog.stopsReading
        backlog.remove(count)
        guard let context, context.channel.isActive else { return }
        memory.hold(replies: backlog.bytes)
        // What was received meanwhile is decoded before more is read.
        if wasStopped, !backlog.stopsReading, !isClosing { drain() }
    }

    /// Sends what is left to say and closes.
    ///
    /// Closing a socket that holds unread bytes resets the connection, and the peer would lose the last word: so the sending
    /// side is closed first, and what the peer still sends is read until it closes as well.
    private func close() {
        guard !isClosing, let context else { return }
        isClosing = true
        write(session.takeOutput() ?? ByteBuffer(), context).whenComplete { [weak self] _ in self?.closeSendingSide() }
        context.eventLoop.scheduleTask(in: environment.configuration.farewell) { [weak self] in
            self?.context?.close(promise: nil)
        }
        resumeReading()
    }

    private func closeSendingSide() {
        context?.close(mode: .output).whenFailure { [weak self] _ in self?.context?.close(promise: nil) }
    }

    /// The peer broke the protocol: said once, and the connection ends.
    private func fail(_ error: RTMPError) {
        guard !isClosing else { return }
        environment.log.log(
            .warning, "RTMP connection ended", error.message.cut(), address: peer.address,
            ["code": "\(error.code.rawValue)"])
        leaveEverything(isOrderly: false)
        close()
    }

    /// Lets go of everything the connection holds on the stage.
    private func leaveEverything(isOrderly: Bool) {
        for streamID in Array(publications.keys) { endPublication(streamID, isOrderly: isOrderly) }
        for streamID in Array(plays.keys) { endPlay(streamID) }
    }

    private func handle(_ event: ServerEvent) {
        switch event {
        case .media(let message):
            publications[message.streamID]?.send(message)
        case .metadata(let message), .data(let message):
            publications[message.streamID]?.send(message)
        case .connectRequested(let request):
            connect(request)
        case .publishRequested(let request):
            publish(request)
        case .playRequested(let request):
            play(request)
        case .unpublished(let streamID):
            endPublication(streamID, isOrderly: true)
        case .playStopped(let streamID):
            endPlay(streamID)
        case .paused(let streamID, let isPaused, _):
            plays[streamID]?.running?.subscriber.setPaused(isPaused)
        case .seek(let streamID, let milliseconds):
            // Live has one position; players that seek are told that they are there.
            session.acceptSeek(streamID: streamID, milliseconds: milliseconds)
        case .receiveAudio(let streamID, let wanted):
            plays[streamID]?.running?.subscriber.filter.audio = wanted
        case .receiveVideo(let streamID, let wanted):
            plays[streamID]?.setVideo(wanted)
        case .bufferLength:
            break
        }
    }

    private func nextUse(of streamID: UInt32) -> StreamUse {
        lastUse += 1
        return StreamUse(streamID: streamID, number: lastUse)
    }

    // MARK: Connecting

    private func connect(_ request: ConnectRequest) {
        let client = RTMPClient(request)
        self.client = client
        Task {
            let step = await self.environment.challenges.step(request, address: self.peer.address, now: Date())
            self.onLoop { $0.answerConnect(step) }
            self.environment.record(step, of: client, at: self.peer)
        }
    }

    private func answerConnect(_ step: ChallengeAuthentication.Step) {
        switch step {
        case .notNeeded:
            session.acceptConnect()
        case .accepted(let user):
            challenged = user
            session.acceptConnect()
        case .rejected(let rejection):
            session.rejectConnect(description: rejection.description)
            close()
            return
        }
        drain()
    }

    // MARK: Publishing

    private func publish(_ request: PublishRequest) {
        guard let client else { return }
        let use = nextUse(of: request.streamID)
        publications[use.streamID] = RTMPPublication(use)
        let stream = client.address(of: request.name)
        let credentials = PublishCredentials(
            user: client.parameter("user", of: request.name), pass: client.parameter("pass", of: request.name),
            challenged: challenged)
        let environment = environment
        Task {
            switch await environment.authorizer.authorize(stream, credentials, from: self.peer.address) {
            case .failure(let refusal):
                let user = credentials.user ?? credentials.challenged?.name ?? ""
                self.refuse(stream, use, user, refusal, client, isAuthenticated: false)
            case .success(let grant):
                // An encoder that hung up while it was being let in would leave a stream that nobody sends.
                guard await self.isThere() else { return }
                let info = client.publisher(grant.user, at: self.peer)
                let publisher = Publisher(info: info, role: grant.role) { [weak self] ending in
                    self?.onLoop { $0.dismiss(use, ending) }
                }
                do throws(StreamHub.Rejection) {
                    let publication = try await environment.stage.publish(
                        grant.stream, accountID: grant.accountID,
                        settings: environment.configuration.hubSettings(grant.settings), publisher: publisher,
                        on: self.eventLoop)
                    self.eventLoop.execute { self.begin(publication, use) }
                } catch {
                    self.refuse(
                        stream, use, grant.user, PublishRefusal(error), client, isAuthenticated: true)
                }
            }
        }
    }

    private func isThere() async -> Bool {
        (try? await eventLoop.submit { self.context != nil && !self.isClosing }.get()) ?? false
    }

    private func begin(_ publication: Publication, _ use: StreamUse) {
        // The encoder may have gone, or have been sent away, while it was being let in.
        guard context != nil, publications[use.streamID]?.use == use else {
            publication.end(isOrderly: false)
            return
        }
        if let ending = publication.publisher.ending {
            publications[use.streamID] = nil
            environment.logDismissed(publication, ending, from: peer.address)
            session.refusePublish(
                streamID: use.streamID, code: ending.statusCode, description: ending.description)
            close()
            return
        }
        guard session.acceptPublish(streamID: use.streamID) else {
            publications[use.streamID] = nil
            publication.end(isOrderly: false)
            drain()
            return
        }
        gate?.admitPublisher()
        publication.onReady = { [weak self] in self?.resumeReading() }
        publications[use.streamID]?.begin(publication)
        environment.logAccepted(publication, from: peer.address)
        drain()
    }

    /// The encoder is told first; the event log takes its time.
    private func refuse(
        _ stream: StreamAddress, _ use: StreamUse, _ user: String, _ refusal: PublishRefusal, _ client: RTMPClient,
        isAuthenticated: Bool
    ) {
        onLoop { connection in
            guard connection.publications[use.streamID]?.use == use else { return }
            connection.publications[use.streamID] = nil
            connection.session.refusePublish(
                streamID: use.streamID, code: refusal.statusCode, description: refusal.message(for: stream))
            // Encoders wait for the server to hang up before they say what was wrong.
            connection.close()
        }
        environment.recordRefusal(
            of: stream, client.publisher(user, at: peer), refusal, isAuthenticated: isAuthenticated)
    }

    private func endPublication(_ streamID: UInt32, isOrderly: Bool) {
        // One that is still being decided finds its place empty when it is let in (`begin`).
        guard let publication = publications.removeValue(forKey: streamID)?.publication else { return }
        environment.logEnded(publication, isOrderly: isOrderly, from: peer.address)
        publication.end(isOrderly: isOrderly)
    }

    /// The stage sends the publisher away.
    private func dismiss(_ use: StreamUse, _ ending: PublisherEnding) {
        guard let dismissed = publications[use.streamID], dismissed.use == use else { return }
        // One that has not begun yet finds out when it does.
        guard let publication = dismissed.publication else { return }
        publications[use.streamID] = nil
        environment.logDismissed(publication, ending, from: peer.address)
        session.endPublish(streamID: use.streamID, code: ending.statusCode, description: ending.description)
        if ending == .draining, session.canReconnect {
            // It has been asked to connect anew (`announceShutdown`), and goes by itself.
            send()
        } else {
            close()
        }
    }

    // MARK: Playing
    private func play(_ request: PlayRequest) {
        guard let client else { return }
        // A play while playing switches to another stream: the old one ends here.
        endPlay(request.streamID)
        let use = nextUse(of: request.streamID)
        plays[use.streamID] = RTMPPlay(use: use)
        guard gate?.admitViewer() ?? true else {
            refusePlay(use, "The server has as many viewers as it may have.")
            return
        }
        let stream = client.address(of: request.name).forPlayback
        let facts = client.viewer(of: stream, request.name, at: peer)
        Task {
            let answer = await self.environment.answerPlay(of: stream, facts) { [weak self] in
                self?.onLoop { $0.revoke(use) }
            }
            self.eventLoop.execute { self.answerPlay(use, stream, answer) }
        }
    }

    private func answerPlay(_ use: StreamUse, _ stream: StreamAddress, _ answer: PlayAnswer) {
        guard context != nil, plays[use.streamID]?.use == use else {
            if case .admitted(_, let admission) = answer { environment.leave(admission) }
            return
        }
        switch answer {
        case .admitted(_, let admission) where !environment.admissions.isRunning(admission):
            // Access was taken away while it was being let in.
            environment.leave(admission)
            answerPlay(use, stream, .refused)
        case .admitted(let hub, let admission):
            start(use, stream, hub, admission)
        case .notFound:
            plays[use.streamID] = nil
            session.refusePlay(streamID: use.streamID, description: "\(stream.stream) is not on air.")
            drain()
        case .refused:
            // The log has the reason; the viewer does not need it.
            refusePlay(use, "Access to \(stream.stream) is denied.")
        case .failed:
            refusePlay(use, "The server cannot check access now.")
        }
    }

    private func refusePlay(_ use: StreamUse, _ description: String) {
        plays[use.streamID] = nil
        session.refusePlay(streamID: use.streamID, code: "NetStream.Play.Failed", description: description)
        close()
    }

    private func start(_ use: StreamUse, _ stream: StreamAddress, _ hub: StreamHub, _ admission: String) {
        guard let context, session.acceptPlay(streamID: use.streamID) else {
            plays[use.streamID] = nil
            environment.leave(admission)
            return
        }
        let subscriber = RTMPSubscriber(role: .viewer, channel: context.channel, messageStreamID: use.streamID)
        subscriber.onEnd = { [weak self] ending in self?.subscriberEnded(use, ending) }
        plays[use.streamID]?.begin(hub, subscriber, session: admission)
        environment.log.log(.info, "viewer admitted", address: peer.address, lines: 1_000, ["stream": "\(stream)"])
        send()  // What is said about the stream goes before its media.
        Task {
            if await !hub.attach(subscriber) {
                self.onLoop { $0.subscriberEnded(use, .streamEnded) }
            }
        }
        drain()
    }

    private func endPlay(_ streamID: UInt32) {
        var play = plays.removeValue(forKey: streamID)
        guard let ended = play?.end(environment.admissions) else { return }
        environment.leave(ended.session)
    }

    /// The hub let the subscriber go.
    private func subscriberEnded(_ use: StreamUse, _ ending: RTMPSubscriber.Ending) {
        guard plays[use.streamID]?.use == use else { return }
        endPlay(use.streamID)
        switch ending {
        case .streamEnded:
            session.notify(.unpublished, streamID: use.streamID)
            session.notify(.ended, streamID: use.streamID)
            send()
        case .tooSlow:
            environment.log.log(.info, "viewer too slow, closed", address: peer.address)
            close()
        }
    }

    /// Its ticket was revoked or ran out, or the stream was protected.
    private func revoke(_ use: StreamUse) {
        // One that is still being let in is caught when it is answered.
        guard let play = plays[use.streamID], play.use == use, play.running != nil else { return }
        endPlay(use.streamID)
        session.notify(.failed("Access is no longer granted."), streamID: use.streamID)
        close()
    }

    // MARK: Shutting down

    /// The client has been asked to connect anew, and should go by itself.
    var isAskedToReconnect: Bool { wasAskedToReconnect.load(ordering: .acquiring) }

    /// The server goes down: a client that can is asked to connect anew, another one is told of the end. Returns when it has
    /// been told.
    func announceShutdown() async {
        try? await eventLoop.submit {
            guard self.context != nil, !self.isClosing else { return }
            if self.session.canReconnect {
                self.wasAskedToReconnect.store(true, ordering: .releasing)
                self.session.requestReconnect(description: "The server restarts.")
            } else {
                self.session.sendClose(description: "The server is going down.")
            }
            self.send()
        }.get()
    }

    /// Closes now, for clients that did not go by themselves.
    func closeForShutdown() {
        onLoop { connection in
            connection.leaveEverything(isOrderly: true)
            connection.close()
        }
    }

    // MARK: Time

    private static let checkInterval = TimeAmount.seconds(2)
    /// Players say nothing for hours; after this long without a word a ping tells the dead ones.
    private static let pingAfter = TimeAmount.seconds(60)

    private func scheduleCheck() {
        check = eventLoop.scheduleTask(in: RTMPConnection.checkInterval) { [weak self] in
            guard let self, let context = self.context else { return }
            self.checkDeadlines(now: .now())
            if context.channel.isActive { self.scheduleCheck() }
        }
    }

    private func checkDeadlines(now: NIODeadline) {
        guard !isClosing else { return }
        countMedia()
        for streamID in plays.keys { plays[streamID]?.countSent(environment.admissions) }
        if let error = session.expired(now: now) {
            fail(error)
            return
        }
        let configuration = environment.configuration
        let silence = now - session.lastReceived
        if backlog.isStuck(for: configuration.slowPeerTimeout, now: now) {
            let seconds = configuration.slowPeerTimeout.nanoseconds / 1_000_000_000
            fail(RTMPError(.tooMuchBuffered, "The peer read none of its replies for \(seconds) seconds."))
        } else if !publications.isEmpty, silence > configuration.idleTimeout {
            let seconds = configuration.idleTimeout.nanoseconds / 1_000_000_000
            fail(RTMPError(.timeout, "The publisher sent nothing for \(seconds) seconds."))
        } else if !plays.isEmpty, silence > RTMPConnection.pingAfter {
            session.ping(now: now)
            send()
        }
    }

    /// Media that waits for a viewer is shared with others and counted with its stream. It is counted for the viewer too once
    /// it has waited from one check to the next: then it may be older than what the stream still holds.
    private func countMedia() {
        guard let context, let play = plays.values.lazy.compactMap(\.running).first else { return }
        let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? nil
        memory.check(media: max(0, (buffered ?? 0) - backlog.bytes), of: play.hub.accountID)
    }
}
