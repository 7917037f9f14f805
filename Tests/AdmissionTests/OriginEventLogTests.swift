import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOPosix
import Storage
import Testing

@testable import Admission

@Suite struct OriginEventLogTests {
    private func info(_ address: String = "192.0.2.7", user: String = "ann", software: String = "FMLE/3.0")
        -> PublisherInfo
    {
        PublisherInfo(
            address: address, software: software, transport: "rtmp", user: user,
            connected: Date(timeIntervalSince1970: 1_700_000_000))
    }

    private func address(_ stream: String = "show", app: String = "demo-origin") -> StreamAddress {
        StreamAddress(app: app, instance: "live", stream: stream)
    }

    private func rows(_ scene: Scene, app: String = "demo-origin") async throws -> [OriginEvent] {
        try await scene.store.events(accountID: 7, app: app, stream: nil, limit: 1_000, offset: 0)
    }

    private func log(_ scene: Scene) -> OriginEventLog {
        let clock = scene.clock
        // Written by `flush` only.
        return OriginEventLog(
            store: scene.store, logger: Logger(label: "test"), interval: .seconds(3_600), now: { clock.both })
    }

    @Test("Refusals alike within a minute are one row that says how many they were")
    func folding() async throws {
        try await Scene.run { scene in
            let log = log(scene)
            for _ in 1...500 {
                log.publishRefused(address(), info(), .wrongCredentials, isAuthenticated: false)
                log.publishRefused(address(), info("192.0.2.8"), .wrongCredentials, isAuthenticated: false)
            }
            await log.flush()
            for _ in 1...500 { log.publishRefused(address(), info(), .wrongCredentials, isAuthenticated: false) }
            log.publishRefused(address(), info(), .busy, isAuthenticated: true)
            await log.flush()
            var found = try await rows(scene)
            #expect(found.count == 3)
            #expect(found.first { $0.address == "192.0.2.7" && !$0.isAuthenticated }?.metadata["repeats"] == "1000")
            #expect(found.first { $0.address == "192.0.2.8" }?.metadata["repeats"] == "500")
            #expect(found.first { $0.isAuthenticated }?.metadata["repeats"] == nil)
            scene.clock.advance(60)
            log.publishRefused(address(), info(), .wrongCredentials, isAuthenticated: false)
            await log.flush()
            found = try await rows(scene)
            #expect(found.count == 4)
        }
    }

    @Test("Of two encoders the events say which one came, and which is on air and why")
    func encoders() async throws {
        try await Scene.run { scene in
            let log = log(scene)
            let stage = Stage(memory: MemoryBudget(ceiling: 1 << 30), logger: Logger(label: "test"))
            await stage.add(log)
            var publications: [Publication] = []
            for role in [EncoderRole.primary, .backup] {
                publications.append(
                    try await stage.publish(
                        address(), accountID: 7, settings: HubSettings(),
                        publisher: Publisher(info: info(), role: role) { _ in },
                        on: MultiThreadedEventLoopGroup.singleton.any()))
            }
            publications[0].end(isOrderly: false)
            var found: [OriginEvent] = []
            while found.count < 3 {
                await Task.yield()
                await log.flush()
                found = try await rows(scene).sorted { $0.id < $1.id }
            }
            #expect(found.map(\.kind) == [.publish, .publish, .publish] && found.allSatisfy { $0.stream == "show" })
            #expect(found.map { $0.metadata["encoder"] } == [nil, "backup", "backup"])
            #expect(found.map { $0.metadata["on_air"] } == [nil, nil, "the other encoder's connection broke"])
        }
    }

    @Test("Texts are cut, so a row of the log stays small")
    func cutting() async throws {
        try await Scene.run { scene in
            let log = log(scene)
            let long = String(repeating: "é", count: 30_000)
            log.publishRefused(
                address(long), info(user: long, software: long), .invalidName(fault: "the stream's name holds a space"),
                isAuthenticated: false)
            await log.flush()
            let row = try #require(try await rows(scene).first)
            for text in [row.stream, row.user, row.address] + row.metadata.values {
                #expect(text.utf8.count <= 256)
            }
            #expect(row.user == String(repeating: "é", count: 128))
        }
    }

    @Test("A network that tries many names gets few rows, and all networks together a bounded number")
    func bounds() async throws {
        var folded = FoldedEvents()
        func refuse(_ stream: String, from address: String) {
            folded.add(
                OriginEvent(
                    accountID: 0, date: Date(timeIntervalSince1970: 0), kind: .publish, app: "demo-origin",
                    instance: "live",
                    stream: stream, address: address, metadata: ["error": "no"]),
                now: .uptimeNanoseconds(1))
        }
        for number in 0..<10_000 { refuse("s\(number)", from: "2001:db8::\(String(number, radix: 16))") }
        #expect(folded.count == 16 + 1)
        var written = 0
        var repeats = 0
        while true {
            let rows = folded.take()
            guard !rows.isEmpty else { break }
            #expect(rows.count <= FoldedEvents.step)
            for row in rows {
                written += 1
                repeats += Int(row.event.metadata["repeats"] ?? "1") ?? 0
                folded.wrote(row.key, row.event)
            }
        }
        #expect(written == 17)
        #expect(repeats == 10_000)
        for number in 0..<20_000 { refuse("s", from: "10.0.\(number >> 8).\(number & 255)") }
        #expect(folded.count == FoldedEvents.maximumRows)
        #expect(folded.takeLost() == 20_000 - (FoldedEvents.maximumRows - 17))
    }

    @Test("An encoder that comes and goes all the time has a row for each time, up to a number of them a minute")
    func comingAndGoing() {
        var folded = FoldedEvents()
        func event(_ number: Int, _ kind: OriginEvent.Kind, user: String = "", address: String = "192.0.2.7") {
            folded.add(
                OriginEvent(
                    accountID: 7, date: Date(timeIntervalSince1970: 0), kind: kind, app: "demo-origin",
                    instance: "live", stream: "s\(number)", isAuthenticated: true, user: user, address: address),
                now: .uptimeNanoseconds(1))
        }
        func written() -> [String: (rows: Int, events: Int)] {
            var counts: [String: (rows: Int, events: Int)] = [:]
            while true {
                let rows = folded.take()
                if rows.isEmpty { return counts }
                for row in rows {
                    let name = "\(row.event.kind) \(row.event.user)"
                    counts[name, default: (0, 0)].rows += 1
                    counts[name, default: (0, 0)].events += Int(row.event.metadata["repeats"] ?? "1") ?? 0
                    folded.wrote(row.key, row.event)
                }
            }
        }
        for number in 0..<10_000 {
            event(number, .publish)
            event(number, .unpublish)
            if number < 30 { event(number, .publish, user: "ann") }
        }
        let counts = written()
        #expect(counts["publish "] ?? (0, 0) == (65, 10_000))
        #expect(counts["unpublish "] ?? (0, 0) == (65, 10_000))
        // A login has rows of its own, whatever others in its network do.
        #expect(counts["publish ann"] ?? (0, 0) == (30, 30))
        // So have logins all together, whatever comes from everywhere.
        for number in 0..<20_000 { event(number, .publish, address: "10.0.\(number >> 8).\(number & 255)") }
        for number in 0..<20_000 {
            folded.add(
                OriginEvent(
                    accountID: 0, date: Date(timeIntervalSince1970: 0), kind: .publish, app: "demo-origin",
                    instance: "live", stream: "s", address: "10.1.\(number >> 8).\(number & 255)",
                    metadata: ["error": "no"]), now: .uptimeNanoseconds(1))
        }
        event(0, .publish, user: "eve")
        #expect(written()["publish eve"] ?? (0, 0) == (1, 1))
    }

    @Test("A flush returns when everything is written, also what another task was writing")
    func flushing() async throws {
        try await Scene.run { scene in
            for round in 1...20 {
                let log = OriginEventLog(store: scene.store, logger: Logger(label: "test"))
                log.publishRefused(address("r\(round)"), info(), .unknownStream, isAuthenticated: false)
                await Task.yield()
                await log.flush()
                let written = try await rows(scene).count
                #expect(written == round)
            }
        }
    }

    @Test("A refusal for an app of nobody is not kept, and is not asked about again and again")
    func appOfNobody() async throws {
        try await Scene.run { scene in
            let log = log(scene)
            for _ in 1...10 {
                log.publishRefused(address(app: "nobody-origin"), info(), .unknownApp, isAuthenticated: false)
                await log.flush()
            }
            let kept = try await rows(scene, app: "nobody-origin")
            #expect(kept.isEmpty)
        }
    }

    @Test("A refusal that is reported is written without anybody asking for it")
    func writtenByItself() async throws {
        try await Scene.run { scene in
            let log = OriginEventLog(store: scene.store, logger: Logger(label: "test"), interval: .milliseconds(1))
            log.publishRefused(address(), info(), .unknownStream, isAuthenticated: false)
            var kept: [OriginEvent] = []
            while kept.isEmpty {
                await Task.yield()
                kept = try await rows(scene)
            }
            #expect(kept.first?.metadata["error"] == PublishRefusal.unknownStream.message)
        }
    }
}
