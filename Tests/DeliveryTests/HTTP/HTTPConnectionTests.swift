import NIOCore
import Testing

@testable import Delivery

/// The connection's judgement, in virtual time.
@Suite("HTTP connection") struct HTTPConnectionTests {
    private static let limits = HTTPLimits(
        idleTimeout: .seconds(60), headerTimeout: .seconds(10), bodyTimeout: .seconds(10), sendTimeout: .seconds(30),
        maximumBody: 1_000)

    private func at(_ seconds: Double) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .nanoseconds(Int64(seconds * 1e9))
    }

    private func connection() -> HTTPConnection {
        HTTPConnection(limits: HTTPConnectionTests.limits, now: at(0))
    }

    private func head(
        isVersion11: Bool = true, hosts: Int = 1, announced: Int? = nil, hasBody: Bool = false,
        expectsContinue: Bool = false, keepsAlive: Bool = true
    ) -> HTTPConnection.Head {
        HTTPConnection.Head(
            isVersion11: isVersion11, hosts: hosts, announced: announced, hasBody: hasBody,
            expectsContinue: expectsContinue, keepsAlive: keepsAlive)
    }

    /// A connection that has been asked for something and holds an answer of `waiting` bytes.
    private func responding(waiting: Int, at seconds: Double = 0) -> HTTPConnection {
        var connection = connection()
        connection.bytesCame(now: at(seconds))
        _ = connection.requestHeadCame(head(), now: at(seconds))
        connection.requestEndCame(now: at(seconds))
        connection.responseBegan(closes: false)
        _ = connection.responseEnded(now: at(seconds))
        connection.measured(waiting: waiting, acknowledged: 0, now: at(seconds))
        return connection
    }

    @Test("A download that goes on is never cut, however long it takes")
    func slowDownload() {
        var connection = responding(waiting: 16 << 20)
        // 16 MiB at 4 KiB a second: more than an hour.
        var left = 16 << 20
        var second = 0.0
        while left > 0 {
            second += 1
            left -= 4 << 10
            connection.measured(waiting: left, acknowledged: Int64((16 << 20) - left), now: at(second))
            guard connection.timeUp(isPressed: false, now: at(second)) == .nothing else {
                Issue.record("cut after \(second) s")
                return
            }
        }
        #expect(second == 4_096)
        // Idle begins only now.
        #expect(connection.timeUp(isPressed: false, now: at(second + 59)) == .nothing)
        #expect(connection.timeUp(isPressed: false, now: at(second + 60)) == .close)
    }

    @Test("A client that takes nothing of its response is closed after the send time-out")
    func stalledDownload() {
        var connection = responding(waiting: 1 << 20)
        connection.measured(waiting: 1 << 20, acknowledged: 0, now: at(29))
        #expect(connection.timeUp(isPressed: false, now: at(29)) == .nothing)
        #expect(connection.timeUp(isPressed: false, now: at(30)) == .closeStalled)
    }

    @Test("A client that takes single bytes counts as stalled; one that takes the last few bytes does not")
    func trickle() {
        var trickling = responding(waiting: 1 << 20)
        for second in 1...30 {
            trickling.measured(
                waiting: (1 << 20) - second * 100, acknowledged: Int64(second * 100), now: at(Double(second)))
        }
        #expect(trickling.timeUp(isPressed: false, now: at(30)) == .closeStalled)
        var ending = responding(waiting: 500)
        ending.measured(waiting: 0, acknowledged: 500, now: at(29))
        #expect(ending.timeUp(isPressed: false, now: at(31)) == .nothing)
    }

    @Test("A stalled client gets less time when memory is short")
    func pressed() {
        let connection = responding(waiting: 1 << 20)
        #expect(connection.timeUp(isPressed: true, now: at(4)) == .nothing)
        #expect(connection.timeUp(isPressed: true, now: at(5)) == .closeStalled)
    }

    @Test("A header and a body each have a deadline in all, however often a byte comes")
    func requestDeadlines() {
        var slowHead = connection()
        for second in 0..<10 { slowHead.bytesCame(now: at(Double(second))) }
        #expect(slowHead.timeUp(isPressed: false, now: at(9)) == .nothing)
        #expect(slowHead.timeUp(isPressed: false, now: at(10)) == .reject(.timeout))

        var slowBody = connection()
        slowBody.bytesCame(now: at(0))
        let outcome1 = slowBody.requestHeadCame(head(announced: 900, hasBody: true), now: at(1))
        #expect(outcome1 == .accept)
        for _ in 0..<10 { _ = slowBody.requestBodyCame(1) }
        #expect(slowBody.deadline == at(11))
        #expect(slowBody.timeUp(isPressed: false, now: at(11)) == .reject(.timeout))
    }

    @Test("A request that is being worked on has no deadline here")
    func worked() {
        var connection = connection()
        _ = connection.requestHeadCame(head(), now: at(0))
        connection.requestEndCame(now: at(0))
        #expect(connection.deadline == nil)
        #expect(connection.timeUp(isPressed: false, now: at(3_600)) == .nothing)
    }

    @Test("A client that ends its side while its request is worked on is asked once whether it is still there")
    func probe() {
        var connection = connection()
        _ = connection.requestHeadCame(head(), now: at(0))
        connection.requestEndCame(now: at(0))
        connection.inputEnded(now: at(1))
        #expect(connection.deadline == at(1) + HTTPConnection.probeDelay)
        #expect(connection.timeUp(isPressed: false, now: at(1)) == .nothing)
        #expect(connection.timeUp(isPressed: false, now: at(2)) == .probe)
        connection.wasProbed()
        #expect(connection.deadline == nil)
        #expect(connection.timeUp(isPressed: false, now: at(3)) == .nothing)
        connection.responseBegan(closes: false)
        _ = connection.responseEnded(now: at(3))
        // The request that came behind it.
        _ = connection.requestHeadCame(head(), now: at(4))
        connection.requestEndCame(now: at(4))
        #expect(connection.deadline == at(4) + HTTPConnection.probeDelay)
        connection.responseBegan(closes: false)
        #expect(connection.timeUp(isPressed: false, now: at(5)) == .nothing)
    }

    @Test("A client of HTTP/1.0, which knows no interim responses, is not asked")
    func noProbe() {
        var connection = connection()
        _ = connection.requestHeadCame(head(isVersion11: false), now: at(0))
        connection.requestEndCame(now: at(0))
        connection.inputEnded(now: at(0))
        #expect(connection.deadline == nil)
        #expect(connection.timeUp(isPressed: false, now: at(1)) == .nothing)
    }

    @Test(
        "HTTP/1.1 needs exactly one Host, HTTP/1.0 may have none",
        arguments: [
            (true, 0, false), (true, 1, true), (true, 2, false), (false, 0, true), (false, 2, false),
        ])
    func hosts(isVersion11: Bool, hosts: Int, isAccepted: Bool) {
        var connection = connection()
        let verdict = connection.requestHeadCame(head(isVersion11: isVersion11, hosts: hosts), now: at(0))
        #expect(verdict == (isAccepted ? .accept : .reject(.host)))
    }

    @Test("Who waits for 100 Continue gets it, unless the body announced is too large")
    func expectation() {
        var fits = connection()
        let outcome6 = fits.requestHeadCame(head(announced: 1_000, hasBody: true, expectsContinue: true), now: at(0))
        #expect(outcome6 == .acceptAfterContinue)
        var large = connection()
        let verdict = large.requestHeadCame(head(announced: 1_001, hasBody: true, expectsContinue: true), now: at(0))
        #expect(verdict == .accept)
    }

    @Test("A body of unknown length ends at the limit")
    func longBody() {
        var connection = connection()
        _ = connection.requestHeadCame(head(hasBody: true), now: at(0))
        let outcome2 = connection.requestBodyCame(1_000)
        #expect(outcome2 == nil)
        let outcome3 = connection.requestBodyCame(1)
        #expect(outcome3 == .bodyTooLarge)
    }

    @Test("A shutdown lets the response in progress end, and ends an idle connection at once")
    func quiesce() {
        var busy = connection()
        _ = busy.requestHeadCame(head(), now: at(0))
        busy.requestEndCame(now: at(0))
        let wasIdle = busy.quiesce(now: at(0))
        #expect(!wasIdle)
        busy.responseBegan(closes: false)
        #expect(busy.closesAfterResponse)
        let outcome4 = busy.responseEnded(now: at(1))
        #expect(outcome4)
        #expect(busy.isEnding && !busy.isReadyForRequest)
        // The peer has a moment to read the end, and no more.
        busy.measured(waiting: 0, acknowledged: 0, now: at(1))
        #expect(busy.timeUp(isPressed: false, now: at(2)) == .nothing)
        #expect(busy.timeUp(isPressed: false, now: at(3)) == .close)
        var idle = connection()
        _ = idle.requestHeadCame(head(), now: at(0))
        idle.requestEndCame(now: at(0))
        idle.responseBegan(closes: false)
        _ = idle.responseEnded(now: at(0))
        let outcome5 = idle.quiesce(now: at(1))
        #expect(outcome5)
    }

    @Test("Who has just connected has a moment for the first request, which is answered, and no more")
    func quiesceFresh() {
        var silent = connection()
        let atOnce = silent.quiesce(now: at(1))
        #expect(!atOnce && silent.isReadyForRequest)
        let later = silent.quiesce(now: at(2))
        #expect(later && !silent.isReadyForRequest)

        var asking = connection()
        _ = asking.quiesce(now: at(1))
        _ = asking.requestHeadCame(head(), now: at(1))
        asking.requestEndCame(now: at(1))
        let whileBusy = asking.quiesce(now: at(2))
        #expect(!whileBusy && asking.closesAfterResponse)
        // Half a head is waited for as long.
        var begun = connection()
        begun.bytesCame(now: at(0))
        let before = begun.quiesce(now: at(1))
        let after = begun.quiesce(now: at(2))
        #expect(!before && after)
    }
}
