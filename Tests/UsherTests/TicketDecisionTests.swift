import Basics
import Foundation
import Testing

@testable import Usher

@Suite struct TicketDecisionTests {
    static let now = Date(timeIntervalSince1970: 1_700_000_000)
    static let ticket = Ticket(
        accountID: 7, key: "mystream.1", pass: "secret", ip: "203.0.113.0/24", app: "demo-*", video: "mystream",
        uses: 5,
        usedCount: 4, created: now, expires: now.addingTimeInterval(60))
    static let facts = ViewerFacts(
        key: "mystream.1", pass: "secret", address: "203.0.113.9", app: "demo-origin", instance: "live",
        video: "mystream")

    /// The things that may be wrong, in the order in which they are looked at.
    enum Fault: Int, CaseIterable, Sendable {
        case key, pass, active, expiry, app, video, address, uses

        var reason: RefusalReason {
            switch self {
            case .key: .unknownTicket
            case .pass: .wrongPass
            case .active: .revoked
            case .expiry: .expired
            case .app: .appNotAllowed
            case .video: .videoNotAllowed
            case .address: .addressNotAllowed
            case .uses: .noUsesRemaining
            }
        }

        func spoil(_ ticket: inout Ticket, _ facts: inout ViewerFacts) {
            switch self {
            case .key: facts.key = "other"
            case .pass: facts.pass = "Secret"
            case .active: ticket.isActive = false
            case .expiry: ticket.expires = TicketDecisionTests.now
            case .app: facts.app = "other-origin"
            case .video: facts.video = "yourstream"
            case .address: facts.address = "203.0.114.9"
            case .uses: ticket.usedCount = 5
            }
        }
    }

    static func decide(_ faults: [Fault]) -> Verdict<IPNetwork?> {
        var (ticket, facts) = (ticket, facts)
        for fault in faults { fault.spoil(&ticket, &facts) }
        return TicketDecision.decide(ticket: ticket, facts: facts, now: now)
    }

    @Test("A ticket admits those it is for")
    func admits() {
        #expect(Self.decide([]) == .granted(nil))
    }

    @Test("The first fault is the reason of a refusal", arguments: Fault.allCases, Fault.allCases)
    func theFirstFaultIsTheReason(one: Fault, other: Fault) {
        let first = one.rawValue < other.rawValue ? one : other
        #expect(Self.decide([one, other]) == .refused(first.reason))
    }

    @Test("No key is a missing ticket", arguments: [nil, ""] as [String?])
    func noKeyIsAMissingTicket(key: String?) {
        var facts = Self.facts
        facts.key = key
        #expect(TicketDecision.decide(ticket: nil, facts: facts, now: Self.now) == .refused(.missingTicket))
        #expect(TicketDecision.decide(ticket: Self.ticket, facts: facts, now: Self.now) == .refused(.missingTicket))
    }

    @Test("A key of no ticket is refused as unknown")
    func noTicketIsAnUnknownOne() {
        #expect(TicketDecision.decide(ticket: nil, facts: Self.facts, now: Self.now) == .refused(.unknownTicket))
    }

    @Test("No pass is refused as a wrong one")
    func noPassIsAWrongOne() {
        var facts = Self.facts
        facts.pass = nil
        #expect(TicketDecision.decide(ticket: Self.ticket, facts: facts, now: Self.now) == .refused(.wrongPass))
    }

    @Test("Uses are not looked at where none is charged")
    func usesAreNotAskedForWhenNoneIsCharged() {
        var ticket = Self.ticket
        ticket.usedCount = 5
        #expect(
            TicketDecision.decide(ticket: ticket, facts: Self.facts, now: Self.now, countsUse: false)
                == .granted(nil))
    }

    @Test("Zero uses are unlimited")
    func zeroUsesAreUnlimited() {
        var ticket = Self.ticket
        ticket.uses = 0
        ticket.usedCount = 1_000_000
        #expect(TicketDecision.decide(ticket: ticket, facts: Self.facts, now: Self.now) == .granted(nil))
        #expect(ticket.remainingUses == nil)
    }

    @Test("An auto entry is claimed by the address that comes first")
    func anAutoEntryIsClaimed() {
        var ticket = Self.ticket
        ticket.ip = "auto/24"
        #expect(
            TicketDecision.decide(ticket: ticket, facts: Self.facts, now: Self.now)
                == .granted(IPNetwork("203.0.113.0/24")))
    }

    @Test("An address that cannot be read is not allowed", arguments: ["garbage", "", "203.0.113.9:1935"])
    func anAddressThatIsNoneIsNotAllowed(address: String) {
        var (ticket, facts) = (Self.ticket, Self.facts)
        ticket.ip = "0.0.0.0/0"
        facts.address = address
        #expect(TicketDecision.decide(ticket: ticket, facts: facts, now: Self.now) == .refused(.addressNotAllowed))
    }

    @Test(
        "A ticket allows the videos it names",
        arguments: [
            ("S", "S_360p", true), ("S", "mp4:S", true), ("mp4:S", "S", true), ("S_360p", "S", false),
            ("S_360p", "S_720p", false), ("S*", "S_360p", true), ("S", "S.smil", true), ("S.smil", "S.smil", true),
            ("s", "S", false), ("sestore3/u/*", "sestore3/u/path/file.mp4", true), ("T|S", "S_720p", true),
        ])
    func videos(list: String, video: String, isAllowed: Bool) {
        var (ticket, facts) = (Self.ticket, Self.facts)
        ticket.video = list
        facts.video = video
        #expect(
            TicketDecision.decide(ticket: ticket, facts: facts, now: Self.now)
                == (isAllowed ? .granted(nil) : .refused(.videoNotAllowed)))
    }

    @Test("An app is allowed by its alias")
    func anAppIsAllowedByItsAlias() {
        var (ticket, facts) = (Self.ticket, Self.facts)
        ticket.app = "demo-live"
        #expect(TicketDecision.decide(ticket: ticket, facts: facts, now: Self.now) == .granted(nil))
        facts.app = "demo-chorigin"
        #expect(TicketDecision.decide(ticket: ticket, facts: facts, now: Self.now) == .refused(.appNotAllowed))
    }
}
