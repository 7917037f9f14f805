import Live
import RTMP
import Storage
import Usher

extension RTMPConnectionHandler {
    /// What becomes of a wish to play.
    private enum PlayDecision: Sendable {
        case allowed(StreamHub, session: String?)
        case notFound
        case refused
        case failed
    }

    func play(_ wish: PlayRequest) {
        guard let request else { return }
        let stream = RTMPAddressing.address(request.path, wish.name).forPlayback
        let facts = ViewerFacts(
            key: RTMPAddressing.parameter("key", wish.name, request),
            pass: RTMPAddressing.parameter("pass", wish.name, request), address: address, app: stream.app,
            instance: stream.instance, video: stream.stream, pageURL: request.pageURL ?? "",
            referrerURL: request.swfURL ?? "", serverAddress: localAddress)
        let streamID = wish.streamID
        Task {
            let decision = await self.decide(stream, facts, streamID)
            guard let eventLoop = self.channelEventLoop else { return }
            eventLoop.execute { self.answerPlay(streamID, stream, decision) }
        }
    }

    private func decide(_ stream: StreamAddress, _ facts: ViewerFacts, _ streamID: UInt32) async -> PlayDecision {
        // An offline stream charges nobody, so it is looked for before the ticket is.
        guard stream.isValid, let hub = await services.stage.hub(at: stream), await hub.report() != nil else {
            return .notFound
        }
        do {
            guard try await services.admissions.protection(app: stream.app, stream: stream.stream) == .sevu else {
                return .allowed(hub, session: nil)
            }
            let verdict = try await services.admissions.admit(connection: facts) { [weak self] _ in
                self?.onLoop { $0.revoke(streamID) }
            }
            switch verdict {
            case .granted(let session): return .allowed(hub, session: session)
            case .refused: return .refused
            }
        } catch {
            services.logger.error("play check failed", metadata: ["stream": "\(stream)", "error": "\(error)"])
            return .failed
        }
    }

    private func answerPlay(_ streamID: UInt32, _ stream: StreamAddress, _ decision: PlayDecision) {
        switch decision {
        case .allowed(_, let admission?) where !services.admissions.isRunning(admission):
            // Its ticket was revoked while it was being let in.
            leave(admission)
            answerPlay(streamID, stream, .refused)
        case .allowed(let hub, let admission):
            guard let context, session.acceptPlay(streamID: streamID) else {
                leave(admission)
                return
            }
            let reader = RTMPSubscriber(role: .viewer, channel: context.channel, messageStreamID: streamID)
            reader.onEnd = { [weak self] ending in self?.readerEnded(streamID, ending) }
            plays[streamID] = RTMPPlay(hub: hub, reader: reader, session: admission)
            services.log.log(.info, "viewer admitted", address: address, lines: 1_000, ["stream": "\(stream)"])
            drain()
            Task {
                if await !hub.attach(reader) {
                    self.onLoop { $0.readerEnded(streamID, .streamEnded) }
                }
            }
        case .notFound:
            session.refusePlay(streamID: streamID, description: "\(stream.stream) is not on air.")
            drain()
        case .refused:
            // The log has the reason; the viewer does not need it.
            session.refusePlay(
                streamID: streamID, code: "NetStream.Play.Failed", description: "Access to \(stream.stream) is denied.")
            drain()
            close()
        case .failed:
            session.refusePlay(
                streamID: streamID, code: "NetStream.Play.Failed", description: "The server cannot check access now.")
            drain()
            close()
        }
    }

    func endPlay(_ streamID: UInt32) {
        guard let ended = plays.removeValue(forKey: streamID) else { return }
        if let reader = ended.reader { ended.hub.detach(reader) }
        leave(ended.session)
    }

    private func leave(_ admission: String?) {
        guard let admission else { return }
        let admissions = services.admissions
        Task { await admissions.close(admission) }
    }

    /// The hub let the reader go.
    private func readerEnded(_ streamID: UInt32, _ ending: RTMPSubscriber.Ending) {
        guard plays[streamID] != nil else { return }
        endPlay(streamID)
        switch ending {
        case .streamEnded:
            session.notify(.unpublished, streamID: streamID)
            session.notify(.ended, streamID: streamID)
            send()
        case .tooSlow:
            services.log.log(.info, "viewer too slow, closed", address: address)
            close()
        }
    }

    /// Its ticket was revoked or ran out.
    private func revoke(_ streamID: UInt32) {
        guard plays[streamID] != nil else { return }
        endPlay(streamID)
        session.notify(.failed("Access is no longer granted."), streamID: streamID)
        close()
    }
}
