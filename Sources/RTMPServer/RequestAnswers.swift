import Admission
import Basics
import Live
import Logging
import RTMP
import Storage
import Usher

/// What becomes of a request to play.
enum PlayAnswer: Sendable {
    /// - Parameter session: what `Admissions` knows the viewer by.
    case admitted(StreamHub, session: String)
    case notFound
    /// The log has the reason; the viewer does not need it.
    case refused
    /// The store did not answer.
    case failed
}

extension RTMPEnvironment {
    /// Asks whether a viewer may play.
    /// - Parameter onEnd: called once, on any thread, when the viewer may no longer watch.
    func answerPlay(
        of stream: StreamAddress, _ facts: ViewerFacts, onEnd: @escaping @Sendable () -> Void
    ) async -> PlayAnswer {
        // An offline stream charges nobody, so it is looked for before the ticket is.
        guard stream.isValid, let hub = await stage.hub(at: stream), await hub.report() != nil else {
            return .notFound
        }
        do {
            switch try await admissions.admit(connection: facts, account: hub.accountID, onEnd: { _ in onEnd() }) {
            case .granted(let session): return .admitted(hub, session: session)
            case .refused: return .refused
            }
        } catch {
            log.failed("RTMP viewers not answered", error, ["stream": "\(stream)"])
            return .failed
        }
    }

    /// A viewer plays no more.
    func leave(_ admission: String) {
        Task { await admissions.close(admission) }
    }

    /// A wrong answer to the challenge is a refused login like any other, only that no stream has been named yet.
    func record(_ step: ChallengeAuthentication.Step, of client: RTMPClient, at peer: RTMPPeer) {
        guard case .rejected(.authenticationFailed) = step else { return }
        recordRefusal(
            of: client.address(of: StreamName("")), client.publisher(client.parameter("user") ?? "", at: peer),
            .wrongCredentials, isAuthenticated: false)
    }

    /// Puts a refused publisher into the log and the account's event log.
    /// - Parameter isAuthenticated: whether it was refused although its login was right.
    func recordRefusal(
        of stream: StreamAddress, _ publisher: PublisherInfo, _ refusal: PublishRefusal, isAuthenticated: Bool
    ) {
        log.log(
            .warning, "publisher refused", refusal.message, address: publisher.address,
            ["stream": "\(stream)", "user": "\(publisher.user)"])
        events.publishRefused(stream, publisher, refusal, isAuthenticated: isAuthenticated)
    }

    func logAccepted(_ publication: Publication, from address: String) {
        logger.info(
            "publisher accepted",
            metadata: metadata(
                publication, address,
                [
                    "user": "\(publication.publisher.info.user)",
                    "software": "\(publication.publisher.info.software)",
                ]))
    }

    func logEnded(_ publication: Publication, isOrderly: Bool, from address: String) {
        logger.info(
            isOrderly ? "publisher ended" : "publisher's connection ended",
            metadata: metadata(publication, address))
    }

    func logDismissed(_ publication: Publication, _ ending: PublisherEnding, from address: String) {
        logger.info(
            "publisher dismissed: \(ending)",
            metadata: metadata(publication, address))
    }

    private func metadata(
        _ publication: Publication, _ address: String, _ more: Logger.Metadata = [:]
    ) -> Logger.Metadata {
        var metadata = more
        metadata["stream"] = "\(publication.hub.address)"
        metadata["address"] = "\(address)"
        if publication.publisher.role == .backup { metadata["encoder"] = "backup" }
        return metadata
    }
}

extension PublisherEnding {
    /// What the encoder is told.
    var statusCode: String {
        switch self {
        case .takenOver: "NetStream.Publish.BadName"
        case .closedByOperator, .draining: "NetStream.Unpublish.Success"
        }
    }

    var description: String {
        switch self {
        case .takenOver: "Another publisher took the stream over."
        case .closedByOperator: "The stream was closed."
        case .draining: "The server is going down."
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
