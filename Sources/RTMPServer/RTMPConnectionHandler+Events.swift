import Admission
import Foundation
import Live
import RTMP
import Synchronization

extension RTMPConnectionHandler {
    func handle(_ event: ServerEvent) {
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
            plays[streamID]?.reader?.setPaused(isPaused)
        case .seek(let streamID, let milliseconds):
            // Live has one position; players that seek are told that they are there.
            session.acceptSeek(streamID: streamID, milliseconds: milliseconds)
        case .receiveAudio(let streamID, let wanted):
            plays[streamID]?.reader?.filter.audio = wanted
        case .receiveVideo(let streamID, let wanted):
            plays[streamID]?.setVideo(wanted)
        case .bufferLength:
            break
        }
    }

    private func connect(_ request: ConnectRequest) {
        self.request = request
        let challenges = services.challenges
        let address = address
        Task {
            let step = await challenges.step(request, address: address, now: Date())
            if case .rejected(.authenticationFailed) = step { await self.noteFailedChallenge(request) }
            self.onLoop { $0.answerConnect(step) }
        }
    }

    /// A wrong answer to the challenge is a refused login like any other, only that no stream has been named yet.
    private func noteFailedChallenge(_ request: ConnectRequest) async {
        let stream = StreamAddress(app: request.path.app, instance: request.path.instance ?? "live", stream: "")
        let refusal = PublishRefusal.wrongCredentials
        let info = PublisherInfo(
            address: address, software: request.flashVersion ?? "", transport: "rtmp",
            user: request.parameter("user") ?? "", connected: accepted)
        services.log.log(
            .warning, "publisher refused", refusal.message, address: address,
            ["stream": "\(stream)", "user": "\(info.user)"])
        services.events.publishRefused(stream, info, refusal, isAuthenticated: false)
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

    /// Lets go of everything the connection holds on the stage.
    func leaveEverything(isOrderly: Bool) {
        for streamID in Array(publications.keys) { endPublication(streamID, isOrderly: isOrderly) }
        for streamID in Array(plays.keys) { endPlay(streamID) }
    }

    /// The server goes down: clients that can are asked to connect anew, the others see an orderly end.
    public func drainForShutdown() {
        onLoop { handler in
            if handler.session.canReconnect {
                handler.isAskedToReconnect.store(true, ordering: .relaxed)
                handler.session.requestReconnect(description: "The server restarts.")
            } else {
                handler.session.sendClose(description: "The server is going down.")
            }
            handler.send()
        }
    }

    /// Closes now, for clients that did not go by themselves.
    public func closeForShutdown() {
        onLoop { handler in
            handler.leaveEverything(isOrderly: true)
            handler.close()
        }
    }
}
