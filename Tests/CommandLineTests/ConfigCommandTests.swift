import Foundation
import TestSupport
import Testing

@Suite struct ConfigCommandTests {
    static let bad = "http:\n  lisen: 1\nhls.window: two\n"
    static let complaints = """
        c.yaml:2: http.lisen: unknown key; did you mean http.listen?
        c.yaml:3: hls.window: expected a whole number from 3 to 120, found "two"

        """

    @Test(arguments: [["config", "check"], ["serve"], ["account", "list"], ["key", "list", "demo"]])
    func `every command that needs the settings says all that is wrong and ends with 78`(command: [String]) async throws
    {
        let program = try Program()
        defer { program.remove() }
        try program.write(Self.bad, to: "c.yaml")
        let environment = ["PLAYHOUSE_CONFIG": "c.yaml"]
        let outcome =
            switch command.count {
            case 1: try await program.run(command[0], environment: environment)
            case 2: try await program.run(command[0], command[1], environment: environment)
            default: try await program.run(command[0], command[1], command[2], environment: environment)
            }
        #expect(outcome == .init(code: 78, output: "", errors: Self.complaints))
    }

    @Test func `config check --json`() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("hls.window: two\n", to: "c.yaml")
        let outcome = try await program.run("config", "check", "--config", "c.yaml", "--json")
        #expect(outcome.code == 78)
        #expect(
            outcome.output == """
                {"valid":false,"problems":[{"code":"value","origin":"c.yaml:1","key":"hls.window","message":"expected a whole \
                number from 3 to 120, found \\"two\\""}],"warnings":[]}

                """)
        #expect(
            try await program.run("config", "check", "--json").output == """
                {"valid":true,"problems":[],"warnings":["usher.country_database: there is none, so lists of countries admit nobody"]}

                """)
    }

    @Test func `a variable nobody knows stops the start`() async throws {
        let program = try Program()
        defer { program.remove() }
        let outcome = try await program.run("serve", environment: ["PLAYHOUSE_HTTP_LISTN": "x"])
        #expect(
            outcome.errors == """
                PLAYHOUSE_HTTP_LISTN: no setting has this environment variable; did you mean PLAYHOUSE_HTTP_LISTEN?

                """)
        #expect(outcome.code == 78)
    }

    @Test func `the printed defaults pass the check`() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write(try await program.run("config", "print-default").output, to: "c.yaml")
        let outcome = try await program.run("config", "check", "--config", "c.yaml")
        #expect(
            outcome
                == .init(
                    code: 0,
                    output:
                        "c.yaml: ok\nnote: usher.country_database: there is none, so lists of countries admit nobody\n",
                    errors: ""))
    }

    @Test("The check says whether the country database can be read, beside the configuration's folder")
    func countryDatabase() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write("usher.country_database: countries.mmdb\n", to: "c.yaml")
        let path = program.folder.appending(path: "countries.mmdb").path
        func check() async throws -> Program.Outcome { try await program.run("config", "check", "--config", "c.yaml") }
        #expect(
            try await check()
                == .init(
                    code: 0,
                    output:
                        "c.yaml: ok\nnote: usher.country_database: \(path): No such file or directory; until it can be read, "
                        + "lists of countries admit nobody\n", errors: ""))
        try program.write("text", to: "countries.mmdb")
        #expect(try await check().output.contains("note: usher.country_database: \(path): it is no MaxMind DB: "))
        try CountryFile.write([CountryFile.v4(192, 0, 2, 0, prefix: 24, "DE")], to: path)
        #expect(try await check() == .init(code: 0, output: "c.yaml: ok\n", errors: ""))
        // Of several each is named.
        try program.write("usher.country_database: [a.mmdb, countries.mmdb, /none/b.mmdb]\n", to: "c.yaml")
        let folder = program.folder.path
        let notes = ["\(folder)/a.mmdb", "/none/b.mmdb"].map {
            "note: usher.country_database: \($0): No such file or directory; until it can be read, "
                + "lists of countries admit nobody whom no other one knows\n"
        }
        #expect(try await check() == .init(code: 0, output: "c.yaml: ok\n" + notes.joined(), errors: ""))
    }

    @Test func `a file that is not there`() async throws {
        let program = try Program()
        defer { program.remove() }
        let outcome = try await program.run("config", "check", "--config", "nowhere.yaml")
        #expect(outcome == .init(code: 78, output: "", errors: "nowhere.yaml: cannot be read: there is no such file\n"))
    }

    @Test func `wrong usage is 64, help and version are 0`() async throws {
        let program = try Program()
        defer { program.remove() }
        #expect(try await program.run("serve", "--cofnig", "x").code == 64)
        #expect(try await program.run("dance").code == 64)
        #expect(try await program.run("call", "--help").code == 0)
        let version = try await program.run("version", "--json").output
        #expect(version.wholeMatch(of: /\{"name":"playhouse","version":"\d+\.\d+\.\d+"\}\n/) != nil)
    }
}

extension ConfigCommandTests {
    @Test("config check says what is wrong with certificates and keys, and the server does not start with them")
    func certificates() async throws {
        let program = try Program()
        defer { program.remove() }
        let folder = try Folder()
        let good = try await TestCertificate("good", in: folder)
        let other = try await TestCertificate("other", in: folder)
        let soon = try await TestCertificate("soon", days: 5, in: folder)
        let expired = try await TestCertificate(
            "expired", span: ("20200101000000Z", "20200102000000Z"), in: folder)

        try program.write(
            """
            https:
              listen: 127.0.0.1:0
              certificate: [\(good.certificate), \(folder.file("none.pem"))]
              key: [\(other.key), \(good.key)]
            rtmps:
              listen: 127.0.0.1:0
              certificate: \(expired.certificate)
              key: \(expired.key)
            """, to: "c.yaml")
        let key = "https.key: \(other.key): the key does not fit the first certificate in \(good.certificate)\n"
        let outcome = try await program.run("config", "check", "--config", "c.yaml")
        #expect(outcome.code == 78)
        #expect(
            outcome.errors == """
                c.yaml: \(key)c.yaml: https.certificate: \(folder.file("none.pem")): No such file or directory
                c.yaml: rtmps.certificate: \(expired.certificate): the certificate has expired on 2020-01-02

                """)
        let json = try await program.run("config", "check", "--config", "c.yaml", "--json")
        #expect(json.code == 78)
        #expect(
            json.output.hasPrefix(
                #"{"valid":false,"problems":[{"code":"certificate","origin":"c.yaml","key":"https.key","#))
        try program.write(
            """
            http.listen: 127.0.0.1:0
            rtmp.listen: 127.0.0.1:0
            https.listen: 127.0.0.1:0
            https.certificate: \(good.certificate)
            https.key: \(other.key)
            storage.path: \(folder.path)/data
            """, to: "c.yaml")
        let start = try await program.run("serve", "--config", "c.yaml")
        #expect(start.code == 1)
        #expect(start.errors.hasSuffix("Error: \(key)"), "\(start.errors)")

        try program.write(
            """
            https.listen: 127.0.0.1:0
            https.certificate: \(soon.certificate)
            https.key: \(soon.key)
            """, to: "c.yaml")
        let near = try await program.run("config", "check", "--config", "c.yaml")
        #expect(near.code == 0)
        #expect(near.output.contains("note: https.certificate: \(soon.certificate): the certificate expires on 20"))
    }
}
