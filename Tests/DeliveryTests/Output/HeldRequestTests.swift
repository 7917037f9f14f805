import HLS
import Live
import NIOCore
import TestSupport
import Testing

@testable import Delivery

@Suite struct HeldRequestTests {
    /// The first playlist, waited for.
    private func first(of output: StreamOutput, limit: Int) async -> PublishedPlaylist? {
        await output.wait(for: .firstPlaylist, within: .seconds(3), limit: limit)
        return output.current
    }

    @Test("a request before the first segment gets it as soon as it is there")
    func released() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        let output = try #require(test.outputs.output(at: TestStage.address))
        async let held = first(of: output, limit: 10)
        try await eventually { output.held.count == 1 }
        try await test.send(FLVFile.sample(), to: publication, until: 1_100)
        #expect(await held?.snapshot.listed.map(\.sequence) == [1])
        #expect(output.held.count == 0)
    }

    @Test("it waits no longer than its time")
    func timeOut() async throws {
        let test = await TestStage()
        _ = try await test.publish()
        let output = try #require(test.outputs.output(at: TestStage.address))
        async let held = first(of: output, limit: 10)
        try await eventually { output.held.count == 1 }
        try await test.settle()
        // The timer is set after the request is counted.
        try await eventually {
            await test.loop.advanceTime(by: .seconds(3))
            return output.held.count == 0
        }
        #expect(await held == nil)
    }

    @Test("when the stream ends it is let go")
    func ended() async throws {
        let test = await TestStage()
        let publication = try await test.publish()
        let output = try #require(test.outputs.output(at: TestStage.address))
        async let held = first(of: output, limit: 10)
        try await eventually { output.held.count == 1 }
        try await test.end(publication)
        #expect(await held == nil)
    }

    @Test("no more than the limit wait; one more is answered at once")
    func limit() async throws {
        let test = await TestStage()
        _ = try await test.publish()
        let output = try #require(test.outputs.output(at: TestStage.address))
        async let held = first(of: output, limit: 1)
        try await eventually { output.held.count == 1 }
        #expect(await first(of: output, limit: 1) == nil)
        output.end()
        #expect(await held == nil)
    }
}
