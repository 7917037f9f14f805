import Foundation
import TestSupport
import Testing

/// `playhouse call` against a server in Python that checks the signature with Python's own means.
@Suite struct CallCommandTests {
    static let secret = String(repeating: "0123456789abcdef", count: 4)

    static let server = """
        import base64, hashlib, hmac, http.server, json, ssl, sys, urllib.parse

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                (field, text), = urllib.parse.parse_qsl(body, strict_parsing=True)
                call = json.loads(text)
                signature = call.pop('signature')
                signed = text[:text.rindex(',"signature"')] + '}'
                digest = hmac.new(b'\(secret)', signed.encode(), hashlib.sha256).digest()
                ok = base64.b64encode(digest).decode() == signature and call['command'] != 'fail.now'
                call.pop('timestamp')
                status = 'success' if ok else 'failure'
                reply = json.dumps({'status': status, 'field': field, 'path': 'a/b', 'call': call, 'none': []})
                reply = reply.replace('/', '\\\\/').encode()
                if field == 'php':
                    reply = ('a:1:{s:6:"status";s:7:"%s";}' % status).encode()
                self.send_response(200)
                self.send_header('Content-Length', str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)
            def log_message(self, *arguments):
                pass

        server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
        if len(sys.argv) > 1:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_port, flush=True)
        server.serve_forever()
        """

    @Test("The help of call names every command")
    func helpNamesCommands() async throws {
        let program = try Program()
        defer { program.remove() }
        let help = try await program.run(["call", "--help"])
        #expect(help.code == 0)
        #expect(help.output.contains("  sevu.request sevu.status sevu.revoke "))
        #expect(help.output.contains("  pushpublish.add pushpublish.update "))
        #expect(help.output.contains("  log.origin\n"))
    }

    /// Starts the server, writes a profile for it, and ends the server afterwards.
    /// - Parameter certificate: files of a certificate and its key, with which the server speaks TLS.
    private func withServer(
        certificate: (file: String, key: String)? = nil, _ body: (Program) async throws -> Void
    ) async throws {
        let program = try Program()
        defer { program.remove() }
        let server = try ForeignProgram(
            ["/usr/bin/python3", "-c", Self.server] + (certificate.map { [$0.file, $0.key] } ?? []))
        try await eventually("the server's port") { server.output.hasSuffix("\n") }
        let port = try #require(Int(server.output.trimmingCharacters(in: .newlines)))
        try program.write(
            """
            url: \(certificate == nil ? "http://127.0.0.1" : "https://localhost"):\(port)/stable/
            cdn: 158
            api_key: APXTEST
            private_key: \(Self.secret)

            """, to: "profile.yaml")
        try await body(program)
        server.kill()
    }

    @Test func `signs, sends and prints`() async throws {
        try await withServer { program in
            let outcome = try await program.run(
                "call", "later.command", "app=demo-origin", "video=a/é=b", "uses=5", "list:=[1,{\"x\":null}]",
                "--json-fields",
                "{\"first\":true}", "--profile", "profile.yaml")
            #expect(outcome.errors == "")
            #expect(outcome.code == 0)
            #expect(
                outcome.output == """
                    {
                      "status": "success",
                      "field": "json",
                      "path": "a/b",
                      "call": {
                        "command": "later.command",
                        "api_key": "APXTEST",
                        "cdn": 158,
                        "first": true,
                        "app": "demo-origin",
                        "video": "a/\\u00e9=b",
                        "uses": "5",
                        "list": [
                          1,
                          {
                            "x": null
                          }
                        ]
                      },
                      "none": []
                    }

                    """)
        }
    }

    @Test(
        "A field that the command does not know is refused before anything is sent, with the one that was meant",
        arguments: [
            ("sevu.request", "vidoe", "sevu.request has no field vidoe; did you mean video?"),
            ("sevu.request", "expiry", "sevu.request has no field expiry; did you mean expire?"),
            ("sevu.attempts", "filter", "sevu.errorlog has no field filter"),
            ("app.list", "app", "app.list has no field app"),
        ])
    func unknownFields(command: String, field: String, message: String) async throws {
        let program = try Program()
        defer { program.remove() }
        let outcome = try await program.run("call", command, "\(field)=1", "--profile", "none.yaml")
        #expect(outcome.code == 64)
        #expect(outcome.errors.split(separator: "\n").first.map(String.init) == "Error: \(message)")
    }

    @Test("Commands that change something are sent with an id of their own, which may be given")
    func requestID() async throws {
        try await withServer { program in
            func sent(_ arguments: String...) async throws -> String {
                let outcome = try await program.run(["call"] + arguments + ["--raw", "--profile", "profile.yaml"])
                #expect(outcome.code == 0)
                let match = outcome.output.firstMatch(of: /"request_id": "([^"]*)"/)
                return match.map { String($0.1) } ?? ""
            }
            let ids = [
                try await sent("stream.close", "app=demo-origin", "stream=s"),
                try await sent("stream.close", "app=demo-origin", "stream=s"),
            ]
            #expect(ids.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{1,16}/) != nil } && Set(ids).count == 2)
            #expect(try await sent("stream.close", "app=demo-origin", "stream=s", "request_id=mine") == "mine")
            #expect(try await sent("app.list") == "")
        }
    }

    @Test func `a failure is printed and ends with 1`() async throws {
        try await withServer { program in
            let outcome = try await program.run(
                "call", "fail.now", "--raw", environment: ["PLAYHOUSE_PROFILE": "profile.yaml"])
            #expect(outcome.code == 1)
            #expect(outcome.errors == "")
            #expect(outcome.output.hasPrefix("{\"status\": \"failure\", \"field\": \"json\", \"path\": \"a\\/b\""))
        }
    }

    @Test func `PHP replies`() async throws {
        try await withServer { program in
            let good = try await program.run("call", "app.list", "--php", "--profile", "profile.yaml")
            #expect(good == .init(code: 0, output: "a:1:{s:6:\"status\";s:7:\"success\";}\n", errors: ""))
            let bad = try await program.run("call", "fail.now", "--php", "--profile", "profile.yaml")
            #expect(bad == .init(code: 1, output: "a:1:{s:6:\"status\";s:7:\"failure\";}\n", errors: ""))
        }
    }

    @Test("A server behind a private authority is trusted where the profile names the authority's certificate")
    func privateAuthority() async throws {
        let folder = try Folder()
        let certificate = (file: folder.file("server.pem"), key: folder.file("server.key"))
        func authority(_ name: String) async throws {
            try await ForeignProgram.output(of: [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "2", "-subj", "/CN=\(name)", "-keyout", folder.file("\(name).key"), "-out", folder.file("\(name).pem"),
            ])
        }
        try await authority("ours")
        try await authority("another")
        try await ForeignProgram.output(of: [
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", certificate.key, "-out",
            folder.file("request.pem"),
        ])
        try await ForeignProgram.output(of: [
            "openssl", "x509", "-req", "-in", folder.file("request.pem"), "-CA", folder.file("ours.pem"), "-CAkey",
            folder.file("ours.key"), "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out",
            certificate.file,
        ])
        try await withServer(certificate: certificate) { program in
            let plain = try String(contentsOf: program.folder.appendingPathComponent("profile.yaml"), encoding: .utf8)
            let address = try #require(plain.firstMatch(of: /https:\S+/)?.output)
            func call(_ line: String) async throws -> Program.Outcome {
                try program.write(plain + line, to: "keys.yaml")
                return try await program.run("call", "app.list", "--php", "--profile", "keys.yaml")
            }
            let success = Program.Outcome(code: 0, output: "a:1:{s:6:\"status\";s:7:\"success\";}\n", errors: "")
            #expect(try await call("ca_file: \(folder.file("ours.pem"))\n") == success)
            // Relative to the profile, not to where the command is run.
            try FileManager.default.createDirectory(
                at: program.folder.appendingPathComponent("keys"), withIntermediateDirectories: false)
            try program.write(String(contentsOfFile: folder.file("ours.pem"), encoding: .utf8), to: "keys/ca.pem")
            try program.write(plain + "ca_file: ca.pem\n", to: "keys/profile.yaml")
            #expect(try await program.run("call", "app.list", "--php", "--profile", "keys/profile.yaml") == success)

            let failure = "Error: \(address) cannot be reached: no TLS connection: the certificate is not "
            let without = try await call("")
            #expect(without.code == 1)
            #expect(
                without.errors.hasPrefix(
                    failure + "trusted by this machine (ca_file in the profile names others)"), "\(without.errors)")
            let other = try await call("ca_file: \(folder.file("another.pem"))\n")
            #expect(other.code == 1)
            #expect(
                other.errors.hasPrefix(failure + "signed by one in \(folder.file("another.pem"))"), "\(other.errors)")
        }
    }

    @Test func `a profile that others may read is refused`() async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write(
            "url: http://127.0.0.1:1/stable/\ncdn: 1\napi_key: A\nprivate_key: B\n", to: "p.yaml", mode: 0o640)
        let outcome = try await program.run("call", "app.list", "--profile", "p.yaml")
        #expect(outcome.code == 1)
        #expect(
            outcome.errors == """
                Error: others may read the keys in p.yaml: run chmod 600 on it, or give --insecure-profile

                """)
        let unreachable = try await program.run("call", "app.list", "--profile", "p.yaml", "--insecure-profile")
        #expect(unreachable.code == 1)
        #expect(
            unreachable.errors == """
                Error: http://127.0.0.1:1/stable/ cannot be reached: nothing listens there; is `playhouse serve` running?

                """)
    }

    @Test(arguments: [
        ("url: ftp://x/\ncdn: 1\napi_key: A\nprivate_key: hidden\n", "p.yaml: url: expected an http or https address"),
        ("url: http://x/\ncdn: one\napi_key: A\nprivate_key: hidden\n", "p.yaml: cdn: expected a whole number"),
        ("url: http://x/\ncdn: 1\nprivate_key: hidden\n", "p.yaml: api_key is missing"),
        (
            "url: http://x/\nhidden: 1\n",
            "p.yaml:2: expected one of url, cdn, api_key, private_key, ca_file with its value"
        ),
        (
            "url: https://x/\ncdn: 1\napi_key: A\nprivate_key: hidden\nca_file: nowhere.pem\n",
            "p.yaml: ca_file: nowhere.pem cannot be read: No such file or directory"
        ),
        (
            "url: https://x/\ncdn: 1\napi_key: A\nprivate_key: hidden\nca_file: p.yaml\n",
            "p.yaml: ca_file: p.yaml holds no certificate in PEM form"
        ),
        (
            "url: http://x/\ncdn: 1\napi_key: A\nprivate_key: hidden\nca_file: p.yaml\n",
            "p.yaml: ca_file: url is no https address, so there is no certificate to be checked"
        ),
        ("hidden", "p.yaml is not a profile"),
    ])
    func `a wrong profile is explained without its content`(text: String, message: String) async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write(text, to: "p.yaml")
        let outcome = try await program.run("call", "app.list", "--profile", "p.yaml")
        #expect(outcome.code == 1)
        #expect(outcome.errors.hasPrefix("Error: \(message)"))
        #expect(!outcome.errors.contains("hidden"))
    }

    @Test(arguments: [
        ("novalue", "\"novalue\": expected field=value, or field:=json"),
        ("=x", "\"=x\": expected field=value, or field:=json"), ("x:=[", "x: not JSON: "),
        ("api_key=x", "api_key is not a field: it comes from the profile and the command"),
        ("a=2", "the field a is given twice"),
    ])
    func `a wrong field is wrong usage`(field: String, message: String) async throws {
        let program = try Program()
        defer { program.remove() }
        let outcome = try await program.run("call", "app.list", "a=1", field)
        #expect(outcome.code == 64)
        #expect(outcome.errors.hasPrefix("Error: \(message)"))
    }
}
