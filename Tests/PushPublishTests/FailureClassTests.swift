import NIOCore
import Testing

@testable import PushPublish

@Suite struct FailureClassTests {
    static let permanent: Set<PushFailure.Code> = [
        .unknownHost, .addressNotAllowed, .certificateRefused, .loginRefused, .codecRefused, .streamRefused,
    ]

    @Test("Failures that waiting cures are transient", arguments: PushFailure.Code.allCases)
    func whatWaitingCuresIsTransient(code: PushFailure.Code) {
        let expected: FailureClass = FailureClassTests.permanent.contains(code) ? .permanent : .transient
        #expect(FailureClass(PushFailure(code, "")) == expected)
    }

    @Test(
        "A refusal soon after the stream was accepted is taken for the push's own former connection",
        arguments: [
            (TimeAmount.seconds(0), FailureClass.transient), (.seconds(119), .transient), (.seconds(120), .permanent),
        ])
    func aRefusalSoonAfterTheStreamWasAcceptedIsOurOwnGhost(since: TimeAmount, expected: FailureClass) {
        #expect(FailureClass(PushFailure(.streamRefused, ""), sinceAccepted: since) == expected)
    }

    @Test("A refused login is never taken for the push's own former connection")
    func aRefusedLoginIsNeverAGhost() {
        #expect(FailureClass(PushFailure(.loginRefused, ""), sinceAccepted: .seconds(1)) == .permanent)
    }
}

@Suite struct NetworkFailureTests {
    @Test("A refused connection is told in words, without the function's name or the error's number")
    func refusedConnection() throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1935)
        let refused = IOError(errnoCode: 111, reason: "connect(descriptor:addr:size:)")
        let failure = PushFailure(connecting: refused, to: address)
        #expect(failure.message == "no connection to 127.0.0.1 port 1935: Connection refused")
        #expect(
            PushFailure(connection: IOError(errnoCode: 104, reason: "read")).message
                == "the connection broke: Connection reset by peer")
    }
}
