import Basics
import Foundation
import Usher

/// What must survive: the one door to durable state. `SQLiteStore` implements it; every implementation passes the same
/// conformance suite.
///
/// Every write is durable when its call returns (a `kill -9` afterwards loses nothing). Writes that arrive together share
/// one transaction. Calls are safe from any task. All dates are kept with at least millisecond precision, in UTC.
public protocol Store:
    AccountStore, StreamStore, TicketStore, AttemptStore, PushStore, EventStore, UsageStore, ReplayStore,
    SequenceStore, RetentionStore
{
    /// Runs `work` in one transaction and gives its result once that is durable. `work` changes nothing but what it is given, for it
    /// may be run again from its beginning; what it throws is a `StoreError`, and then nothing of it is kept.
    ///
    /// - Parameter isRevocation: it may end what runs, and waits for no other writes.
    func transaction<Value: Sendable>(
        isRevocation: Bool, _ work: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value

    /// Claims the request's digest as `beginReplay` does, and if it is new does `work` and keeps its reply, all in one transaction:
    /// a request is carried out and remembered, or neither.
    func once<Value: Sendable>(
        _ request: ReplayRequest, isRevocation: Bool,
        _ work: @escaping @Sendable (any StoreTransaction) throws -> ReplayAnswer<Value>
    ) async throws -> ReplayOutcome<Value>

    /// Finishes what is under way and closes; later calls throw `StoreError.closed`.
    func close() async throws
}

/// What one transaction reads and writes; good inside the call that gives it. Each method is as the store's of the same name.
public protocol StoreTransaction {
    func insertTickets(_ tickets: [Ticket]) throws -> [Ticket]
    func updateTicket(key: String, accountID: AccountID, _ change: TicketChange) throws -> TicketUpdate
    func runningSessions(ofTicket id: Int64, heardAfter date: Date) throws -> Int
    func stream(id: Int64) throws -> StreamSettings?
    func streamSettings(app: String, stream: String) throws -> [StreamSettings]
    func upsertStream(_ settings: StreamSettings) throws -> StreamSettings
    func insertStreamUser(_ user: StreamUser) throws -> StreamUser
    func streamUser(id: Int64) throws -> StreamUser?
    func streamUsers(accountID: AccountID, app: String?, stream: String?) throws -> [StreamUser]
    func updateStreamUser(_ user: StreamUser) throws -> Bool
    func removeStreamUser(id: Int64) throws -> Bool
    func push(id: Int64, accountID: AccountID) throws -> PushService?
    func insertPush(_ push: PushService) throws -> PushService
    func updatePush(_ push: PushService) throws -> Bool
    func removePush(id: Int64, accountID: AccountID) throws -> Bool
    func recordChanges(_ touch: ReplayTouch) throws
}

extension Store {
    /// Gives the tickets with ids and revisions, all or none. Throws `StoreError.duplicate` when a key exists.
    public func insertTickets(_ tickets: [Ticket]) async throws -> [Ticket] {
        try await transaction(isRevocation: false) { try $0.insertTickets(tickets) }
    }

    /// Gives the ticket with id and revision. Throws `StoreError.duplicate` when the key exists.
    public func insertTicket(_ ticket: Ticket) async throws -> Ticket {
        guard let stored = try await insertTickets([ticket]).first else { throw StoreError.failed("no ticket stored") }
        return stored
    }

    public func updateTicket(key: String, accountID: AccountID, _ change: TicketChange) async throws -> TicketUpdate {
        try await transaction(isRevocation: true) {
            try $0.updateTicket(key: key, accountID: accountID, change)
        }
    }

    /// The ticket after the change; nil when the account has none with that key.
    public func setTicketActive(key: String, accountID: AccountID, _ isActive: Bool) async throws -> Ticket? {
        let update = try await updateTicket(key: key, accountID: accountID, TicketChange(isActive: isActive))
        guard case .changed(let ticket) = update else { return nil }
        return ticket
    }

    /// Creates the settings row of (app, stream), or replaces it, keeping its id and creation date. Throws
    /// `StoreError.duplicate` when the row is another account's.
    public func upsertStream(_ settings: StreamSettings) async throws -> StreamSettings {
        try await transaction(isRevocation: false) { try $0.upsertStream(settings) }
    }

    /// With `streamID` 0 the user belongs to the settings row of its app and stream, which is made when there is none.
    /// Throws `StoreError.duplicate` when (app, stream, user) exists, `notFound` when the settings row given does not.
    public func insertStreamUser(_ user: StreamUser) async throws -> StreamUser {
        try await transaction(isRevocation: false) { try $0.insertStreamUser(user) }
    }

    /// Another password, with all that verifies it. False when there is no such user.
    public func updateStreamUser(_ user: StreamUser) async throws -> Bool {
        try await transaction(isRevocation: false) { try $0.updateStreamUser(user) }
    }

    public func removeStreamUser(id: Int64) async throws -> Bool {
        try await transaction(isRevocation: false) { try $0.removeStreamUser(id: id) }
    }

    public func insertPush(_ push: PushService) async throws -> PushService {
        try await transaction(isRevocation: false) { try $0.insertPush(push) }
    }

    /// False when there is no such row.
    public func updatePush(_ push: PushService) async throws -> Bool {
        try await transaction(isRevocation: false) { try $0.updatePush(push) }
    }

    public func removePush(id: Int64, accountID: AccountID) async throws -> Bool {
        try await transaction(isRevocation: false) { try $0.removePush(id: id, accountID: accountID) }
    }

    /// As `finishReplay` does, for a command that came without a signed request.
    public func recordChanges(_ touch: ReplayTouch) async throws {
        guard !touch.changed.isEmpty else { return }
        try await transaction(isRevocation: false) { try $0.recordChanges(touch) }
    }
}

/// Accounts and their API keys.
public protocol AccountStore: Sendable {
    /// Throws `StoreError.duplicate` when the user name is taken, or the CDN id is or was.
    func insertAccount(_ account: Account) async throws
    func account(id: AccountID) async throws -> Account?
    func account(user: String) async throws -> Account?
    /// By CDN id.
    func accounts() async throws -> [Account]
    /// The account whose `<user>-` begins `app`: the longest user name that fits.
    func account(owningApp app: String) async throws -> Account?
    /// `suspension` nil lifts it. Throws `StoreError.notFound`.
    func setSuspension(accountID: AccountID, _ suspension: String?) async throws
    /// How much there is that goes with the account.
    func contents(accountID: AccountID) async throws -> AccountContents
    /// Takes away the account, and its keys, streams, stream users and pushes with it, all or none. Its CDN id is never given
    /// again; its user name may be. What else there is of it nobody can ask for, and `removeDeletedAccounts` removes it. Throws
    /// `StoreError.notFound`.
    func deleteAccount(id: AccountID, at date: Date) async throws
    /// Accounts there were, in the order in which they were deleted.
    /// - Parameter position: of the last one that is known; 0: all are given.
    func deletedAccounts(after position: Int64) async throws -> [DeletedAccount]
    /// Gives the key with its id.
    func insertKey(_ key: APIKey) async throws -> APIKey
    /// The key and whose it is, in one question: every signed request asks it.
    func keyAndAccount(apiKey: String) async throws -> (key: APIKey, account: Account)?
    func keys(accountID: AccountID) async throws -> [APIKey]
    /// False when there is no such key that is not revoked already.
    func revokeKey(apiKey: String, at date: Date) async throws -> Bool
}

extension AccountStore {
    public func key(apiKey: String) async throws -> APIKey? {
        try await keyAndAccount(apiKey: apiKey)?.key
    }
}

/// Stream settings and stream users.
public protocol StreamStore: Sendable {
    func stream(id: Int64) async throws -> StreamSettings?
    func streams(accountID: AccountID) async throws -> [StreamSettings]
    /// The rows that a stream's settings come from: its own, that of the stream it is a rendition of (`paid` for `paid_360p`),
    /// its app's `*`, as far as there are such. The first that has a value for a setting decides.
    func streamSettings(app: String, stream: String) async throws -> [StreamSettings]
    /// Grows with every change of settings, by whichever process; 0 before the first.
    func currentSettingsRevision() async throws -> Int64
    func streamUser(id: Int64) async throws -> StreamUser?
    /// All users of an account, narrowed by app and stream when given, by id.
    func streamUsers(accountID: AccountID, app: String?, stream: String?) async throws -> [StreamUser]
    /// Those who may publish to a stream: its own users; those of the app's `*` where it has none. By id.
    func publishers(app: String, stream: String) async throws -> [StreamUser]
    /// Users of an app's streams with that name who can log in by Adobe's challenge, by id, at most `limit`.
    func challengeUsers(app: String, user: String, limit: Int) async throws -> [StreamUser]
}

/// Tickets and the sessions they opened.
public protocol TicketStore: Sendable {
    func ticket(key: String) async throws -> Ticket?
    /// The account's tickets behind a position, 0 for the first, oldest first; at most `limit`. Not all that are there are
    /// looked at, so there may be fewer, and more behind them.
    func tickets(accountID: AccountID, filter: TicketFilter, after position: Int64, limit: Int) async throws
        -> TicketPage
    /// Joins the running session of the same ticket, address, app and video if the request may, for which no use need be
    /// left. Else decides, and refuses a session more than the ticket may have at a time, and if admitted charges a use, claims an `auto` network, opens the session and writes the attempt row, all in
    /// one transaction in which no other node can get between. When refused, the attempt is logged.
    func admit(_ request: AdmissionRequest) async throws -> Verdict<AdmittedSession>
    /// What `admit` would say now, for those who are told before they play. Granted with the id of a running session: the viewer
    /// would join that, and be refused without it. Reads only.
    func preview(_ request: AdmissionRequest) async throws -> Verdict<String?>
    /// The id of the running session that `admit` would join for this request. Reads only.
    func sessionToJoin(_ request: AdmissionRequest) async throws -> String?
    /// How many sessions of a ticket have not ended and were heard of after `date`, on all nodes.
    func runningSessions(ofTicket id: Int64, heardAfter date: Date) async throws -> Int
    /// Marks sessions as still in use, so that they are joined again after a restart or on another node.
    func touchSessions(_ touches: [SessionTouch]) async throws
    /// The session is not joined any more. Without effect when there is none.
    func endSession(id: String) async throws
    /// Tickets that changed after `revision`, oldest first, at most `limit`.
    func ticketChanges(after revision: Int64, limit: Int) async throws -> [Ticket]
    /// The highest revision given so far.
    func currentTicketRevision() async throws -> Int64
}

/// The attempt log.
public protocol AttemptStore: Sendable {
    /// Writes the row of a session start that was admitted without a stored ticket; `admit` writes the others.
    func recordAdmission(_ attempt: Attempt) async throws
    /// Notes a refusal: as a row of its own, or folded into the row of the same ticket, address, video and reason that began
    /// within the last `foldingWindow` seconds; further where there are very many (docs/tickets.md). Returns at once; the row is
    /// on disk within a second, and counted by the next question already.
    func recordRefusal(_ attempt: Attempt, foldingWindow: TimeInterval)
    /// Newest first; by id, the largest first, when the filter has `beforeID`.
    func attempts(accountID: AccountID, filter: AttemptFilter, limit: Int, offset: Int) async throws -> [Attempt]
    /// How many attempts match, folded ones counted with their repeats.
    func countAttempts(accountID: AccountID, filter: AttemptFilter) async throws -> Int
}

/// Which attempts are meant; a nil field does not narrow.
public struct AttemptFilter: Sendable, Hashable {
    public var key: String?
    public var pass: String?
    /// `*` wildcards.
    public var app: String?
    /// `*` wildcards.
    public var video: String?
    /// An address or a CIDR block.
    public var address: String?
    public var isSuccess: Bool?
    /// On or after.
    public var since: Date?
    /// Rows with a smaller id only: those recorded before. Ids grow with recording, so what is recorded meanwhile does not shift
    /// the pages of who goes on at the last id he has.
    public var beforeID: Int64?

    public init(
        key: String? = nil, pass: String? = nil, app: String? = nil, video: String? = nil, address: String? = nil,
        isSuccess: Bool? = nil, since: Date? = nil, beforeID: Int64? = nil
    ) {
        self.key = key
        self.pass = pass
        self.app = app
        self.video = video
        self.address = address
        self.isSuccess = isSuccess
        self.since = since
        self.beforeID = beforeID
    }
}

/// Stored push destinations.
public protocol PushStore: Sendable {
    func push(id: Int64, accountID: AccountID) async throws -> PushService?
    /// By id.
    func pushes(accountID: AccountID) async throws -> [PushService]
    /// Those with `autopush` whose source is this stream (a push without app, instance or stream is for all of the account's).
    func autopushes(app: String, instance: String, stream: String) async throws -> [PushService]
}

/// The origin's event log.
public protocol EventStore: Sendable {
    /// Adds a row, and gives it with its id. An event that has an id already is written over its row's metadata.
    @discardableResult
    func recordEvent(_ event: OriginEvent) async throws -> OriginEvent
    /// Newest first; `stream` nil: all of the app.
    func events(accountID: AccountID, app: String, stream: String?, limit: Int, offset: Int) async throws
        -> [OriginEvent]
}

/// What was delivered to viewers, and how many there were.
public protocol UsageStore: Sendable {
    /// Adds amounts to what is known, all or none: so any number of nodes add up, and none writes what another has.
    func addUsage(_ usage: [UsageKey: UsageAmount], viewers: [ViewerMinute: ViewerAmount]) async throws
    /// What was delivered, summed up by the columns given.
    func usage(accountID: AccountID, filter: UsageFilter, by columns: Set<UsageKey.Column>) async throws
        -> [UsageKey: UsageAmount]
    /// By minute since 1970, for minutes that had viewers.
    func viewers(accountID: AccountID, filter: ViewerFilter) async throws -> [Int: ViewerAmount]
}

/// Replies already given to signed requests that changed something.
public protocol ReplayStore: Sendable {
    /// Claims `digest` (of key and signature): `.new` for the first caller, who then must call `finishReplay`; later callers get
    /// the first run's reply, or `.running` while there is none, or `.outdated`. A claim that has had no reply for `ReplayClaim.patience`
    /// is taken for lost with the process that made it, and the next caller is the first.
    func beginReplay(digest: String, now: Date, expires: Date) async throws -> ReplayClaim
    /// The first reply stays. Throws `StoreError.notFound` when nobody claimed `digest`.
    func finishReplay(digest: String, reply: String, touch: ReplayTouch) async throws
    /// Gives up a claim whose command failed before it changed anything.
    func abandonReplay(digest: String) async throws
}

extension ReplayStore {
    /// For a reply that is about nothing that others change.
    public func finishReplay(digest: String, reply: String) async throws {
        try await finishReplay(digest: digest, reply: reply, touch: ReplayTouch())
    }
}

/// What a command's reply is about, and what of that it has changed, by names that differ between accounts.
public struct ReplayTouch: Sendable, Hashable {
    public var concerned: [String]
    public var changed: [String]

    public init(concerned: [String] = [], changed: [String] = []) {
        self.concerned = concerned
        self.changed = changed
    }
}

/// A signed request that changes something.
public struct ReplayRequest: Sendable, Hashable {
    /// Of key and signature.
    public var digest: String
    public var now: Date
    /// When the request is acceptable no more, and need not be remembered.
    public var expires: Date

    public init(digest: String, now: Date, expires: Date) {
        self.digest = digest
        self.now = now
        self.expires = expires
    }
}

/// How a request was carried out.
public struct ReplayAnswer<Value: Sendable>: Sendable {
    /// What the same request gets when it comes again.
    public var reply: String
    public var touch: ReplayTouch
    public var value: Value

    public init(reply: String, touch: ReplayTouch, value: Value) {
        self.reply = reply
        self.touch = touch
        self.value = value
    }
}

public enum ReplayOutcome<Value: Sendable>: Sendable {
    case carriedOut(Value)
    /// Nothing was done. Never `.new`.
    case known(ReplayClaim)
}

public enum ReplayClaim: Sendable, Hashable {
    case new
    case running
    case answered(String)
    /// There is a reply, but since its request came another one has changed something that the reply is about.
    case outdated

    /// Seconds a claim may be without a reply: far longer than any command takes.
    public static let patience: TimeInterval = 60
}

/// Numbers that never go back.
public protocol SequenceStore: Sendable {
    /// Reserves `count` (at least 1) numbers under `name` and gives the first: past every number given before, in any run.
    func reserveSequence(name: String, count: Int64) async throws -> Int64
}

/// Removal of what has been kept long enough. Each gives how many rows went, and lets other writes between its steps.
public protocol RetentionStore: Sendable {
    /// Attempts are removed in the order in which they were recorded, up to the first that is younger, and those that are packed
    /// together when all of them are older: a sixteenth of their age later at most, or a day.
    @discardableResult
    func removeAttempts(before date: Date) async throws -> Int
    /// Sessions that have ended or were last used before `date`, which must lie before any session's time-out.
    @discardableResult
    func removeEndedSessions(before date: Date) async throws -> Int
    /// Tickets and what is left of their sessions; attempts with them stay.
    @discardableResult
    func removeTickets(expiredBefore date: Date) async throws -> Int
    @discardableResult
    func removeReplays(expiredBefore date: Date) async throws -> Int
    @discardableResult
    func removeEvents(before date: Date) async throws -> Int
    /// Days of usage that ended before `date`.
    @discardableResult
    func removeUsage(before date: Date) async throws -> Int
    /// Minutes of viewers that ended before `date`.
    @discardableResult
    func removeViewers(before date: Date) async throws -> Int
    /// All that is left of deleted accounts, but for attempts, which are removed by age alone.
    @discardableResult
    func removeDeletedAccounts() async throws -> Int
}
