import NIOPosix
import Storage

/// Checks passwords against bcrypt hashes on threads of its own: one check takes tens of milliseconds by design.
public struct PasswordChecker: Sendable {
    private let threads: NIOThreadPool
    private let acceptsHash: Bool

    /// - Parameter acceptsHash: whether the stored hash itself passes for the password (`compat.accept_password_hash`).
    public init(threads: NIOThreadPool, acceptsHash: Bool) {
        self.threads = threads
        self.acceptsHash = acceptsHash
    }

    /// A bcrypt hash that no password has, of the same cost as real ones.
    private static let nobody = "$2b$10$CwTycUXWue0Thq9StjUM0u1f5p3fPzZo8B0oY1kqQ9n7kF3y1J2xK"

    func verify(_ password: String, against hash: String?) async -> Bool {
        if acceptsHash, let hash, Password.constantTimeEquals(password, hash) { return true }
        let isRight = try? await threads.runIfActive {
            Password.verify(password, hash: hash ?? PasswordChecker.nobody)
        }
        return hash != nil && isRight == true
    }
}
