import Basics
import Foundation
import Storage
import Testing

@testable import ControlAPI

/// The envelope: which check answers, and in which form.
struct EnvelopeTests {
    /// Requests in which ever fewer things are wrong; the first thing wrong answers.
    @Test("The first check of a request that fails gives the answer")
    func theFirstCheckThatFailsAnswers() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let now = Int(api.clock.now.timeIntervalSince1970)
            func sign(_ object: JSONObject, key: String = TestAPI.privateKey) -> String {
                var object = object
                object["signature"] = .string(Signature.sign(JSONWriter.write(object), privateKey: key))
                return String(decoding: JSONWriter.write(object), as: UTF8.self)
            }
            func code(_ text: String) async throws -> Int? { TestReply(await api.post(text)).code }

            try await api.store.setSuspension(accountID: 158, "unpaid")
            let all: JSONObject = [
                "command": "no.command", "api_key": "unknown", "timestamp": 5, "cdn": 158,
            ]
            #expect(try await code("{") == 6)
            #expect(try await code("[]") == 6)
            #expect(try await code(#"{"cdn":1,"cdn":1}"#) == 3)
            #expect(try await code(sign(all)) == 1)
            var known = all
            known["api_key"] = .string(TestAPI.publicKey)
            #expect(try await code(sign(known, key: "wrong")) == 2)
            known["timestamp"] = .int(now)
            #expect(try await code(sign(known, key: "wrong")) == 3)
            #expect(try await code(sign(known.removing("command"))) == 6)
            #expect(try await code(sign(known)) == 0)
            known["command"] = "sevu.request"
            #expect(try await code(sign(known)) == 8)
            try await api.store.setSuspension(accountID: 158, nil)
            known["api_key"] = .string(api.reader.apiKey)
            #expect(try await code(sign(known, key: api.reader.privateKey)) == 5)
            known["api_key"] = .string(TestAPI.publicKey)
            known["uses"] = "many"
            #expect(try await code(sign(known)) == 6)
            for (name, value) in ["app": "demo-origin", "video": "v", "pass": "p", "ip": "auto"] {
                known[name] = .string(value)
            }
            #expect(try await code(sign(known)) == 7)
            known["uses"] = "5"
            #expect(try await code(sign(known)) == 2000)
        }
    }

    @Test(
        "A field of the envelope that is missing or wrong is answered with its code",
        arguments: [
            ("cdn", "158", 2702), ("cdn", 158, 2702), ("cdn", 158.5, 1), ("cdn", "0158", 2702), ("cdn", "x", 1),
            ("cdn", nil, 1), ("cdn", true, 1), ("cdn", 200, 1), ("cdn", "99999999999999999999", 1),
            ("api_key", "", 1), ("api_key", 5, 1), ("timestamp", "1700000000", 2702),
            ("timestamp", 1_700_000_300, 2702),
            ("timestamp", 1_699_999_700, 2702), ("timestamp", 1_700_000_301, 2), ("timestamp", 1_699_999_699, 2),
            ("timestamp", 1_700_000_000.75, 2702), ("timestamp", 1_700_000_301.5, 2), ("timestamp", 1e300, 2),
            ("timestamp", nil, 2), ("timestamp", "now", 2), ("timestamp", 9_223_372_036_854_775_807, 2),
            ("command", "", 6), ("command", nil, 6), ("command", 5, 7), ("command", "APP.LIST", 0),
        ] as [(String, JSONValue, Int)])
    func envelopeFields(field: String, value: JSONValue, expected: Int) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var object: JSONObject = [
                "command": "app.list", "api_key": .string(TestAPI.publicKey), "timestamp": 1_700_000_000, "cdn": 158,
            ]
            object[field] = value
            object["signature"] = .string(Signature.sign(JSONWriter.write(object), privateKey: TestAPI.privateKey))
            let reply = TestReply(await api.post(String(decoding: JSONWriter.write(object), as: UTF8.self)))
            #expect(reply.code == expected, "\(reply.text)")
        }
    }

    @Test(
        "A key with a control character is no key, and the field is named", arguments: ["\0", "\0more", "\n", "\u{7F}"])
    func keyWithControlCharacters(suffix: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var object: JSONObject = [
                "command": "app.list", "api_key": .string(TestAPI.publicKey + suffix), "timestamp": 1_700_000_000,
                "cdn": 158,
            ]
            object["signature"] = .string(Signature.sign(JSONWriter.write(object), privateKey: TestAPI.privateKey))
            let reply = TestReply(await api.post(String(decoding: JSONWriter.write(object), as: UTF8.self)))
            #expect(reply.code == 7, "\(reply.text)")
            #expect(reply.message?.hasSuffix(": api_key must be text without control characters") == true)
        }
    }

    @Test("A revoked key is answered like one that does not exist")
    func aRevokedKeyIsNoKey() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            #expect(try await api.call("app.list").code == 2702)
            _ = try await api.store.revokeKey(apiKey: TestAPI.publicKey, at: api.clock.now)
            #expect(try await api.call("app.list").code == 1)
        }
    }

    @Test("Suspension is answered with its reason")
    func suspensionIsAnsweredWithItsReason() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let notice =
                "Please provide a valid credit card using the credit card form on the billing page. Update Card Details"
            try await api.store.setSuspension(accountID: 158, notice)
            let reply = try await api.call("app.list")
            #expect(
                reply.normalized == #"{"code":8,"message":"\#(notice)","status":"failure","handle_time":"T"}"#)
            try await api.store.setSuspension(accountID: 158, "")
            #expect(try await api.call("app.list").message == "This account is suspended")
            #expect(try await api.call("app.list", key: api.other).code == 2702)
        }
    }

    @Test("A key does only what it has the right to")
    func rightsOfKeys() async throws {
        let tickets: Set = [
            "sevu.request", "sevu.requestmany", "sevu.status", "sevu.update", "sevu.list", "sevu.sessions", "sevu.kick",
            "sevu.revoke",
            "sevu.errorlog",
            "sevu.errorcount",
        ]
        let reading: Set = [
            "sevu.status", "sevu.list", "sevu.sessions", "sevu.errorlog", "sevu.errorcount", "sevu.liststreamusers",
            "sevu.retrievestreamuser",
            "stream.active", "stream.details", "pushpublish.services", "app.list", "server.status", "log.origin",
            "viewer.live", "viewer.livedetailed", "vsn.viewercount", "vsn.viewerhistorybyname", "usage.summary",
            "usage.data", "usage.all", "usage.vse", "video.usage", "video.cdn", "video.cdnlong", "video.servers",
            "video.streams", "video.getapps", "disk.usage",
        ]
        try await TestAPI.run { (api: TestAPI) async throws in
            for command in CommandRegistry.descriptions.map(\.name) {
                let full = try await api.call(command)
                #expect(full.code != 5, "\(command)")
                #expect(
                    (try await api.call(command, key: api.reader).code != 5) == reading.contains(command), "\(command)")
                #expect(
                    (try await api.call(command, key: api.seller).code != 5) == tickets.contains(command), "\(command)")
            }
        }
    }

    // MARK: - Forms

    @Test("Requests are understood in every form of body")
    func everyFormIsUnderstood() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("app.list")
            func post(_ type: String?, _ body: String) async -> ControlResponse {
                await api.service.handle(contentType: type, body: Array(body.utf8), address: "192.0.2.1")
            }
            let encoded = percentEncoded(text)
            let multipart =
                "--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n\(text)\r\n--b--\r\n"
            let urlencoded = "application/x-www-form-urlencoded"
            for (type, body) in [
                ("application/json", text), ("application/json; charset=utf-8", text), (urlencoded, text), (nil, text),
                (urlencoded, "json=\(encoded)"), ("\(urlencoded); charset=utf-8", "a=b&json=\(encoded)"),
                ("multipart/form-data; boundary=b", multipart), ("multipart/form-data; boundary=\"b\"", multipart),
                (urlencoded, "JSON=\(encoded)"),
            ] {
                let response = await post(type, body)
                #expect(response.status == 200)
                #expect(response.contentType == "application/json")
                #expect(response.retryAfter == nil)
                #expect(TestReply(response).code == 2702, "\(type ?? "none") \(body.prefix(20))")
            }
            for (type, body) in [
                (nil, "json=\(encoded)"), ("text/plain", "json=\(encoded)"), (urlencoded, "jason=\(encoded)"),
                (urlencoded, "json=\(encoded)&php=\(encoded)"), (urlencoded, "json=%zz"), (urlencoded, ""),
                ("multipart/form-data", multipart), ("multipart/form-data; boundary=c", multipart),
                ("multipart/form-data; boundary=b", String(multipart.dropLast(4))), ("application/json", ""),
            ] {
                #expect(TestReply(await post(type, body)).code == 6, "\(type ?? "none") \(body.prefix(20))")
            }
        }
    }

    @Test("A request in the field php is answered in PHP's format")
    func thePHPFieldAsksForPHP() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let response = await api.postPHP(api.text("sevu.errorcount"))
            #expect(response.contentType == "text/plain; charset=utf-8")
            #expect(
                normalizeHandleTime(String(decoding: response.body, as: UTF8.self)).replacing(/s:[0-9]+:"T"/, with: "T")
                    == #"a:5:{s:4:"code";i:2051;s:7:"message";s:61:"ScaleEngine Virtual Usher unsuccessful tickets attempts found";"#
                    + #"s:6:"status";s:7:"success";s:11:"error_count";i:0;s:11:"handle_time";T;}"#)
            let failure = await api.postPHP("{}")
            #expect(String(decoding: failure.body, as: UTF8.self).hasPrefix(#"a:4:{s:4:"code";i:1;"#))
        }
    }

    // MARK: - Limits

    @Test("A body that is too large is refused")
    func bodiesAreLimited() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let text = api.text("app.list")
            let padding = String(repeating: " ", count: ControlRequest.maximumBodyBytes - text.utf8.count)
            #expect(TestReply(await api.post(text + padding)).code == 2702)
            let response = await api.post(text + padding + " ")
            #expect(response.status == 413)
            #expect(TestReply(response).code == 6)
        }
    }

    @Test("JSON that is too deep or has too many members is refused")
    func depthAndMembersAreLimited() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            // The request's own object is the first level, and its five members count.
            func nested(_ depth: Int) -> JSONValue { (1..<depth).reduce(JSONValue.array([])) { value, _ in [value] } }
            #expect(try await api.call("app.list", ["x": nested(15)]).code == 2702)
            #expect(try await api.call("app.list", ["x": nested(16)]).code == 6)
            let many = JSONValue.array(Array(repeating: 1, count: 994))
            #expect(try await api.call("app.list", ["x": many]).code == 2702)
            let tooMany = JSONValue.array(Array(repeating: 1, count: 995))
            let reply = try await api.call("app.list", ["x": tooMany])
            #expect(reply.code == 6)
            #expect(reply.message?.contains("more than 1000 members") == true)
        }
    }

    @Test("Many failed signatures have to wait")
    func manyFailedSignaturesHaveToWait() async throws {
        try await TestAPI.run(failuresPerMinute: 3) { (api: TestAPI) async throws in
            let wrong = SignedCall(accountID: 158, apiKey: TestAPI.publicKey, privateKey: "wrong")
                .text(command: "app.list", now: api.clock.now)
            for _ in 1...3 { #expect(TestReply(await api.post(wrong, address: "192.0.2.7")).code == 3) }
            let refused = await api.post(api.text("app.list"), address: "192.0.2.7")
            #expect(refused.status == 429)
            let seconds = try #require(refused.retryAfter)
            #expect((1...60).contains(seconds))
            #expect(TestReply(refused).code == 1000)
            // Others go on, and so do failures that are no guesses.
            #expect(TestReply(await api.post(api.text("app.list"), address: "192.0.2.8")).code == 2702)
            for _ in 1...5 { #expect(TestReply(await api.post("{", address: "192.0.2.8")).code == 6) }
            #expect(TestReply(await api.post(api.text("app.list"), address: "192.0.2.8")).code == 2702)
        }
    }
}
