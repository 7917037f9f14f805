import Basics
import Foundation
import Testing

@testable import Usher

@Suite struct PlaceRuleTests {
    private static let countries: [String: PlaceRule.Country] = [
        "192.0.2.1": .code("DE"), "198.51.100.1": .code("FR"), "203.0.113.1": .unknown, "2001:db8::1": .code("DE"),
    ]

    private func admitted(_ rule: PlaceRule?) -> [String] {
        Self.countries.keys.sorted().filter { address in
            rule?.admits(IPAddress(address)) { Self.countries[$0.description] ?? .unknown } ?? true
        }
    }

    private func network(_ text: String) throws -> [IPNetwork] {
        [try #require(IPNetwork(text))]
    }

    @Test("Who is allowed by country or network comes in, and who is denied does not, the network before the country")
    func lists() throws {
        let (german, french, unknown, six) = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")
        #expect(PlaceRule() == nil)
        #expect(admitted(PlaceRule(allowedCountries: ["DE"])) == [german, six])
        // Who is nowhere is in no country that is denied, and in none that is allowed.
        #expect(admitted(PlaceRule(deniedCountries: ["DE"])) == [french, unknown])
        #expect(admitted(PlaceRule(allowedCountries: ["DE", "FR"], deniedCountries: ["FR"])) == [german, six])
        #expect(admitted(PlaceRule(allowedNetworks: try network("198.51.100.0/24"))) == [french])
        #expect(admitted(PlaceRule(deniedNetworks: try network("2001:db8::/32"))) == [german, french, unknown])
        #expect(
            admitted(PlaceRule(allowedCountries: ["DE"], allowedNetworks: try network("203.0.113.1")))
                == [german, six, unknown])
        #expect(
            admitted(PlaceRule(deniedCountries: ["DE"], allowedNetworks: try network("192.0.2.0/24"))) == [german])
        #expect(
            admitted(
                PlaceRule(
                    allowedCountries: ["DE"], allowedNetworks: try network("192.0.2.0/24"),
                    deniedNetworks: try network("192.0.2.1"))) == [six])
    }

    @Test("Without a database a list of countries admits nobody but the allowed networks")
    func noDatabase() throws {
        for rule in [PlaceRule(allowedCountries: ["DE"]), PlaceRule(deniedCountries: ["FR"])] {
            #expect(try #require(rule).admits(IPAddress("192.0.2.1")) { _ in .noDatabase } == false)
        }
        let rule = try #require(PlaceRule(deniedCountries: ["FR"], allowedNetworks: try network("192.0.2.0/24")))
        #expect(rule.admits(IPAddress("192.0.2.1")) { _ in .noDatabase })
        // Where networks say all there is to say nothing is asked for.
        let plain = try #require(PlaceRule(deniedNetworks: try network("192.0.2.0/24")))
        #expect(plain.admits(IPAddress("198.51.100.1")) { _ in .noDatabase })
        #expect(!plain.admits(nil) { _ in .unknown })
    }

    @Test(
        "A country has two letters that ISO gave it",
        arguments: [("de", "DE"), ("GB", "GB"), ("XK", "XK"), ("UK", nil), ("DEU", nil), ("", nil), ("1A", nil)])
    func codes(text: String, code: String?) {
        #expect(CountryCode.normalized(text) == code)
    }

    @Test("Each kind of protection asks for the place where it asks for the address, and an open stream for nothing")
    func protections() throws {
        let places = try #require(PlaceRule(allowedCountries: ["DE"]))
        func place(_ protection: Protection, _ places: PlaceRule?, _ country: String = "FR") -> ViewerFacts.Place {
            ViewingRule(protection: protection, places: places).place(of: "192.0.2.1") { _ in .code(country) }
        }
        for protection in [Protection.sevu, .hmac, .geoip] {
            #expect(place(protection, places) == .denied)
            #expect(place(protection, places, "DE") == .admitted)
            #expect(place(protection, nil) == (protection == .geoip ? .denied : .unasked))
        }
        #expect(place(.open, places) == .unasked)

        let now = Date(timeIntervalSince1970: 1_700_000_000)
        var facts = ViewerFacts(
            key: "k", pass: "p", address: "192.0.2.1", app: "demo-origin", instance: "play", video: "s")
        let rule = ViewingRule(protection: .geoip, places: places)
        let admitted = try #require(rule.decide(facts, accountID: 7, now: now))
        let grant = try #require(admitted.verdict.grant)
        #expect(grant.grounds == .place && admitted.facts.key == "geoip" && admitted.facts.pass == "")
        #expect(
            TicketDecision.decide(ticket: grant.ticket, facts: admitted.facts, now: now + 1e9, countsUse: false)
                == .granted(nil))
        #expect(rule.sustains(.place) && !rule.sustains(.ticket))
        #expect(!ViewingRule(protection: .sevu).sustains(.place))
        facts.place = .denied
        #expect(rule.decide(facts, accountID: 7, now: now)?.verdict == .refused(.countryNotAllowed))
        facts.isAddressHidden = true
        #expect(rule.decide(facts, accountID: 7, now: now)?.verdict == .refused(.addressNotAllowed))

        // After the address, before the uses.
        let ticket = Ticket(
            accountID: 7, key: "k", pass: "p", ip: "192.0.2.1", app: "*", video: "*", uses: 1, usedCount: 1,
            created: now,
            expires: now + 60)
        facts.isAddressHidden = false
        #expect(TicketDecision.decide(ticket: ticket, facts: facts, now: now) == .refused(.countryNotAllowed))
        facts.address = "192.0.2.2"
        #expect(TicketDecision.decide(ticket: ticket, facts: facts, now: now) == .refused(.addressNotAllowed))

        let secret = try #require(HDNEASecret(hexadecimal: "aabb"))
        facts.token = HDNEAToken(address: "192.0.2.2", expires: 1_700_000_060, acl: nil).text(secret: secret)
        let tokens = ViewingRule(protection: .hmac, tokens: TokenRule(secrets: [secret]), places: places)
        #expect(tokens.decide(facts, accountID: 7, now: now)?.verdict == .refused(.countryNotAllowed))
        facts.address = "192.0.2.1"
        #expect(tokens.decide(facts, accountID: 7, now: now)?.verdict == .refused(.invalidToken))
    }
}
