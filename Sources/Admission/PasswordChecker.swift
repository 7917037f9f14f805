import Basics
import Crypto
import Foundation
import NIOPosix
import Storage
import Synchronization

/// Checks passwords against bcrypt hashes on threads of its own: one check takes tens of milliseconds by design.
///
/// So that a crowd of guesses never keeps encoders waiting for long, few checks wait at a time, and fewer of one address. What
/// was right before is known by a keyed digest and waits for nobody: encoders that come back are let in at once.
public final class PasswordChecker: Sendable {
    enum Outcome: Sendable, Equatable {
        case right
        case wrong
        /// Too many checks wait already; nothing was looked at.
        case busy
    }

    private struct State: Sendable {
        var waiting = 0
        var waitingOf: [String: Int] = [:]
        /// Digests of what was right, the least recently used first.
        var right = DueQueue<[UInt8], UInt64>()
        var uses: UInt64 = 0
    }

    private let threads: NIOThreadPool
    private let acceptsHash: Bool
    private let maximumWaiting: Int
    private let maximumPerAddress: Int
    /// Of this process only: the digests are never stored.
    private let key = SymmetricKey(size: .bits256)
    private let state = Mutex(State())
    private static let maximumKnown = 10_000

    /// - Parameters:
    ///   - acceptsHash: whether the stored hash itself passes for the password (`compat.accept_password_hash`).
    ///   - maximumWaiting: checks that wait or run at a time: some seconds of work for one thread.
    ///   - maximumPerAddress: of these, those of one address.
    public init(
        threads: NIOThreadPool, acceptsHash: Bool, maximumWaiting: Int = 64, maximumPerAddress: Int = 8
    ) {
        self.threads = threads
        self.acceptsHash = acceptsHash
        self.maximumWaiting = maximumWaiting
        self.maximumPerAddress = maximumPerAddress
    }

    /// A bcrypt hash that no password has, of the same cost as real ones.
    private static let nobody = "$2b$10$CwTycUXWue0Thq9StjUM0u1f5p3fPzZo8B0oY1kqQ9n7kF3y1J2xK"

    /// - Parameter hash: nil for a user who does not exist: takes as long as one who does.
    func verify(_ password: String, against hash: String?, from address: String) async -> Outcome {
        if acceptsHash, let hash, Password.constantTimeEquals(password, hash) { return .right }
        let digest = hash.map { self.digest(password, $0) }
        if let digest, isKnown(digest) { return .right }
        let customer = IPAddress(address).map { IPNetwork.ofCustomer($0).description } ?? ""
        guard begin(customer) else { return .busy }
        defer { end(customer) }
        let isRight = try? await threads.runIfActive {
            Password.verify(password, hash: hash ?? PasswordChecker.nobody)
        }
        guard let digest, isRight == true else { return .wrong }
        remember(digest)
        return .right
    }

    /// How many checks wait or run.
    var waitingCount: Int {
        state.withLock { $0.waiting }
    }

    private func begin(_ customer: String) -> Bool {
        state.withLock { state in
            guard state.waiting < maximumWaiting, state.waitingOf[customer, default: 0] < maximumPerAddress else {
                return false
            }
            state.waiting += 1
            state.waitingOf[customer, default: 0] += 1
            return true
        }
    }

    private func end(_ customer: String) {
        state.withLock { state in
            state.waiting -= 1
            let left = state.waitingOf[customer, default: 1] - 1
            state.waitingOf[customer] = left > 0 ? left : nil
        }
    }

    /// Of the hash as well, so that a changed password is not right any more.
    private func digest(_ password: String, _ hash: String) -> [UInt8] {
        var authentication = HMAC<SHA256>(key: key)
        authentication.update(data: Data("\(hash.utf8.count):\(hash)\(password)".utf8))
        return Array(authentication.finalize())
    }

    private func isKnown(_ digest: [UInt8]) -> Bool {
        state.withLock { state in
            guard state.right.time(of: digest) != nil else { return false }
            state.uses &+= 1
            state.right.set(digest, state.uses)
            return true
        }
    }

    private func remember(_ digest: [UInt8]) {
        state.withLock { state in
            if state.right.count >= Self.maximumKnown { _ = state.right.popFirst(notAfter: .max) }
            state.uses &+= 1
            state.right.set(digest, state.uses)
        }
    }
}
