import Crypto
import Testing

@testable import RTMP

struct AdobeAuthenticationTests {
    /// Computed with Python: `b64encode(md5(s).digest())` of "bob" + "abcd" + "s3cret", then of that with the rest.
    let verifier = "UWM7TXxfDLs6if+fugsopQ=="
    let byOpaque = "IUo/TejJb6KNWLOIrz8KrQ=="
    let byChallenge = "6Au43b41ag38rUKR8QTTEA=="

    @Test("Adobe's answer is made by its formula")
    func theFormula() {
        #expect(AdobeAuthentication.verifier(user: "bob", salt: "abcd", password: "s3cret") == verifier)
        #expect(
            AdobeAuthentication.response(verifier: verifier, challenge: "0123456789", clientChallenge: "1c1ddbd9")
                == byOpaque)
    }

    @Test(
        "Answers by opaque and by challenge are accepted",
        arguments: [
            ("IUo/TejJb6KNWLOIrz8KrQ==", true), ("6Au43b41ag38rUKR8QTTEA==", true),
            ("IUo/TejJb6KNWLOIrz8KrR==", false), ("", false), ("IUo/TejJb6KNWLOIrz8KrQ", false),
        ])
    func answersByOpaqueAndByChallengeAreTaken(response: String, isRight: Bool) {
        #expect(
            AdobeAuthentication.verify(
                response: response, verifier: verifier, challenge: "CHAL", opaque: "0123456789",
                clientChallenge: "1c1ddbd9") == isRight)
        #expect(
            AdobeAuthentication.verify(
                response: byOpaque, verifier: verifier, challenge: "0123456789", opaque: "0123456789",
                clientChallenge: "1c1ddbd9"))
    }

    @Test("A client follows the three steps of Adobe's authentication")
    func aClientFollowsTheThreeSteps() {
        let credentials = AdobeAuthentication.Credentials(user: "bob", password: "s3cret")
        let first = AdobeAuthentication.clientStep(
            description: AdobeAuthentication.Rejection.needAuthentication.description, credentials: credentials,
            tried: nil, clientChallenge: "1c1ddbd9")
        #expect(first == .reconnect(appQuery: "?authmod=adobe&user=bob"))
        let rejection = AdobeAuthentication.Rejection.challenge(
            user: "bob", salt: "abcd", challenge: "CHAL", opaque: "0123456789")
        let second = AdobeAuthentication.clientStep(
            description: rejection.description, credentials: credentials, tried: "?authmod=adobe&user=bob",
            clientChallenge: "1c1ddbd9")
        let answer = "?authmod=adobe&user=bob&challenge=1c1ddbd9&response=\(byOpaque)&opaque=0123456789"
        #expect(second == .reconnect(appQuery: answer))
        for rejection in [
            AdobeAuthentication.Rejection.authenticationFailed(opaque: "x"), .noSuchUser, .needAuthentication,
            rejection,
        ] {
            let third = AdobeAuthentication.clientStep(
                description: rejection.description, credentials: credentials, tried: answer,
                clientChallenge: "1c1ddbd9")
            guard case .failed = third else {
                Issue.record("goes on after \(rejection)")
                continue
            }
        }
    }

    @Test("Refusals of another kind are not taken for Adobe's authentication")
    func otherRefusalsAreNotOurs() {
        #expect(
            AdobeAuthentication.clientStep(
                description: "[ Server.Reject ] : no such app", credentials: .init(user: "a", password: "b"),
                tried: nil, clientChallenge: "") == nil)
    }

    /// What ffmpeg, librtmp and GStreamer look for in a description.
    @Test("The texts of rejections are those that clients know")
    func rejectionTexts() {
        #expect(
            AdobeAuthentication.Rejection.needAuthentication.description
                == "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ")
        #expect(
            AdobeAuthentication.Rejection.challenge(user: "u", salt: "s", challenge: "c", opaque: "o").description
                == "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u&salt=s&challenge=c&opaque=o")
        #expect(
            AdobeAuthentication.Rejection.authenticationFailed(opaque: "o").description
                == "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=o")
    }

    @Test("Challenges are recognised without being remembered")
    func challengesAreRecognisedWithoutMemory() {
        let issuer = AdobeChallengeIssuer(secret: SymmetricKey(data: Array("secret".utf8)))
        let challenge = issuer.issue(user: "bob", now: 1_000)
        #expect(challenge.utf8.count == 40)
        #expect(issuer.isValid(challenge, user: "bob", now: 1_060))
        #expect(!issuer.isValid(challenge, user: "bob", now: 1_061))
        #expect(!issuer.isValid(challenge, user: "bob", now: 999))
        #expect(!issuer.isValid(challenge, user: "eve", now: 1_000))
        #expect(!issuer.isValid("", user: "bob", now: 1_000))
        #expect(!issuer.isValid(String(repeating: "é", count: 20), user: "bob", now: 1_000))
        let other = AdobeChallengeIssuer(secret: SymmetricKey(data: Array("other".utf8)))
        #expect(!other.isValid(challenge, user: "bob", now: 1_000))
    }
}
