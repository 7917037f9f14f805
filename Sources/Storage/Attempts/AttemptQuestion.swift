import Basics
import Crypto
import Foundation
import Synchronization
import Usher

/// What a filter asks of the attempt log, made ready for being asked of millions of rows.
struct AttemptQuestion: Sendable {
    let accountID: AccountID
    let app: Wildcard?
    let video: Wildcard?
    /// Hashes (`AttemptHash`) of the key and the pass.
    let key: UInt64?
    let pass: UInt64?
    let network: IPNetwork?
    let isSuccess: Bool?
    /// On or after, in microseconds since 1970.
    let since: Int64?
    /// Rows with smaller ids only.
    let beforeID: Int64?
    /// What is asked is not in the system's cache: where much of a part will be read, all of it is asked of the disk at once.
    var isCold = false
    private let end: QuestionEnd

    /// nil when nothing can match: the filter's address is none.
    init?(accountID: AccountID, filter: AttemptFilter, hash: AttemptHash, end: QuestionEnd) {
        if let address = filter.address {
            guard let network = IPNetwork(address) else { return nil }
            self.network = network
        } else {
            network = nil
        }
        self.accountID = accountID
        // `*` alone is no filter.
        app = filter.app.flatMap { $0 == "*" ? nil : Wildcard($0) }
        video = filter.video.map { VideoName.normalized($0) }.flatMap { $0 == "*" ? nil : Wildcard($0) }
        key = filter.key.map { hash.of($0, accountID: accountID) }
        pass = filter.pass.map { hash.of($0, accountID: accountID) }
        isSuccess = filter.isSuccess
        since = filter.since?.stored
        beforeID = filter.beforeID
        self.end = end
    }

    /// Throws when the question is to end. To be called some thousand times a second.
    func checkEnd() throws {
        try end.check()
    }

    func matches(_ name: AttemptName) -> Bool {
        name.accountID == accountID && app?.matches(name.app) ?? true && video?.matches(name.video) ?? true
    }

    func matches(_ entry: AttemptEntry) -> Bool {
        isSuccess ?? entry.isSuccess == entry.isSuccess && key ?? entry.key == entry.key
            && pass ?? entry.pass == entry.pass && since ?? entry.date <= entry.date
            && (beforeID.map { entry.id < $0 } ?? true)
            && (network.map { network in entry.address.map(network.contains) ?? false } ?? true)
    }
}

/// Whether a question is to end without an answer, for those who look at rows one by one.
final class QuestionEnd: Sendable {
    private let isHere = Atomic(false)

    /// Nobody waits any more, or it has taken too long.
    func come() {
        isHere.store(true, ordering: .relaxed)
    }

    func check() throws {
        if isHere.load(ordering: .relaxed) { throw CancellationError() }
    }
}

/// Keys and passes as numbers: 64 bits of SHA-256 over the text, its account and a random value of the store, so that nobody
/// outside can make two texts that are one number. That two of a hundred million are one by chance has a probability of one in
/// three thousand, that one asked for is another's of one in a hundred thousand million.
struct AttemptHash: Sendable {
    private let start: SHA256

    init(salt: Data) {
        var hash = SHA256()
        hash.update(data: salt)
        start = hash
    }

    func of(_ text: String, accountID: AccountID) -> UInt64 {
        var hash = start
        var account = Int64(accountID.rawValue).littleEndian
        withUnsafeBytes(of: &account) { hash.update(bufferPointer: $0) }
        var text = text
        text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        return hash.finalize().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }
}

/// What attempts are for.
struct AttemptName: Sendable, Hashable, Comparable {
    var accountID: AccountID
    var app: String
    var video: String

    static func < (one: AttemptName, other: AttemptName) -> Bool {
        (one.accountID.rawValue, one.app, one.video) < (other.accountID.rawValue, other.app, other.video)
    }
}

/// What questions look at of a row of the log.
struct AttemptEntry: Sendable {
    var id: Int64
    /// Microseconds since 1970.
    var date: Int64
    /// In the log's `AttemptNames`.
    var name: Int
    var isSuccess: Bool
    var key: UInt64
    var pass: UInt64
    /// nil when what the row has is no address.
    var address: IPAddress?
    var repeats: Int
}

/// How many rows, and how many attempts they stand for.
struct AttemptTally: Sendable, Equatable {
    var rows = 0
    var attempts = 0

    static func += (one: inout AttemptTally, other: AttemptTally) {
        one.rows = one.rows.addingSaturated(other.rows)
        one.attempts = one.attempts.addingSaturated(other.attempts)
    }
}

/// Numbers for names, so that a question matches each name once and not each row.
struct AttemptNames: Sendable {
    private(set) var names: [AttemptName] = []
    private var numbers: [AttemptName: Int] = [:]

    mutating func number(of name: AttemptName) -> Int {
        if let known = numbers[name] { return known }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
    }

    /// For each number whether the question means it.
    func matching(_ question: AttemptQuestion) -> [Bool] {
        names.map(question.matches)
    }
}
