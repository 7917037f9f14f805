import Foundation
import Media
import NIOCore
import RTMP

extension StreamHub {
    /// Why a second publisher is turned away.
    public enum Rejection: Error, Sendable, Hashable {
        /// The first one is still sending.
        case busy
        /// The stream ended while this one came; a fresh hub takes it.
        case ended
        /// Streams hold more memory than `limits.memory`.
        case outOfMemory
    }

    /// A publisher comes, or comes back, or takes over one that has fallen silent.
    func begin(_ publisher: Publisher) throws(Rejection) {
        eventLoop.assertInEventLoop()
        switch state {
        case .vacant:
            published = Date()
        case .live(let current):
            let silence = settings.takeoverAfter(of: current.info, by: publisher.info)
            guard NIODeadline.now() - lastMessage >= TimeAmount(silence) else { throw .busy }
            current.disconnect(.takenOver)
            startOver()
        case .recovering(_, let deadline):
            deadline.cancel()
            startOver()
        case .ended:
            throw .ended
        }
        state = .live(publisher)
        lastMessage = .now()
    }

    /// Keeps viewers and pushes, and makes ready for another encoder: its own headers, its own clock.
    private func startOver() {
        seal()
        timeline.rebase()
        tracks = TrackSet()
        metadata = nil
        videoHeader = nil
        audioHeader = nil
        hasVideo = false
    }

    /// One message of the publisher.
    func receive(_ received: ReceivedMessage, from id: UInt64) {
        let (kind, timestamp, body, value) = (received.kind, received.timestamp, received.body, received.metadata)
        eventLoop.assertInEventLoop()
        guard case .live(let publisher) = state, publisher.id == id else { return }
        let now = NIODeadline.now()
        let uptime = MediaTime.uptime
        lastMessage = now
        bytesReceived += Int64(body.readableBytes)

        let placement = timeline.place(MediaTime(milliseconds: timestamp), now: uptime)
        if placement.isDiscontinuity {
            for packager in packagers { packager.discontinuity() }
        }
        let content = read(kind, body: body, time: placement.time, metadata: value)
        let message = StreamSample(kind: kind, timestamp: placement.time, body: body, content: content)
        rate.add(bytes: body.readableBytes, isFrame: message.isPicture, now: uptime)
        note(message)

        // A keyframe begins a batch: whoever starts or catches up starts there.
        if message.isVideoKeyframe || pendingBytes > StreamHub.batchBytes {
            seal()
        }
        pending.append(message)
        pendingBytes += body.readableBytes

        if case .accessUnit(let unit) = content, !packagers.isEmpty {
            let wallClock = Int64(Date().timeIntervalSince1970 * 1_000)
            for packager in packagers { packager.receive(unit, wallClock: wallClock) }
        }
    }

    /// The bytes at hand are read: with few readers what came goes out now, else at the next tick.
    func readComplete() {
        eventLoop.assertInEventLoop()
        guard !pending.isEmpty else { return }
        guard
            let interval = FlushPolicy.interval(
                readers: viewerCount + pushCount, latency: TimeAmount(settings.latency))
        else {
            seal()
            return
        }
        guard tick == nil else { return }
        tick = eventLoop.scheduleTask(in: interval) { [weak self] in
            guard let self else { return }
            self.tick = nil
            self.seal()
        }
    }

    /// The publisher is gone. Orderly: it said so; otherwise its connection broke.
    func end(_ id: UInt64, isOrderly: Bool) {
        eventLoop.assertInEventLoop()
        guard case .live(let publisher) = state, publisher.id == id else { return }
        seal()
        guard settings.reconnectWindow > .zero, !(isOrderly && settings.endsOnUnpublish) else {
            finish()
            return
        }
        for packager in packagers { packager.publisherLost() }
        let deadline = eventLoop.scheduleTask(in: TimeAmount(settings.reconnectWindow)) { [weak self] in
            guard let self else { return }
            self.finish()
        }
        state = .recovering(last: publisher, deadline: deadline)
        logger.info(
            "publisher lost, waiting for it to return",
            metadata: ["stream": "\(address)", "seconds": "\(settings.reconnectWindow.components.seconds)"])
    }

    /// Ends the stream for everybody, at once.
    func finish() {
        eventLoop.assertInEventLoop()
        let last = currentPublisher
        switch state {
        case .ended: return
        case .recovering(_, let deadline): deadline.cancel()
        case .vacant, .live: break
        }
        seal()
        state = .ended
        tick?.cancel()
        tick = nil
        for packager in packagers { packager.streamEnded() }
        packagers.removeAll()
        for fanout in fanouts.values {
            fanout.eventLoop.execute { fanout.end() }
        }
        fanouts.removeAll()
        ring.removeAll()
        memory.change(by: -heldBytes)
        heldBytes = 0
        onEnd(self, last)
    }

    /// A batch is sealed when it holds this much, whatever the clock says.
    private static let batchBytes = 256 << 10

    private func read(_ kind: TrackID.Kind, body: ByteBuffer, time: MediaTime, metadata value: AMFValue?)
        -> StreamSample.Content
    {
        do {
            switch kind {
            case .data: return value.map { .metadata($0) } ?? .other
            case .video: return try StreamSample.Content(VideoTag.parse(body), time: time)
            case .audio: return try StreamSample.Content(AudioTag.parse(body), time: time)
            }
        } catch {
            // It passes through untouched; only packagers miss it. Said once a publisher would flood the log otherwise.
            if unreadableTags == 0 {
                logger.warning(
                    "message not understood, passed on as it is",
                    metadata: ["stream": "\(address)", "kind": "\(kind)", "error": "\(error)"])
            }
            unreadableTags += 1
            return .other
        }
    }

    /// Keeps what later comers need first, and tells packagers of new configurations.
    private func note(_ message: StreamSample) {
        if message.kind == .video { hasVideo = true }
        switch message.content {
        case .metadata:
            metadata = message
        case .configuration(let configuration):
            if message.kind == .video {
                videoHeader = message
            } else {
                audioHeader = message
            }
            if let configuration { setTrack(configuration) }
        case .accessUnit(let unit):
            // MP3 has no sequence header: its first frame tells.
            if unit.codec == .audio(.mp3), tracks.audio == nil,
                let configuration = try? MP3Configuration(frame: unit.payload)
            {
                setTrack(.mp3(configuration))
            }
            // VP9's header does not tell the picture's size, its keyframes do.
            if unit.codec == .video(.vp9), unit.isKeyframe, case .vp9(var configuration)? = tracks.video,
                let header = try? VP9KeyframeHeader(frame: unit.payload), header.resolution != configuration.resolution
            {
                configuration.resolution = header.resolution
                setTrack(.vp9(configuration))
            }
        case .other:
            break
        }
    }

    private func setTrack(_ configuration: CodecConfiguration) {
        var configuration = configuration
        if case .vp9(var again) = configuration, again.resolution == nil, case .vp9(let known)? = tracks.video {
            // A header sent again changes nothing that a keyframe told.
            again.resolution = known.resolution
            configuration = .vp9(again)
        }
        var changed = tracks
        if configuration.codec.isVideo {
            changed.video = configuration
        } else {
            changed.audio = configuration
        }
        guard changed != tracks else { return }
        tracks = changed
        for packager in packagers { packager.tracksChanged(changed) }
    }
}

extension StreamSample {
    /// One picture (not a header or an end of sequence).
    var isPicture: Bool {
        guard kind == .video, case .accessUnit = content else { return false }
        return true
    }
}
