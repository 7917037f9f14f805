import Foundation
import Testing

@Suite("playhouse token") struct TokenCommandTests {
    private static let secret = ["PLAYHOUSE_TOKEN_SECRET": "aabbccddeeff00112233445566778899"]

    private func run(_ arguments: [String], _ environment: [String: String] = secret) async throws -> Program.Outcome {
        let program = try Program()
        defer { program.remove() }
        return try await program.run(["token"] + arguments, environment: environment)
    }

    /// Vectors of the PHP sample; the salted one by the Java sample's rule.
    @Test(
        "A token is made as the known signers make it",
        arguments: [
            (
                ["--ip", "203.0.113.7", "--expires", "1700021600"], "",
                "hdnea=ip=203.0.113.7~exp=1700021600~acl=/*~hmac="
                    + "de086d45792ae367feb22aa62e302b471e0ef83c62134e0852f12759a477ce44"
            ),
            (
                ["--expires", "2023-11-15 04:13:20"], "",
                "hdnea=exp=1700021600~acl=/*~hmac=90267094f45305484e5ed0a846e9652a09bd39cd5593a45d0228a59931add883"
            ),
            (
                ["--expires", "1700021600"], "pepper",
                "hdnea=exp=1700021600~acl=/*~hmac=c9879343a1e8e0f25296070d79bfff350d80a58b2c88f183723a6453ce79a5b2"
            ),
        ])
    func vectors(arguments: [String], salt: String, token: String) async throws {
        let outcome = try await run(
            ["make"] + arguments, Self.secret.merging(["PLAYHOUSE_TOKEN_SALT": salt]) { $1 })
        #expect(outcome == Program.Outcome(code: 0, output: token + "\n", errors: ""))
        let address = try await run(
            ["make"] + arguments + ["--url", "http://h/a?b=c"],
            Self.secret.merging(["PLAYHOUSE_TOKEN_SALT": salt]) { $1 })
        #expect(address.output == "http://h/a?b=c&\(token)\n")
    }

    @Test("Secret and salt may come from files or standard input, and from no option")
    func files() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("aabbccddeeff00112233445566778899\n", to: "secret")
        try program.write("pepper\n", to: "salt")
        let arguments = ["token", "make", "--expires", "1700021600", "--secret-file", "secret"]
        #expect(try await program.run(arguments).output.hasSuffix("add883\n"))
        #expect(try await program.run(arguments + ["--salt-file", "salt"]).output.hasSuffix("79a5b2\n"))
        #expect(try await program.run(arguments + ["--secret", "aabb"]).code == 64)
        try program.write("", to: "empty")
        try program.write("nothexadecimal", to: "bad")
        for (file, reason) in [
            ("missing", "missing: the secret cannot be read"), ("empty", "empty: the secret is empty"),
            ("bad", "the secret is not an even number of 2 to 256 hexadecimal digits"),
        ] {
            let outcome = try await program.run("token", "make", "--secret-file", file)
            #expect(outcome.code == 1 && outcome.output == "")
            #expect(outcome.errors.contains(reason), "\(outcome.errors)")
        }
        let none = try await program.run("token", "make")
        #expect(none.code == 1)
        #expect(none.errors.contains("no secret: set PLAYHOUSE_TOKEN_SECRET or give --secret-file"))
    }

    @Test(
        "What would make another token than was meant is refused",
        arguments: [
            ["--acl", "/a~b"], ["--acl", "/a!/b"], ["--acl", ""], ["--data", "a&b"], ["--id", "a~b"], ["--ip", "x"],
        ])
    func wrongUsage(arguments: [String]) async throws {
        let outcome = try await run(["make"] + arguments)
        #expect(outcome.code == 64 && outcome.output == "")
    }

    @Test("Times that make no sense are refused")
    func wrongTimes() async throws {
        for arguments in [["--expires", "whenever"], ["--start", "+2 hours", "--expires", "+1 hour"]] {
            let outcome = try await run(["make"] + arguments)
            #expect(outcome.code == 1 && outcome.output == "")
        }
    }

    @Test("A token is explained field by field, without a secret as far as that goes")
    func explained() async throws {
        let made = try await run([
            "make", "--ip", "203.0.113.7", "--start", "1700000000", "--expires", "1700021600", "--acl", "/a/*", "--acl",
            "/b", "--id", "7", "--data", "ann",
        ])
        let token = made.output.trimmingCharacters(in: .newlines)
        let outcome = try await run(["explain", token, "--at", "1700000000"], [:])
        #expect(
            outcome.output == """
                name  hdnea        for an address or a cookie
                ip    203.0.113.7  good from this address only
                st    1700000000   good from 2023-11-14 22:13:20 UTC on
                exp   1700021600   good until 2023-11-15 04:13:20 UTC
                acl   /a/* /b      the paths it is good for
                id    7            the signer's session
                data  ann          the signer's own
                hmac  …            not checked without a secret

                """)
        #expect(outcome.code == 0 && outcome.errors == "")
        let good = try await run([
            "explain", "https://h:8080/a/x.m3u8?q=1&\(token)&z=2", "--at", "1700000000", "--ip", "203.0.113.7",
        ])
        #expect(good.code == 0)
        #expect(good.output.contains("acl   /a/* /b      the paths it is good for, /a/x.m3u8 among them\n"))
        #expect(good.output.hasSuffix("hmac  …            signed with this secret\n"))
    }

    @Test("It says why a token is not good")
    func whyNot() async throws {
        let token =
            "hdnea=ip=203.0.113.7~exp=1700021600~acl=/*~hmac="
            + "de086d45792ae367feb22aa62e302b471e0ef83c62134e0852f12759a477ce44"
        let salted = Self.secret.merging(["PLAYHOUSE_TOKEN_SALT": "pepper"]) { $1 }
        let other = ["PLAYHOUSE_TOKEN_SECRET": "00112233445566778899aabbccddeeff"]
        for (arguments, environment, reason) in [
            (["--at", "1700021600"], Self.secret, "NO: ran out 2023-11-15 04:13:20 UTC"),
            (["--at", "1", "--ip", "203.0.113.8"], Self.secret, "NO: not good from 203.0.113.8"),
            (["--at", "1"], other, "NO: not signed with this secret, or changed since"),
            (["--at", "1"], salted, "NO: signed with this secret without the salt"),
        ] {
            let outcome = try await run(["explain", token] + arguments, environment)
            #expect(outcome.code == 1)
            let refusals = outcome.output.split(separator: "\n").filter { $0.contains("NO: ") }
            #expect(refusals.count == 1 && refusals.first?.hasSuffix(reason) == true, "\(outcome.output)")
        }
        let path = try await run(
            [
                "explain", "hdnea=exp=1700021600~acl=/a/*~hmac=00", "--path", "/b/c", "--at", "1",
            ], [:])
        #expect(path.code == 1 && path.output.contains("NO: not good for /b/c"))
        let nonsense = try await run(["explain", "hello"])
        #expect(nonsense.code == 1 && nonsense.errors.contains("this is no token"))
    }
}
