import NIOCore
import Testing

@testable import PushPublish

@Suite struct FailureClassTests {
    static let permanent: Set<PushFailure.Code> = [
        .unknownHost, .addressNotAllowed, .certificateRefused, .loginRefused, .codecRefused, .streamRefused,
    ]

    @Test(arguments: PushFailure.Code.allCases)
    func whatWaitingCuresIsTransient(code: PushFailure.Code) {
        let expected: FailureClass = FailureClassTests.permanent.contains(code) ? .permanent : .transient
        #expect(FailureClass(PushFailure(code, "")) == expected)
    }

    @Test(arguments: [
        (TimeAmount.seconds(0), FailureClass.transient), (.seconds(119), .transient), (.seconds(120), .permanent),
    ])
    func aRefusalSoonAfterTheStreamWasAcceptedIsOurOwnGhost(since: TimeAmount, expected: FailureClass) {
        #expect(FailureClass(PushFailure(.streamRefused, ""), sinceAccepted: since) == expected)
    }

    @Test func aRefusedLoginIsNeverAGhost() {
        #expect(FailureClass(PushFailure(.loginRefused, ""), sinceAccepted: .seconds(1)) == .permanent)
    }
}
