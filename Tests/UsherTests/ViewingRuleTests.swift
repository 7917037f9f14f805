import Basics
import Foundation
import Testing

@testable import Usher

@Suite struct ViewingRuleTests {
    private static let first = HDNEASecret(hexadecimal: "aabbccddeeff00112233445566778899")
    private static let second = HDNEASecret(hexadecimal: "00112233445566778899aabbccddeeff")
    private static let now = Date(timeIntervalSince1970: 1_700_000_000)

    private func rule(_ secrets: [HDNEASecret?], salt: String? = nil) -> ViewingRule {
        ViewingRule(protection: .hmac, tokens: TokenRule(secrets: secrets.compactMap { $0 }, salt: salt))
    }

    private func text(
        _ secret: HDNEASecret? = first, address: String? = nil, acl: [String]? = ["/*"], id: String? = nil,
        data: String? = "ann", expires: Int64? = 1_700_000_300, name: String = "hdnea", salt: String? = nil
    ) throws -> String {
        HDNEAToken(address: address, expires: expires, acl: acl, sessionID: id, payload: data)
            .text(name: name, secret: try #require(secret), salt: salt)
    }

    private func facts(
        _ token: String?, path: String = "/demo-origin/play/s/playlist.m3u8", address: String = "203.0.113.7",
        isHidden: Bool = false
    ) -> ViewerFacts {
        ViewerFacts(
            key: "k", pass: "p", token: token, path: path, address: address, isAddressHidden: isHidden,
            app: "demo-origin", instance: "play", video: "s")
    }

    private func decide(_ rule: ViewingRule, _ facts: ViewerFacts, after seconds: Double = 0) -> ViewingRule.Decision? {
        rule.decide(facts, accountID: 7, now: Self.now + seconds)
    }

    @Test("A token admits to its stream until it ends, and the log has a digest of it and its data")
    func admitted() throws {
        let text = try text(address: "203.0.113.7")
        let decision = try #require(decide(rule([Self.first]), facts(text)))
        let ticket = try #require(decision.verdict.grant?.ticket)
        #expect(ticket.expires == Date(timeIntervalSince1970: 1_700_000_300))
        #expect(ticket.accountID == 7 && ticket.uses == 0 && ticket.ip == "203.0.113.7")
        #expect(ticket.key.wholeMatch(of: /hmac:[0-9a-f]{16}/) != nil)
        #expect(decision.facts.key == ticket.key)
        #expect(decision.facts.pass == "ann" && ticket.pass == "ann")
        #expect(decision.facts.token == nil)
        #expect(!text.contains(ticket.key.dropFirst(5)))
        // The ticket it stands for is good for the session, and for no other.
        #expect(
            TicketDecision.decide(ticket: ticket, facts: decision.facts, now: Self.now, countsUse: false)
                == .granted(nil))
        let other = try #require(decide(rule([Self.first]), facts(try self.text(data: "bob"))))
        #expect(other.verdict.grant != nil && other.facts.key != ticket.key)
        #expect(decide(rule([Self.first]), facts(text), after: 300)?.verdict == .refused(.invalidToken))
    }

    @Test("Of tokens that nobody signed the log has nothing, so that guesses are alike")
    func guessesAreAlike() throws {
        for text in ["hdnea=x", try text(Self.second), try text() + "0", String(repeating: "a", count: 5_000)] {
            let decision = try #require(decide(rule([Self.first]), facts(text)))
            #expect(decision.verdict == .refused(.invalidToken))
            #expect(decision.facts.key == nil && decision.facts.pass == nil && decision.facts.token == nil)
        }
        for text in [nil, ""] as [String?] {
            #expect(decide(rule([Self.first]), facts(text))?.verdict == .refused(.missingTicket))
        }
        // One that was signed and is not good can be found.
        let late = try #require(decide(rule([Self.first]), facts(try text(expires: 1))))
        #expect(late.verdict == .refused(.invalidToken))
        #expect(late.facts.key?.hasPrefix("hmac:") == true && late.facts.pass == "ann")
    }

    @Test("Without a secret nobody is admitted, and behind a proxy that is not trusted nobody where that is asked for")
    func closedByDefault() throws {
        let good = facts(try text())
        #expect(decide(rule([]), good)?.verdict == .refused(.invalidToken))
        #expect(decide(ViewingRule(protection: .hmac), good)?.verdict == .refused(.invalidToken))
        #expect(
            decide(rule([Self.first]), facts(try text(), isHidden: true))?.verdict == .refused(.addressNotAllowed))
        #expect(decide(ViewingRule(protection: .sevu), good) == nil)
        #expect(decide(ViewingRule(protection: .open), good) == nil)
    }

    @Test("Any of a stream's secrets is good, with its salt and with no other")
    func rotation() throws {
        let both = rule([Self.second, Self.first])
        #expect(decide(both, facts(try text()))?.verdict.grant != nil)
        #expect(decide(both, facts(try text(Self.second)))?.verdict.grant != nil)
        #expect(decide(both, facts(try text(salt: "pepper")))?.verdict == .refused(.invalidToken))
        let salted = rule([Self.first], salt: "pepper")
        #expect(decide(salted, facts(try text(salt: "pepper")))?.verdict.grant != nil)
        #expect(decide(salted, facts(try text()))?.verdict == .refused(.invalidToken))
    }

    @Test("A session goes on as long as what its token was signed with is the stream's")
    func sessionsGoOn() throws {
        let grounds = try #require(decide(rule([Self.first]), facts(try text()))?.verdict.grant?.grounds)
        for (rule, goesOn) in [
            (rule([Self.first]), true), (rule([Self.second, Self.first]), true), (rule([Self.second]), false),
            (rule([Self.first], salt: "pepper"), false), (ViewingRule(protection: .hmac), false),
            (ViewingRule(protection: .sevu), false), (ViewingRule(protection: .open), true),
        ] {
            #expect(rule.sustains(grounds) == goesOn, "\(rule)")
        }
        #expect(ViewingRule(protection: .sevu).sustains(.ticket))
        #expect(!rule([Self.first]).sustains(.ticket))
    }

    @Test("The session's cookie is for the stream's folder, ends with the token and leads to the token's session")
    func cookie() throws {
        let rule = rule([Self.first], salt: "pepper")
        let asked = facts(try text(address: "203.0.113.7", salt: "pepper"))
        let (text, expires) = try #require(rule.sessionCookie(for: asked, now: Self.now))
        #expect(text.hasPrefix("hdntl=ip=203.0.113.7~exp=1700000300~acl=/demo-origin/play/s/*~id="))
        #expect(expires == Date(timeIntervalSince1970: 1_700_000_300))
        let key = decide(rule, asked)?.facts.key
        #expect(decide(rule, facts(text))?.facts.key == key)
        #expect(decide(rule, facts(text))?.facts.pass == "ann")
        let again = try #require(rule.sessionCookie(for: facts(text), now: Self.now))
        #expect(again.text == text)
        #expect(decide(rule, facts(text, address: "203.0.113.8"))?.verdict == .refused(.invalidToken))
        #expect(
            decide(rule, facts(text, path: "/demo-origin/play/t/playlist.m3u8"))?.verdict == .refused(.invalidToken))
        // What admits nobody makes no cookie, nor does what cannot stand in one.
        #expect(rule.sessionCookie(for: facts(try self.text()), now: Self.now) == nil)
        #expect(rule.sessionCookie(for: asked, now: Self.now + 300) == nil)
        #expect(rule.sessionCookie(for: facts(try self.text(data: "a;b", salt: "pepper")), now: Self.now) == nil)
        #expect(
            rule.sessionCookie(
                for: facts(try self.text(salt: "pepper"), path: "/demo-origin/play/a~b/playlist.m3u8"), now: Self.now)
                == nil)
    }

    @Test("A secret shows its last four digits, and tells itself from others")
    func hints() {
        #expect(Self.first?.hint == "…8899")
        #expect(Self.first == HDNEASecret(hexadecimal: "AABBCCDDEEFF00112233445566778899"))
        #expect(Self.first != Self.second)
    }
}
