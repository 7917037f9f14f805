import Foundation
import NIOCore
import Storage
import TestSupport
import Testing
import Usher

@testable import Admission

@Suite struct ViewingSessionsTests {
    private let start = Moment(
        steady: .uptimeNanoseconds(1_000_000_000_000), date: Date(timeIntervalSince1970: 1_700_000_000))

    private func moment(_ seconds: Int64) -> Moment {
        Moment(steady: start.steady + .seconds(seconds), date: start.date.addingTimeInterval(Double(seconds)))
    }

    private func ticket(_ key: String = "k", revision: Int64 = 1, expires: Int64 = 3_600, isActive: Bool = true)
        -> Ticket
    {
        Ticket(
            accountID: 7, key: key, pass: "p", ip: "0.0.0.0/0", app: "*", video: "*", uses: 0, isActive: isActive,
            created: start.date, expires: moment(expires).date, revision: revision)
    }

    private func facts(_ key: String = "k", number: Int = 1) -> ViewerFacts {
        ViewerFacts(
            key: key, pass: "p", address: "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)",
            app: "demo-origin", instance: "live", video: "s")
    }

    /// One ticket with many viewers, all admitted at the start.
    private func crowd(_ count: Int, _ sessions: ViewingSessions) {
        for number in 0..<count {
            _ = sessions.add("id\(number)", ticket: ticket(), facts: facts(number: number), now: start)
        }
    }

    @Test("A sweep looks only at sessions that are due, and at each at most once in a third of the time-out")
    func sweepVisitsWhatIsDue() {
        let sessions = ViewingSessions(timeout: 60)
        crowd(10_000, sessions)
        var (visited, touched) = (0, 0)
        for second in 1...60 {
            for number in 0..<10_000 where second < 60 && number % 100 == second {
                _ = sessions.use("id\(number)", SessionViewer(facts(number: number)), now: moment(Int64(second)))
            }
            let swept = sessions.sweep(now: moment(Int64(second)))
            visited += swept.visited
            touched += swept.touches.count
        }
        // Sixty sweeps of a full table would look at 600,000.
        #expect(visited == 30_000)
        // 59 in a hundred were used once, and the others are gone.
        #expect(touched == 5_900)
        #expect(sessions.count == 5_900)
    }

    @Test("A session of a ticket with many viewers is added and removed without copying the others")
    func aTicketsSessionsAreChangedInPlace() {
        let sessions = ViewingSessions(timeout: 60)
        crowd(1_000, sessions)
        var copies = 0
        for number in 1_000..<1_100 {
            let before = sessions.storageOfSessions(ofTicket: "k")
            _ = sessions.add("id\(number)", ticket: ticket(), facts: facts(number: number), now: start)
            sessions.remove("id\(number)")
            if sessions.storageOfSessions(ofTicket: "k") != before { copies += 1 }
        }
        // Once it may have to grow.
        #expect(copies <= 1)
    }

    @Test("Expiry ends the sessions of the tickets that ran out, and looks at no others")
    func expiryLooksAtItsTicketsOnly() {
        let sessions = ViewingSessions(timeout: 600)
        for number in 0..<100 {
            let ends = Ends()
            _ = sessions.add(
                "id\(number)", ticket: ticket("k\(number)", expires: Int64(number) + 1),
                facts: facts("k\(number)", number: number), now: start, onEnd: ends.note)
        }
        for second in 1...100 {
            let expired = sessions.expire(now: moment(Int64(second)))
            #expect(expired.ends.count == 1)
            #expect(expired.visited == 1)
            #expect(sessions.count == 100 - second)
        }
    }

    @Test("A ticket whose expiry was moved ends its sessions at the new time")
    func movedExpiry() {
        let sessions = ViewingSessions(timeout: 600)
        _ = sessions.add("one", ticket: ticket(expires: 10), facts: facts(), now: start)
        #expect(sessions.update([ticket(revision: 2, expires: 50)], now: start).isEmpty)
        _ = sessions.expire(now: moment(10))
        #expect(sessions.isRunning("one", now: moment(49)))
        _ = sessions.expire(now: moment(50))
        #expect(sessions.count == 0)
        // An older report does not bring it back or end another.
        _ = sessions.add("two", ticket: ticket(revision: 3), facts: facts(), now: start)
        _ = sessions.update([ticket(revision: 2, isActive: false)], now: start)
        #expect(sessions.isRunning("two", now: start))
    }
}
