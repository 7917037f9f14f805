import Foundation
import Testing

@testable import Live

@Suite("How long a publisher may be silent before another one takes its place") struct TakeoverTests {
    private func encoder(_ user: String, _ address: String) -> PublisherInfo {
        PublisherInfo(address: address, software: "", transport: "rtmp", user: user, connected: Date())
    }

    @Test("Only the same user from the same address need not wait")
    func sameEncoder() {
        let settings = HubSettings(takeoverAfter: .seconds(5))
        let first = encoder("cam", "192.0.2.1")
        #expect(settings.takeoverAfter(of: first, by: encoder("cam", "192.0.2.1")) == .seconds(1))
        #expect(settings.takeoverAfter(of: first, by: encoder("cam", "192.0.2.2")) == .seconds(5))
        #expect(settings.takeoverAfter(of: first, by: encoder("other", "192.0.2.1")) == .seconds(5))
    }

    @Test("On a stream that is open to anybody everybody waits")
    func openStream() {
        let settings = HubSettings(takeoverAfter: .seconds(5))
        let anybody = encoder("", "192.0.2.1")
        #expect(settings.takeoverAfter(of: anybody, by: anybody) == .seconds(5))
    }

    @Test("A shorter configured time holds for everybody")
    func shorterTime() {
        let settings = HubSettings(takeoverAfter: .milliseconds(200))
        let first = encoder("cam", "192.0.2.1")
        #expect(settings.takeoverAfter(of: first, by: first) == .milliseconds(200))
    }
}
