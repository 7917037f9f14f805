import Basics
import Foundation
import Testing

@testable import Usher

@Suite struct HDNEATokenTests {
    static let secret = HDNEASecret(hexadecimal: "aabbccddeeff00112233445566778899")

    struct Vector: Sendable {
        var token: HDNEAToken
        var salt: String?
        var text: String
    }

    /// From the real PHP sample; the salted one computed by the Java sample's rule.
    static let vectors = [
        Vector(
            token: HDNEAToken(address: "203.0.113.7", expires: 1_700_021_600),
            text: "hdnea=ip=203.0.113.7~exp=1700021600~acl=/*~hmac="
                + "de086d45792ae367feb22aa62e302b471e0ef83c62134e0852f12759a477ce44"),
        Vector(
            token: HDNEAToken(expires: 1_700_021_600),
            text: "hdnea=exp=1700021600~acl=/*~hmac=90267094f45305484e5ed0a846e9652a09bd39cd5593a45d0228a59931add883"),
        Vector(
            token: HDNEAToken(expires: 1_700_021_600), salt: "pepper",
            text: "hdnea=exp=1700021600~acl=/*~hmac=c9879343a1e8e0f25296070d79bfff350d80a58b2c88f183723a6453ce79a5b2"),
        Vector(
            token: HDNEAToken(start: 1_700_000_000, expires: 1_700_021_600, acl: nil, payload: "p"),
            text: "hdnea=st=1700000000~exp=1700021600~data=p~hmac="
                + "fe678492720e9c04b1ae56966a45725439de3cbca08c07d71a1bd210685da22f"),
    ]

    @Test("Tokens equal the known vectors", arguments: vectors)
    func vectorsHold(_ vector: Vector) throws {
        let secret = try #require(Self.secret)
        #expect(vector.token.text(secret: secret, salt: vector.salt) == vector.text)
        let read = try HDNEAToken.verify(
            vector.text, secret: secret, salt: vector.salt, path: "/demo-live/play/s/playlist.m3u8",
            address: "203.0.113.7", now: Date(timeIntervalSince1970: 1_700_021_599))
        #expect(read == vector.token)
    }

    func failure(
        _ text: String, salt: String? = nil, path: String = "/a/b", address: String = "203.0.113.7",
        now: Double = 1_700_010_000
    ) -> HDNEAToken.Failure? {
        guard let secret = Self.secret else { return nil }
        do throws(HDNEAToken.Failure) {
            _ = try HDNEAToken.verify(
                text, secret: secret, salt: salt, path: path, address: address, now: Date(timeIntervalSince1970: now))
            return nil
        } catch {
            return error
        }
    }

    @Test("The first thing wrong with a token is the reason")
    func checksInOrder() throws {
        let secret = try #require(Self.secret)
        let text = HDNEAToken(
            address: "203.0.113.7", start: 1_700_000_000, expires: 1_700_021_600, acl: ["/a/*", "/c/d"]
        ).text(secret: secret)
        #expect(failure(text) == nil)
        #expect(failure(String(text.dropFirst(6))) == nil)
        #expect(failure(text, path: "/c/d", address: "::ffff:203.0.113.7") == nil)
        #expect(failure(text, salt: "pepper") == .wrongHMAC)
        #expect(failure(text.replacing("203.0.113.7", with: "203.0.113.8"), now: 0) == .wrongHMAC)
        #expect(failure(text, path: "/x", address: "1.1.1.1", now: 1_699_999_999) == .notYetValid)
        #expect(failure(text, path: "/x", address: "1.1.1.1", now: 1_700_021_600) == .expired)
        #expect(failure(text, path: "/c/de", address: "1.1.1.1") == .pathNotAllowed)
        #expect(failure(text, address: "1.1.1.1") == .addressNotAllowed)
        #expect(failure(text, address: "garbage") == .addressNotAllowed)
    }

    @Test("A token without an end is refused")
    func aTokenForEverIsRefused() throws {
        let text = HDNEAToken(expires: nil).text(secret: try #require(Self.secret))
        #expect(failure(text) == .expired)
    }

    @Test(
        "Text that is no token is refused",
        arguments: [
            "", "hdnea=", "hdnea=exp=1", "exp=1~hmac=", "exp=1~hmac=zz", "exp=1~hmac=abc",
            String(repeating: "a", count: 9000),
        ])
    func textThatIsNoTokenIsRefused(text: String) {
        #expect(failure(text) == .malformed || failure(text) == .wrongHMAC)
    }

    @Test("Signed nonsense is refused")
    func signedNonsenseIsRefused() throws {
        let secret = try #require(Self.secret)
        for body in ["exp=1~exp=2", "exp=x", "exp=-5", "exp=99999999999999999999", "noequals"] {
            let mac = Hexadecimal.encode(secret.authenticationCode(for: body, salt: nil))
            #expect(failure("\(body)~hmac=\(mac)") == .malformed)
        }
    }

    @Test("Secrets are written in hexadecimal", arguments: ["", "a", "zz", "abc", String(repeating: "ab", count: 200)])
    func secretsAreHexadecimal(text: String) {
        #expect(HDNEASecret(hexadecimal: text) == nil)
    }
}
