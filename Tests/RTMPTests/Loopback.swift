import NIOCore

@testable import RTMP

/// A server and a client session joined in memory, their bytes cut as the test likes.
struct Loopback {
    var server: ServerSession
    var client: ClientSession
    var serverEvents: [ServerEvent] = []
    var clientEvents: [ClientEvent] = []
    var split: (ByteBuffer) -> [ByteBuffer] = { [$0] }
    /// What the server answers.
    var answer: (inout ServerSession, ServerEvent) -> Void = { Loopback.acceptEverything(&$0, $1) }

    init(_ configuration: ClientConfiguration) {
        server = ServerSession(now: start, seed: 1)
        client = ClientSession(configuration: configuration, now: start, seed: 2)
    }

    static func acceptEverything(_ server: inout ServerSession, _ event: ServerEvent) {
        switch event {
        case .connectRequested: server.acceptConnect()
        case .publishRequested(let request): server.acceptPublish(streamID: request.streamID)
        case .playRequested(let request): server.acceptPlay(streamID: request.streamID)
        default: break
        }
    }

    /// Passes bytes to and fro until both are silent.
    mutating func run() throws {
        while true {
            let toServer = client.takeOutput()
            if let toServer { try give(toServer: toServer) }
            let toClient = server.takeOutput()
            if let toClient { try give(toClient: toClient) }
            if toServer == nil, toClient == nil { return }
        }
    }

    mutating func give(toServer bytes: ByteBuffer) throws {
        for piece in split(bytes) {
            try server.receive(piece, now: start)
            while let event = try server.nextEvent() {
                serverEvents.append(event)
                answer(&server, event)
            }
        }
    }

    mutating func give(toClient bytes: ByteBuffer) throws {
        for piece in split(bytes) {
            try client.receive(piece, now: start)
            while let event = try client.nextEvent() { clientEvents.append(event) }
        }
    }
}
