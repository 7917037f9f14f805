import CCrypt
import Crypto
import Foundation

/// Passwords of stream users, kept as bcrypt hashes.
///
/// Both calls take tens of milliseconds of computing, on purpose: run them on a thread pool, never on an event loop.
public enum Password {
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case empty
        /// bcrypt reads no more than 72 bytes; what follows would not be part of the password.
        case tooLong
        /// A NUL would end it early.
        case containsNUL
        case hashingFailed

        public var description: String {
            switch self {
            case .empty: "the password is empty"
            case .tooLong: "the password is longer than \(maximumLength) bytes"
            case .containsNUL: "the password contains a NUL character"
            case .hashingFailed: "the password could not be hashed"
            }
        }
    }

    /// In bytes of UTF-8.
    public static let maximumLength = 72
    /// 2^10 rounds.
    public static let cost: UInt = 10
    /// Of hashes from elsewhere: 2^14 rounds take a second; each more doubles it, and 31 would hold a thread for weeks.
    private static let maximumCost = 14

    /// `$2b$10$` and 53 characters.
    /// - Parameter cost: 4 to 31; each more doubles the time that hashing and every verification take.
    public static func hash(_ password: String, cost: UInt = Password.cost) throws(Failure) -> String {
        guard !password.isEmpty else { throw .empty }
        guard password.utf8.count <= maximumLength else { throw .tooLong }
        guard !password.utf8.contains(0) else { throw .containsNUL }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in CChar(truncatingIfNeeded: Int.random(in: 0...255, using: &generator)) }
        var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        guard crypt_gensalt_rn("$2b$", cost, salt, CInt(salt.count), &setting, CInt(setting.count)) != nil,
            let hash = crypt(password, setting: setting), hash.hasPrefix("$2b$")
        else { throw .hashingFailed }
        return hash
    }

    /// Whether `password` is the one behind `hash` (`$2a$`, `$2b$` or `$2y$`; anything else is false). A wrong password
    /// takes as long as the right one.
    public static func verify(_ password: String, hash: String) -> Bool {
        guard password.utf8.count <= maximumLength, !password.utf8.contains(0), hash.utf8.count == 60,
            ["$2a$", "$2b$", "$2y$"].contains(where: hash.hasPrefix),
            let rounds = Int(hash.dropFirst(4).prefix(2)), rounds <= maximumCost,
            let computed = crypt(password, setting: hash.utf8CString.map { $0 })
        else { return false }
        return constantTimeEquals(computed, hash)
    }

    /// Compares digests of both, so that how long it takes tells nothing of contents or lengths.
    public static func constantTimeEquals(_ one: String, _ other: String) -> Bool {
        SHA256.hash(data: Data(one.utf8)) == SHA256.hash(data: Data(other.utf8))
    }

    private static func crypt(_ password: String, setting: [CChar]) -> String? {
        let size = MemoryLayout<crypt_data>.size
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: size, alignment: MemoryLayout<crypt_data>.alignment)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        defer {
            // The work area holds what the password can be found from.
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            memory.deallocate()
        }
        return crypt_rn(password, setting, memory, CInt(size)).map { String(cString: $0) }
    }
}
