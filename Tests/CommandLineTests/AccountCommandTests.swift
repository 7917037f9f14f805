import Foundation
import Testing

@Suite struct AccountCommandTests {
    @Test func `account create prints exactly four members`() async throws {
        let program = try Program()
        defer { program.remove() }
        let outcome = try await program.run("account", "create", "demo", "--cdn", "158", "--json")
        #expect(outcome.code == 0)
        #expect(outcome.errors.hasPrefix("A new database was made in ") && outcome.errors.count { $0 == "\n" } == 1)
        let form = /\{"cdn":158,"user":"demo","api_key":"APX[A-Z0-9]{29}","private_key":"[0-9a-f]{64}"\}\n/
        #expect(outcome.output.wholeMatch(of: form) != nil)
    }

    @Test func `accounts are kept in the configured folder, numbered from 1`() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("storage.path: data\n", to: "c.yaml")
        try await program.run("account", "create", "second", "--cdn", "2", "--config", "c.yaml", "--json")
        try await program.run("account", "create", "first", "--config", "c.yaml", "--json")
        try await program.run("account", "create", "third", environment: ["PLAYHOUSE_CONFIG": "c.yaml"])
        let list = try await program.run("account", "list", "--json", "--config", "c.yaml").output
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [[String: Any]])
        #expect(rows.map { $0["user"] as? String } == ["first", "second", "third"])
        #expect(rows.map { $0["cdn"] as? Int } == [1, 2, 3])
        #expect(rows.allSatisfy { $0["suspension"] is NSNull })
        #expect(FileManager.default.fileExists(atPath: program.folder.appendingPathComponent("data").path))
    }

    @Test(
        "A command that looks at a database where there is none says so and makes none",
        arguments: [
            ["account", "list"], ["account", "suspend", "demo", "--reason", "x"], ["account", "resume", "demo"],
            ["account", "delete", "demo", "--yes"],
            ["key", "list", "demo"],
            ["key", "create", "demo"], ["key", "revoke", "APX"],
        ])
    func noDatabase(arguments: [String]) async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("storage.path: data\n", to: "c.yaml")
        let outcome = try await program.run(arguments + ["--config", "c.yaml"])
        #expect(outcome.code == 1)
        #expect(
            outcome.errors
                == "Error: storage.path \(program.folder.path)/data: there is no database; is this the server's configuration?\n"
        )
        #expect(!FileManager.default.fileExists(atPath: program.folder.appending(path: "data").path))
    }

    @Test("A database that is made is said to be, once")
    func newDatabase() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("storage.path: data\n", to: "c.yaml")
        let first = try await program.run("account", "create", "demo", "--config", "c.yaml")
        #expect(first.errors == "A new database was made in \(program.folder.path)/data.\n")
        #expect(try await program.run("account", "create", "other", "--config", "c.yaml").errors == "")
    }

    @Test(
        "A store that cannot be opened is named with its key, its place, who tried, and why",
        arguments: [["account", "list"], ["account", "create", "demo"], ["key", "list", "demo"], ["serve"]])
    func unusableStore(command: [String]) async throws {
        let program = try Program()
        defer { program.remove() }
        let place = program.folder.path
        try program.write("none", to: "file")
        func run(_ path: String) async throws -> Program.Outcome {
            let environment = [
                "PLAYHOUSE_STORAGE_PATH": path, "PLAYHOUSE_HTTP_LISTEN": "127.0.0.1:0",
                "PLAYHOUSE_RTMP_LISTEN": "127.0.0.1:0",
            ]
            return switch command.count {
            case 1: try await program.run(command[0], environment: environment)
            case 2: try await program.run(command[0], command[1], environment: environment)
            default: try await program.run(command[0], command[1], command[2], environment: environment)
            }
        }
        func failure(_ path: String, _ reason: String) -> Program.Outcome {
            .init(code: 1, output: "", errors: "Error: storage.path \(path): the store failed: \(reason)\n")
        }
        let file = place + "/file"
        #expect(try await run(file) == failure(file, "\(file) is not a folder"))
        #expect(
            try await run(file + "/data")
                == failure(
                    file + "/data", "the folder \(file)/data cannot be created by uid \(getuid()): Not a directory"))
        let folder = place + "/damaged"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try program.write(String(repeating: "no database ", count: 1_000), to: "damaged/playhouse.sqlite")
        #expect(
            try await run(folder)
                == failure(folder, "\(folder)/playhouse.sqlite: SQLite 26, file is not a database"))
    }

    @Test func `a name or number that is taken is refused`() async throws {
        let program = try Program()
        defer { program.remove() }
        try await program.run("account", "create", "demo", "--cdn", "7")
        let name = try await program.run("account", "create", "demo")
        #expect(name == .init(code: 1, output: "", errors: "Error: the account demo exists already, with CDN 7\n"))
        let number = try await program.run("account", "create", "other", "--cdn", "7")
        #expect(number == .init(code: 1, output: "", errors: "Error: CDN 7 is taken by the account demo\n"))
    }

    @Test(arguments: [
        ["a"], ["Demo"], ["1demo"], ["demo-x"], ["demo_x"], ["démo"], [String(repeating: "a", count: 33)],
        ["demo", "--cdn", "0"],
        ["demo", "--cdn", "x"],
    ])
    func `a wrong name or number is wrong usage`(arguments: [String]) async throws {
        let program = try Program()
        defer { program.remove() }
        let accountID = arguments.count > 1 ? arguments[2] : "1"
        #expect(try await program.run("account", "create", arguments[0], "--cdn", accountID).code == 64)
    }

    @Test func `suspend and resume`() async throws {
        let program = try Program()
        defer { program.remove() }
        try await program.run("account", "create", "demo")
        #expect(try await program.run("account", "suspend", "demo", "--reason", "The invoice is unpaid").code == 0)
        #expect(
            try await program.run("account", "list", "--json").output.contains(
                "\"suspension\":\"The invoice is unpaid\""))
        #expect(try await program.run("account", "resume", "demo").code == 0)
        #expect(try await program.run("account", "list", "--json").output.contains("\"suspension\":null"))
        let nobody = try await program.run("account", "suspend", "nobody", "--reason", "x")
        #expect(nobody == .init(code: 1, output: "", errors: "Error: there is no account nobody\n"))
        #expect(try await program.run("account", "suspend", "demo").code == 64)
    }

    @Test("An account is deleted when it is said twice, and its number is never given again")
    func deletion() async throws {
        let program = try Program()
        defer { program.remove() }
        try await program.run("account", "create", "demo", "--cdn", "1")
        try await program.run("key", "create", "demo")
        try await program.run("account", "create", "other", "--cdn", "2")
        let counts = "2 API keys, 0 streams, 0 stream users, 0 tickets, 0 stored pushes"
        #expect(
            try await program.run("account", "delete", "demo")
                == .init(
                    code: 1, output: "demo (CDN 1) has \(counts), and its logs and usage.\n",
                    errors:
                        "Error: nothing was deleted; all of this goes for good with: playhouse account delete demo --yes\n"
                ))
        #expect(try await program.run("account", "list", "--json").output.contains("\"user\":\"demo\""))
        #expect(
            try await program.run("account", "delete", "demo", "--yes")
                == .init(code: 0, output: "demo (CDN 1) is deleted, with \(counts)\n", errors: ""))
        let nobody = Program.Outcome(code: 1, output: "", errors: "Error: there is no account demo\n")
        #expect(try await program.run("account", "delete", "demo", "--yes") == nobody)
        #expect(try await program.run("key", "list", "demo") == nobody)
        #expect(
            try await program.run("account", "create", "third", "--cdn", "1")
                == .init(
                    code: 1, output: "",
                    errors:
                        "Error: CDN 1 was the number of an account that is deleted, and is not given again\n"))
        #expect(try await program.run("account", "create", "demo", "--json").output.hasPrefix("{\"cdn\":3,"))
    }

    @Test func `keys are created, listed without their secret, and revoked once`() async throws {
        let program = try Program()
        defer { program.remove() }
        try await program.run("account", "create", "demo", "--cdn", "3")
        let created = try await program.run("key", "create", "demo", "--rights", "tickets", "--label", "shop", "--json")
            .output
        let object = try #require(try JSONSerialization.jsonObject(with: Data(created.utf8)) as? [String: Any])
        let key = try #require(object["api_key"] as? String)
        let secret = try #require(object["private_key"] as? String)
        #expect(object["rights"] as? String == "tickets")
        let list = try await program.run("key", "list", "demo", "--json").output
        #expect(list.contains("\"api_key\":\"\(key)\",\"rights\":\"tickets\",\"label\":\"shop\""))
        #expect(!list.contains(secret))
        #expect(try await program.run("key", "revoke", key).code == 0)
        #expect(try await program.run("key", "revoke", key).code == 1)
        #expect(try await program.run("key", "create", "demo", "--rights", "all").code == 64)
    }

    @Test func `a profile is written for its owner alone and never over another`() async throws {
        let program = try Program()
        defer { program.remove() }
        let path = program.folder.appendingPathComponent("keys/demo.yaml").path
        let outcome = try await program.run(
            "account", "create", "demo", "--profile", path, environment: ["PLAYHOUSE_HTTP_LISTEN": "[::]:9090"])
        #expect(outcome.code == 0)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("\nurl: http://127.0.0.1:9090/stable/\ncdn: 1\napi_key: APX"))
        let secret = try #require(text.firstMatch(of: /private_key: "([0-9a-f]{64})"/)).1
        #expect(!outcome.output.contains(secret))
        let again = try await program.run("account", "create", "other", "--profile", path)
        #expect(again.errors == "Error: \(path) exists already; give --overwrite to replace it\n")
        #expect(again.code == 1)
        #expect(!(try await program.run("account", "list", "--json").output.contains("other")))
    }
}
