import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOPosix
import Storage
import Usher
import TestSupport

@testable import PushPublish

/// A stage, a supervisor and a store.
final class PushRig: Sendable {
    static let accountID: AccountID = 158
    static let app = "demo-origin"

    let stage: Stage
    let supervisor: PushSupervisor
    let store = MemoryStore()

    init(
        _ change: (inout PushConfiguration) -> Void = { _ in }, resolver: any HostResolver = SystemResolver(),
        hub: HubSettings = HubSettings()
    ) async {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var configuration = PushConfiguration(
            connectTimeout: .seconds(600), sendTimeout: .seconds(600),
            backOff: BackOff.Limits(
                initial: .milliseconds(50), maximum: .milliseconds(200), permanent: .seconds(600)))
        configuration.allowPrivate = [IPNetwork("127.0.0.0/8")].compactMap { $0 }
        change(&configuration)
        stage = Stage(memory: MemoryBudget(ceiling: 1 << 30), logger: logger)
        supervisor = PushSupervisor(
            configuration: configuration, store: store, group: MultiThreadedEventLoopGroup.singleton,
            resolver: resolver, logger: logger, random: { 0.5 })
        await stage.add(supervisor)
    }

    /// Runs a test and takes everything down afterwards.
    static func open(
        _ change: (inout PushConfiguration) -> Void = { _ in }, resolver: any HostResolver = SystemResolver(),
        _ body: (PushRig) async throws -> Void
    ) async throws {
        let rig = await PushRig(change, resolver: resolver)
        do {
            try await body(rig)
        } catch {
            await rig.close()
            throw error
        }
        await rig.close()
    }

    func close() async {
        await supervisor.drain()
        await stage.drain()
    }

    static func address(_ stream: String) -> StreamAddress {
        StreamAddress(app: app, instance: "live", stream: stream)
    }

    /// Puts a stream on air.
    /// - Parameter frameBytes: nil: it sends nothing by itself.
    func publish(
        _ stream: String, frameBytes: Int? = 2_000, settings: HubSettings = HubSettings()
    ) async throws -> TestPublisher {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: Date()),
            disconnect: { _ in })
        let publication = try await stage.publish(
            PushRig.address(stream), accountID: PushRig.accountID, settings: settings, publisher: publisher, on: loop)
        return TestPublisher(publication, loop: loop, frameBytes: frameBytes)
    }

    /// Connects a manual push of `stream` to a destination.
    func push(
        _ stream: String, to destination: TestDestination, key: String = "abcd-efgh-1234", entryName: String? = nil
    )
        async throws -> String
    {
        try await push(stream, to: "rtmp://127.0.0.1:\(destination.port)/app/\(key)", entryName: entryName)
    }

    func push(_ stream: String, to url: String, entryName: String? = nil) async throws -> String {
        try await supervisor.connect(
            PushRequest(
                accountID: PushRig.accountID, source: PushRig.address(stream), service: "rtmp", fields: ["url": url],
                entryName: entryName))
    }

    func store(
        _ destination: TestDestination, name: String = "", stream: String? = nil, key: String = "abcd-efgh-1234",
        autopush: Bool = false
    ) async -> PushService {
        await store.insertPush(
            PushService(
                accountID: PushRig.accountID, name: name, service: "rtmp", app: PushRig.app, instance: "live",
                stream: stream,
                autopush: autopush, destination: ["url": "rtmp://127.0.0.1:\(destination.port)/app/\(key)"],
                created: Date(), updated: Date()))
    }

    func report(_ entryName: String) async -> PushReport? {
        await supervisor.statuses(accountID: PushRig.accountID).first { $0.entryName == entryName }
    }

    func awaitStatus(_ status: PushStatus, of entryName: String) async throws {
        try await eventually("\(entryName) is \(status.rawValue)") { await report(entryName)?.status == status }
    }

    func disconnect(_ entryName: String) async throws -> [String] {
        let supervisor = supervisor
        return try await promptly("disconnect of \(entryName)") {
            await supervisor.disconnect(
                entryName: entryName, app: PushRig.app, instance: "live", accountID: PushRig.accountID
            ).map(\.entryName)
        }
    }
}

/// Sends made-up H.264: fifty pictures a second, a keyframe every ten.
final class TestPublisher: Sendable {
    let publication: Publication
    private let task: RepeatedTask?

    init(_ publication: Publication, loop: any EventLoop, frameBytes: Int?) {
        self.publication = publication
        guard let frameBytes else {
            task = nil
            return
        }
        let state = NIOLoopBoundBox.makeBoxSendingValue(0, eventLoop: loop)
        let filler = ByteBuffer(repeating: 0x5A, count: max(8, frameBytes))
        publication.send(StreamSample(.video, timestamp: 0, body: TestPublisher.header))
        task = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { _ in
            let number = state.value
            state.value += 1
            let isKeyframe = number.isMultiple(of: 10)
            var body = ByteBuffer(bytes: [isKeyframe ? 0x17 : 0x27, 1, 0, 0, 0])
            body.writeInteger(UInt32(filler.readableBytes + 1))
            body.writeInteger(UInt8(isKeyframe ? 0x65 : 0x41))
            body.writeImmutableBuffer(filler)
            publication.send(StreamSample(.video, timestamp: Int64(number) * 20, body: body))
            publication.readComplete()
        }
    }

    /// An AVC decoder configuration record: 640×360 baseline.
    static let header = ByteBuffer(bytes: [
        0x17, 0, 0, 0, 0, 1, 0x42, 0xC0, 0x1E, 0xFF, 0xE1, 0, 10, 0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x2F, 0xF9,
        0x70, 1, 0, 4, 0x68, 0xCB, 0x83, 0xCB,
    ])

    /// Sends nothing more; the stream goes on.
    func pause() {
        task?.cancel()
    }

    func end(isOrderly: Bool = true) {
        task?.cancel()
        publication.end(isOrderly: isOrderly)
    }
}
