import Basics
import ControlAPI
import Foundation
import TestSupport
import Testing

/// The signed API over HTTP, called by clients in the languages people write them in.
@Suite(.serialized) struct SignatureTests {
    private struct Scene {
        let origin: OriginProcess
        let account: TestAccount

        init() async throws {
            origin = try await OriginProcess()
            account = try await origin.account()
        }

        func run(_ program: String, _ fixture: String, name: String = "") async throws -> ProgramResult {
            try await ForeignProgram.run(
                [program, Fixture.path(fixture)],
                environment: [
                    "URL": account.url, "CDN": "\(account.keys.accountID)", "API_KEY": account.keys.apiKey,
                    "PRIVATE_KEY": account.keys.privateKey, "NAME": name,
                ])
        }

        func services() async throws -> [JSONObject] {
            let reply = try await account.succeed("pushpublish.services")
            return reply["services"]?.arrayValue?.compactMap(\.objectValue) ?? []
        }
    }

    @Test(
        "A signature is understood as each language makes it",
        arguments: [
            ("php", "sign.php", "****-php"), ("ruby", "sign.rb", "****ruby"), ("perl", "sign.pl", "****perl"),
            ("python3", "sign.py", "****thon"),
        ])
    func aSignatureIsUnderstoodAsItsLanguageMakesIt(program: String, fixture: String, key: String) async throws {
        let scene = try await Scene()
        let name = "Übertragung / \(program) \"日本\" 😀"
        let result = try await scene.run(program, fixture, name: name)
        #expect(result.status == 0, "\(result.errors)")
        let replies = try result.text.split(separator: "\n").map { line in
            try #require(try JSONParser.parse(Array(line.utf8)).root.objectValue)
        }
        #expect(replies.map { $0["code"] } == [2300, 2303], "\(result.text)")
        #expect(replies.allSatisfy { $0["status"] == "success" })
        let found = replies.last?["services"]?.arrayValue?.compactMap(\.objectValue) ?? []
        #expect(found.map { $0["name"] } == [.string(name)])
        #expect(found.first?.string("url") == "rtmp://203.0.113.9/live/a/\(key)")
        #expect(try await scene.services() == found)
    }

    @Test("PHP reads a reply in its own format")
    func phpReadsAReplyInItsOwnFormat() async throws {
        let scene = try await Scene()
        for name in ["Straße", "\"quoted\"; s:4:\"x\""] {
            try await scene.account.succeed(
                "pushpublish.add", ["service_name": "rtmp", "name": .string(name), "url": "rtmp://203.0.113.9/live/k"])
        }
        let result = try await scene.run("php", "sign-serialized.php")
        #expect(
            result.text == """
                text/plain; charset=utf-8
                code,message,status,services,handle_time
                integer boolean NULL Straße
                integer boolean NULL "quoted"; s:4:"x"

                """)
    }

    @Test("A wrong signature is refused")
    func aWrongSignatureIsRefused() async throws {
        let scene = try await Scene()
        var keys = scene.account.keys
        keys.privateKey = String(keys.privateKey.reversed())
        let reply = try await scene.account.send(keys.text(command: "app.list", now: Date()))
        #expect(reply.status == 200)
        #expect(
            reply.text.hasPrefix(
                #"{"code":3,"message":"Failed HMAC-SHA256 Signature. Please check your private key","status":"failure","#
            ))
        let late = scene.account.keys.text(command: "app.list", now: Date(timeIntervalSinceNow: -400))
        #expect(try await scene.account.send(late).text.hasPrefix(#"{"code":2,"#))
    }

    @Test("Every path of the API answers", arguments: ["/stable/", "/stable", "/dev/", "/dev"])
    func everyPathAnswers(path: String) async throws {
        let scene = try await Scene()
        let text = scene.account.keys.text(command: "app.list", now: Date())
        let reply = try await scene.account.send(text, path: path)
        #expect(reply.status == 200)
        #expect(reply.text.hasPrefix(#"{"code":2702,"#))

        let address = scene.account.url.replacing("/stable/", with: path)
        let get = try await HTTPGet(address)
        #expect(get.status == 405)
        #expect(get.headers["allow"] == "POST")

        let large = try await scene.account.send(String(repeating: " ", count: 2 << 20), path: path)
        #expect(large.status == 413)
        let full = try await scene.account.send(
            String(repeating: " ", count: (1 << 20) - text.utf8.count) + text, path: path)
        #expect(full.status == 200)
        #expect(full.text.hasPrefix(#"{"code":2702,"#))
    }

    @Test("A request that was captured and is sent again changes nothing")
    func aCapturedRequestChangesNothing() async throws {
        let scene = try await Scene()
        let text = scene.account.keys.text(
            command: "pushpublish.add",
            fields: ["service_name": "rtmp", "name": "once", "url": "rtmp://203.0.113.9/live/k"], now: Date())
        let first = try await scene.account.send(text)
        #expect(first.text.hasPrefix(#"{"code":2300,"#))
        // In another form as well, and after a restart.
        #expect(try await scene.account.send(text).text == first.text)
        let form = try await ForeignProgram.run(
            ["curl", "-s", "--form", "json=<-", scene.account.url], input: Data(text.utf8))
        #expect(form.text == first.text)
        #expect(try await scene.origin.stop().status == 0)
        let origin = try await OriginProcess(
            folder: scene.origin.folder, ports: (http: scene.origin.httpPort, rtmp: scene.origin.rtmpPort))
        #expect(try await scene.account.send(text).text == first.text)
        #expect(try await scene.services().map { $0["name"] } == ["once"])

        // All at once: still one.
        let raced = scene.account.keys.text(
            command: "pushpublish.add",
            fields: ["service_name": "rtmp", "name": "raced", "url": "rtmp://203.0.113.9/live/k"], now: Date())
        let account = scene.account
        let replies = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 1...20 { group.addTask { try await account.send(raced).text } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(replies.count == 1)
        #expect(try await scene.services().map { $0["name"] } == ["once", "raced"])
        try await origin.stop()
    }

    @Test("The command line signs with a profile")
    func theCommandLineSignsWithAProfile() async throws {
        let scene = try await Scene()
        let keys = scene.account.keys
        let profile = try scene.origin.folder.write(
            """
            url: \(scene.account.url)
            cdn: \(keys.accountID)
            api_key: \(keys.apiKey)
            private_key: "\(keys.privateKey)"
            """, to: "profile.yaml")
        let call = [Places.playhouse, "call", "--raw", "--profile", profile]
        let exposed = try await ForeignProgram.run(call + ["app.list"])
        #expect(exposed.status != 0)
        #expect(exposed.errors.contains("others may read the keys"))

        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: profile)
        let added = try await ForeignProgram.run(
            call + [
                "pushpublish.add", "service_name=rtmp", "name=Größe / 1", "autopush:=true",
                "url=rtmp://203.0.113.9/a/k",
            ])
        #expect(added.status == 0, "\(added.errors)")
        #expect(added.text.hasPrefix(#"{"code":2300,"#))
        let listed = try await ForeignProgram.run(
            call + ["pushpublish.services", #"filters:={"name":"Größe / 1","autopush":true}"#])
        let reply = try #require(try JSONParser.parse(Array(listed.output)).root.objectValue)
        #expect(reply["services"]?.arrayValue?.count == 1)
        let failed = try await ForeignProgram.run(call + ["sevu.status", "key=nobody"])
        #expect(failed.status == 1)
        #expect(failed.text.hasPrefix(#"{"code":2040,"#))
    }
}
