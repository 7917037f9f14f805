import Basics
import Live
import NIOCore
import Testing
import Usher

@testable import Delivery

@Suite struct ViewerTableTests {
    private let stream = StreamAddress(app: "u-origin", instance: "live", stream: "s")
    private let other = StreamAddress(app: "u-origin", instance: "live", stream: "t")

    private func at(_ seconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(0) + .seconds(100) + .seconds(seconds)
    }

    @Test("a viewer counts once, by address, until idle")
    func idle() throws {
        let table = ViewerTable(idleTime: .seconds(30), maximum: 10)
        table.note(IPAddress(v4: 1), of: stream, now: at(0))
        table.note(IPAddress(v4: 1), of: stream, now: at(5))
        table.note(IPAddress(v4: 2), of: stream, now: at(5))
        table.note(IPAddress(v4: 2), of: other, now: at(5))
        #expect(table.count(stream, now: at(10)) == 2)
        #expect(table.count(other, now: at(10)) == 1)
        table.note(IPAddress(v4: 1), of: stream, now: at(20))
        #expect(table.count(stream, now: at(35)) == 1)
        #expect(table.count(stream, now: at(50)) == 0)
    }

    @Test("a full table takes nobody until somebody is idle")
    func full() {
        let table = ViewerTable(idleTime: .seconds(30), maximum: 2)
        table.note(IPAddress(v4: 1), of: stream, now: at(0))
        table.note(IPAddress(v4: 2), of: other, now: at(10))
        table.note(IPAddress(v4: 3), of: stream, now: at(10))
        #expect(table.count(stream, now: at(10)) == 1)
        // Known ones go on being counted.
        table.note(IPAddress(v4: 2), of: other, now: at(29))
        table.note(IPAddress(v4: 3), of: stream, now: at(31))
        #expect(table.count(stream, now: at(31)) == 1)
        #expect(table.count(other, now: at(31)) == 1)
    }

    @Test("Viewers who are gone are forgotten as others come, without anybody counting, and few at a time")
    func forgetting() {
        let table = ViewerTable(idleTime: .seconds(30), maximum: 100_000)
        for number in 0..<10_000 { table.note(IPAddress(v4: UInt32(number)), of: stream, now: at(0)) }
        for number in 0..<4_000 {
            table.note(IPAddress(v4: UInt32(1_000_000 + number)), of: other, now: at(30))
            #expect(table.rememberedCount == 10_000 - (number + 1))
        }
        for _ in 0..<1_000 { table.note(IPAddress(v4: 1_000_000), of: other, now: at(31)) }
        #expect(table.rememberedCount == 4_000)
        #expect(table.count(other, now: at(31)) == 4_000)
    }
}
