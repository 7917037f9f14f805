import Storage
import Testing

@Suite("Passwords that others hashed")
struct ForeignPasswordTests {
    /// Test vectors of crypt_blowfish, and what PHP's `password_hash` made with cost 10.
    private static let foreign: [(String, String)] = [
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ("correct horse", "$2y$10$8x/ZoNnHMCJr09q2Qu1V3Ow4TLmb6hyaNL362Ca6ujB333ildgvKO"),
    ]

    @Test("Hashes that other programs made are understood", arguments: foreign)
    func understood(password: String, hash: String) {
        #expect(Password.verify(password, hash: hash))
        #expect(!Password.verify(password + "x", hash: hash))
    }

    @Test("A NUL in what is presented ends nothing early")
    func presentedNUL() throws {
        #expect(!Password.verify("ab\u{0}cd", hash: try Password.hash("ab")))
    }

    private static let nonsense = [
        "$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$!!!!!!!!!!!!!!!!!!!!!.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        // 2^31 rounds would take weeks.
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ]

    @Test("What looks like a hash and is none, or costs too much to check, verifies nothing", arguments: nonsense)
    func nonsenseHash(hash: String) {
        #expect(!Password.verify("U*U", hash: hash))
        #expect(!Password.verify(hash, hash: hash))
    }

    @Test("Texts are compared whole")
    func compared() {
        #expect(Password.constantTimeEquals("", ""))
        #expect(Password.constantTimeEquals("abc", "abc"))
        #expect(!Password.constantTimeEquals("abc", "abd"))
        #expect(!Password.constantTimeEquals("abc", "abcd"))
        #expect(!Password.constantTimeEquals("abc", ""))
    }
}
