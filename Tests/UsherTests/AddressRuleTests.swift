import Basics
import Testing

@testable import Usher

@Suite struct AddressRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var rule: String
        var address: String
        var claimed: [String] = []
        var result: String
        var testDescription: String { "\(rule) \(address) \(claimed)" }
    }

    @Test(
        "A rule matches its addresses and no others",
        arguments: [
            Case(rule: "192.0.2.1", address: "192.0.2.1", result: "allowed"),
            Case(rule: "192.0.2.1", address: "192.0.2.2", result: "denied"),
            Case(rule: "192.0.2.1 | 198.51.100.0/24", address: "198.51.100.77", result: "allowed"),
            Case(rule: "2001:db8::/32", address: "2001:db8:1::9", result: "allowed"),
            Case(rule: "2001:db8::1", address: "2001:DB8:0::1", result: "allowed"),
            // Anybody, of either family.
            Case(rule: "0.0.0.0/0", address: "203.0.113.1", result: "allowed"),
            Case(rule: "0.0.0.0/0", address: "2001:db8::1", result: "allowed"),
            Case(rule: "::/0", address: "203.0.113.1", result: "allowed"),
            // Plain auto is the whole address.
            Case(rule: "auto", address: "203.0.113.1", result: "0 203.0.113.1/32"),
            Case(rule: "auto", address: "2001:db8::1", result: "0 2001:db8::1/128"),
            Case(rule: "auto", address: "203.0.113.1", claimed: ["203.0.113.1/32"], result: "allowed"),
            Case(rule: "auto", address: "203.0.113.2", claimed: ["203.0.113.1/32"], result: "denied"),
            // The first two networks, one entry each.
            Case(rule: "auto/24|auto/24", address: "203.0.113.1", result: "0 203.0.113.0/24"),
            Case(rule: "auto/24|auto/24", address: "203.0.113.9", claimed: ["203.0.113.0/24"], result: "allowed"),
            Case(
                rule: "auto/24|auto/24", address: "198.51.100.9", claimed: ["203.0.113.0/24"],
                result: "1 198.51.100.0/24"),
            Case(
                rule: "auto/24|auto/24", address: "192.0.2.9", claimed: ["203.0.113.0/24", "198.51.100.0/24"],
                result: "denied"),
            // A fixed entry covers without using up an auto one.
            Case(rule: "auto|192.0.2.0/24", address: "192.0.2.9", result: "allowed"),
            Case(rule: "192.0.2.0/24|auto", address: "203.0.113.1", result: "1 203.0.113.1/32"),
            // Prefixes that are meant for the other family.
            Case(rule: "auto/24", address: "2001:db8:1:2:3::1", result: "0 2001:db8:1:2::/64"),
            Case(rule: "auto/64", address: "203.0.113.77", result: "0 203.0.113.0/24"),
            Case(rule: "auto/32", address: "2001:db8::1", result: "0 2001:db8::1/128"),
            Case(rule: "auto/128", address: "203.0.113.77", result: "0 203.0.113.77/32"),
            Case(rule: "auto/48", address: "2001:db8:1:2::1", result: "0 2001:db8:1::/48"),
            // What cannot be read closes rather than opens.
            Case(rule: "auto", address: "203.0.113.1", claimed: ["garbage"], result: "denied"),
        ])
    func matches(_ row: Case) throws {
        let rule = try AddressRule(row.rule)
        let text =
            switch rule.match(try #require(IPAddress(row.address)), claimed: row.claimed) {
            case .allowed: "allowed"
            case .denied: "denied"
            case .claims(let entry, let network): "\(entry) \(network)"
            }
        #expect(text == row.result)
    }

    @Test(
        "A rule that is wrong says what is wrong",
        arguments: [
            ("", "ip must be an IPv4 or IPv6 address, a CIDR block, auto or auto/N, several separated by |"),
            (
                "1.2.3",
                "ip must be an IPv4 or IPv6 address, a CIDR block, auto or auto/N, several separated by |, not 1.2.3"
            ),
            ("1.2.3.4|1.2.3.4/40", "ip must be a CIDR block such as 192.0.2.0/24 or 2001:db8::/32, not 1.2.3.4/40"),
            ("auto|fe80::1%eth0", "ip must be an address without a zone such as %eth0, not fe80::1%eth0"),
            ("fe80::%1/64", "ip must be a CIDR block such as 192.0.2.0/24 or 2001:db8::/32, not fe80::%1/64"),
            ("auto/0", "ip must be auto/N with N from 1 to 128, not auto/0"),
            ("auto/129", "ip must be auto/N with N from 1 to 128, not auto/129"),
            ("auto/x", "ip must be auto/N with N from 1 to 128, not auto/x"),
        ])
    func saysWhatIsWrong(text: String, message: String) {
        let error = #expect(throws: FieldProblem.self) { try AddressRule(text) }
        #expect(error?.description == message)
    }

    @Test("A rule's length and number of parts are bounded")
    func isBounded() {
        #expect(throws: FieldProblem.self) { try AddressRule(String(repeating: "1.2.3.4|", count: 200) + "1.2.3.4") }
        #expect(throws: FieldProblem.self) { try AddressRule(String(repeating: "1", count: 5000)) }
    }

    @Test(
        "Sessions move no further than their network",
        arguments: [
            ("203.0.113.7", "203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/28", "203.0.113.7", "203.0.113.0/28"),
            ("203.0.0.0/16", "203.0.113.7", "203.0.113.0/24"),
            ("0.0.0.0/0", "203.0.113.7", "203.0.113.0/24"),
            ("0.0.0.0/0", "2001:db8:1:2:3::1", "2001:db8:1:2::/64"),
            ("198.51.100.1", "203.0.113.7", "203.0.113.7/32"),
        ])
    func sessionsMoveNoFurtherThanTheirNetwork(rule: String, address: String, network: String) throws {
        let ticket = Ticket(
            accountID: 1, key: "k", pass: "", ip: rule, app: "*", video: "*", uses: 0, created: .distantPast,
            expires: .distantFuture)
        let found = TicketDecision.sessionNetwork(for: try #require(IPAddress(address)), ticket: ticket)
        #expect(found.description == network)
    }
}
