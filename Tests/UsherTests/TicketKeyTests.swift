import Foundation
import Testing

@testable import Usher

@Suite struct TicketKeyTests {
    /// Gives the digit 0 every time. (A generator of nothing but 0 bits would never be accepted as fair.)
    struct Zeros: RandomNumberGenerator {
        /// Something to hold: ThreadSanitizer's runtime dies at the address of a value without any size.
        private var given = 0

        mutating func next() -> UInt64 {
            given += 1
            return 1
        }
    }

    @Test(
        "Keys begin with the video",
        arguments: [
            ("mystream", "mystream"), ("foo*", "foo_"), ("a b|c", "a_b"),
            ("sestore3/u/path/f.mp4", "sestore3_u_path_f_mp4"),
            ("mp4:x", "x"), ("", "_"), ("|", "_"), ("é", "_"),
            (String(repeating: "x", count: 99), String(repeating: "x", count: 64)),
        ])
    func keysBeginWithTheVideo(video: String, prefix: String) {
        var zeros = Zeros()
        // 0x53ffc996 seconds and 0x6dd39 microseconds: the form of the documented sample.
        let now = Date(timeIntervalSince1970: 1_409_272_214.449849)
        let key = TicketKey.make(video: video, now: now, using: &zeros)
        #expect(key.hasPrefix("\(prefix).53ffc9966dd"))
        #expect(key.hasSuffix("0." + String(repeating: "0", count: 20)))
    }

    @Test("Ticket keys have the documented form")
    func keysHaveTheDecidedForm() throws {
        let key = TicketKey.make(video: "foo*", now: Date())
        #expect(key.wholeMatch(of: /foo_*\.[a-f0-9]{13}[0-9]\.[0-9]{20}/) != nil)
    }

    @Test("No clock makes the making of keys trap", arguments: [-1e18, -1, 1e18, .infinity, -.infinity])
    func noClockMakesThemTrap(seconds: Double) {
        let key = TicketKey.make(video: "a", now: Date(timeIntervalSince1970: seconds))
        #expect(key.hasPrefix("a.0000000000000"))
    }

    @Test("Keys and session ids differ")
    func keysAndSessionIDsDiffer() {
        let now = Date()
        #expect(Set((0..<1000).map { _ in TicketKey.make(video: "v", now: now) }).count == 1000)
        let ids = (0..<1000).map { _ in SessionID.make() }
        #expect(Set(ids).count == 1000)
        #expect(ids.allSatisfy { SessionID.isWellFormed($0) })
        #expect(!SessionID.isWellFormed("abc"))
        #expect(!SessionID.isWellFormed(String(repeating: "/", count: SessionID.length)))
    }

    @Test("An id on offer is good for its viewer and its time, on every node that has the secret, and for nobody else")
    func offers() {
        let secret = Array(repeating: UInt8(7), count: 32)
        let (one, other) = (SessionOffers(secret: secret), SessionOffers(secret: secret))
        let viewer = ["k", "203.0.113.9", "demo-origin", "s"]
        let now = Date(timeIntervalSince1970: 1_700_000_000.9)
        let id = one.id(for: viewer, at: now)
        #expect(SessionID.isWellFormed(id))
        #expect(id != one.id(for: viewer, at: now))
        #expect(other.isGood(id, for: viewer, at: now, within: 60))
        #expect(other.isGood(id, for: viewer, at: now + 59, within: 60))
        #expect(!other.isGood(id, for: viewer, at: now + 61, within: 60))
        // Another node's clock may be a little behind, and no more.
        #expect(other.isGood(id, for: viewer, at: now - 5, within: 60))
        #expect(!other.isGood(id, for: viewer, at: now - 7, within: 60))
        for stranger in [
            ["k2", "203.0.113.9", "demo-origin", "s"], ["k", "203.0.113.90", "demo-origin", "s"],
            ["k", "203.0.113.9", "demo-vod", "s"], ["k", "203.0.113.9", "demo-origin", "t"],
            ["k203.0.113.9", "", "demo-origin", "s"],
        ] {
            #expect(!one.isGood(id, for: stranger, at: now, within: 60))
        }
        #expect(!SessionOffers(secret: Array(secret.dropLast()) + [8]).isGood(id, for: viewer, at: now, within: 60))
        // Not one character can be another.
        for place in 0..<SessionID.length {
            var text = Array(id.utf8)
            text[place] = text[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(!one.isGood(String(decoding: text, as: UTF8.self), for: viewer, at: now, within: 60), "\(place)")
        }
        #expect(!one.isGood(SessionID.make(), for: viewer, at: now, within: 60))
    }
}
