import Admission
import Live
import RTMP

extension RTMPConnectionHandler {
    func publish(_ wish: PublishRequest) {
        guard let request, let eventLoop = channelEventLoop else { return }
        let stream = RTMPAddressing.address(request.path, wish.name)
        let credentials = PublishCredentials(
            user: RTMPAddressing.parameter("user", wish.name, request),
            pass: RTMPAddressing.parameter("pass", wish.name, request), challenged: challenged)
        let software = request.flashVersion ?? ""
        let info = { (user: String) in
            PublisherInfo(
                address: self.address, software: software, transport: "rtmp", user: user, connected: self.accepted)
        }
        let services = services
        let streamID = wish.streamID
        Task {
            let granted = await services.authorizer.authorize(stream, credentials, from: self.address)
            switch granted {
            case .failure(let refusal):
                let user = credentials.user ?? credentials.challenged?.name ?? ""
                await self.refuse(stream, streamID, refusal, info(user), isAuthenticated: false)
            case .success(let grant):
                let publisher = Publisher(info: info(grant.user)) { [weak self] ending in
                    self?.onLoop { $0.dismiss(streamID, ending) }
                }
                do throws(StreamHub.Rejection) {
                    let publication = try await services.stage.publish(
                        stream, accountID: grant.accountID, settings: services.hubSettings(grant.settings),
                        publisher: publisher,
                        on: eventLoop)
                    eventLoop.execute { self.begin(publication, streamID) }
                } catch {
                    await self.refuse(stream, streamID, PublishRefusal(error), publisher.info, isAuthenticated: true)
                }
            }
        }
    }

    private func begin(_ publication: Publication, _ streamID: UInt32) {
        // The encoder may have gone while it was being let in.
        guard context != nil, session.acceptPublish(streamID: streamID) else {
            publication.end(isOrderly: false)
            drain()
            return
        }
        publications[streamID] = RTMPPublication(publication)
        services.logger.info(
            "publisher accepted",
            metadata: [
                "stream": "\(publication.hub.address)", "address": "\(address)",
                "user": "\(publication.publisher.info.user)", "software": "\(publication.publisher.info.software)",
            ])
        drain()
    }

    private func refuse(
        _ stream: StreamAddress, _ streamID: UInt32, _ refusal: PublishRefusal, _ info: PublisherInfo,
        isAuthenticated: Bool
    ) async {
        services.log.log(
            .warning, "publisher refused", refusal.message, address: address,
            ["stream": "\(stream)", "user": "\(info.user)"])
        services.events.publishRefused(stream, info, refusal, isAuthenticated: isAuthenticated)
        onLoop { handler in
            handler.session.refusePublish(
                streamID: streamID, code: refusal.statusCode, description: refusal.message)
            handler.drain()
            // Encoders wait for the server to hang up before they say what was wrong.
            handler.close()
        }
    }

    func endPublication(_ streamID: UInt32, isOrderly: Bool) {
        guard let ended = publications.removeValue(forKey: streamID) else { return }
        services.logger.info(
            isOrderly ? "publisher ended" : "publisher's connection ended",
            metadata: ["stream": "\(ended.publication.hub.address)", "address": "\(address)"])
        ended.publication.end(isOrderly: isOrderly)
    }

    /// The stage sends the publisher away.
    private func dismiss(_ streamID: UInt32, _ ending: PublisherEnding) {
        guard let dismissed = publications.removeValue(forKey: streamID) else { return }
        services.logger.info(
            "publisher dismissed: \(ending)",
            metadata: ["stream": "\(dismissed.publication.hub.address)", "address": "\(address)"])
        switch ending {
        case .draining:
            // It has been asked to reconnect, or told of the end; see `drainForShutdown`.
            session.endPublish(
                streamID: streamID, code: "NetStream.Unpublish.Success", description: "The server is going down.")
            send()
            if !session.canReconnect { close() }
        case .takenOver:
            session.endPublish(
                streamID: streamID, code: "NetStream.Publish.BadName",
                description: "Another publisher took the stream over.")
            close()
        case .closedByOperator:
            session.endPublish(
                streamID: streamID, code: "NetStream.Unpublish.Success", description: "The stream was closed.")
            close()
        }
    }
}

extension PublishRefusal {
    init(_ refusal: StreamHub.Rejection) {
        switch refusal {
        case .busy: self = .busy
        case .ended: self = .unavailable("the stream is ending, try again")
        case .outOfMemory: self = .overloaded
        }
    }
}
