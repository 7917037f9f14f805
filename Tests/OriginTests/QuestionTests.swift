import Basics
import ControlAPI
import Foundation
import Logging
import NIOCore
import NIOPosix
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Origin
@testable import Storage

/// Questions about the log over HTTP while others hold all readers that their account may have.
@Suite("Questions over HTTP") struct QuestionTests {
    /// A client with one question.
    private final class Client: Sendable {
        private final class Notes: Sendable {
            let state = Mutex<(text: String, isClosed: Bool)>(("", false))
        }

        private final class Handler: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            private let notes: Notes
            init(_ notes: Notes) { self.notes = notes }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let text = String(buffer: unwrapInboundIn(data))
                notes.state.withLock { $0.text += text }
            }
            func channelInactive(context: ChannelHandlerContext) { notes.state.withLock { $0.isClosed = true } }
        }

        private let channel: any Channel
        private let notes = Notes()

        init(port: Int, sends request: String) async throws {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelInitializer { [notes] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Handler(notes))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            try await channel.writeAndFlush(ByteBuffer(string: request))
        }

        deinit { channel.close(promise: nil) }

        func hangUp() async throws { try await channel.close() }
        func endSide() async throws { try await channel.close(mode: .output) }
        var text: String { notes.state.withLock { $0.text } }
    }

    private struct Scene {
        var places: QuestionPlaces
        var hold: Alarm
        var log: LogLines
        /// Asks as the account 1.
        var ask: (_ command: String) async throws -> Client
    }

    /// An origin in which questions of account 1 wait.
    private func run(_ body: (Scene) async throws -> Void) async throws {
        try await withOrigin { origin, port, log in
            let (places, hold) = (origin.store.places, Alarm())
            places.patience = .seconds(3_600)
            try await origin.store.insertAccount(Account(id: 1, user: "demo", created: Date()))
            let key = try await origin.store.insertKey(
                .generate(accountID: 1, rights: .full, label: "", now: Date()))
            let call = SignedCall(accountID: 1, apiKey: key.apiKey, privateKey: key.privateKey)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<QuestionPlaces.countOfAccount {
                    group.addTask { try await places.run(1) { await hold.wait() } }
                }
                defer { hold.ring() }
                try await eventually("the places to be taken") { hold.count == QuestionPlaces.countOfAccount }
                try await body(
                    Scene(places: places, hold: hold, log: log) { command in
                        let text = call.text(command: command, now: Date())
                        return try await Client(
                            port: port,
                            sends: "POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n\(text)")
                    })
            }
        }
    }

    @Test(
        "A question whose client hangs up waits no more, and the log says nothing of it",
        arguments: ["sevu.errorcount", "sevu.errorlog", "usage.summary"])
    func hangUp(command: String) async throws {
        try await run { scene in
            let client = try await scene.ask(command)
            try await eventually("the question to wait") { scene.places.waitingCount(1) == 1 }
            try await client.hangUp()
            try await eventually("the question to be gone") { scene.places.waitingCount(1) == 0 }
            #expect(scene.log.lines.filter { $0.contains("API") } == [])
        }
    }

    @Test("A client that ends its side of the connection gets the answer to its question")
    func halfClosed() async throws {
        try await run { scene in
            let client = try await scene.ask("sevu.errorcount")
            try await eventually("the question to wait") { scene.places.waitingCount(1) == 1 }
            try await client.endSide()
            try await eventually("the question whether it is there") { client.text.hasPrefix("HTTP/1.1 100 ") }
            #expect(scene.places.waitingCount(1) == 1)
            scene.hold.ring()
            try await eventually("the answer") { client.text.contains(#""error_count":0"#) }
        }
    }

    @Test("Of an account that asks more than may wait, what is too much is refused at once")
    func tooMany() async throws {
        try await run { scene in
            var clients: [Client] = []
            for count in 1...QuestionPlaces.maximumWaiting {
                // The same question signed in the same second is the same question; it is asked all the same.
                clients.append(try await scene.ask("sevu.errorcount"))
                try await eventually("question \(count) to wait") { scene.places.waitingCount(1) == count }
            }
            let client = try await scene.ask("sevu.errorcount")
            try await eventually("the refusal") { client.text.contains("please try again") }
            #expect(client.text.hasPrefix("HTTP/1.1 429 "))
            #expect(client.text.contains(#""code":1000"#))
            #expect(client.text.contains("Retry-After: 2\r\n"))
            #expect(scene.log.lines.filter { $0.contains("API") } == [])
            scene.hold.ring()
            for client in clients {
                try await eventually("the answer") { client.text.contains(#""error_count":0"#) }
            }
        }
    }
}
