import Basics
import Foundation
import Testing

@testable import ControlAPI

/// Signatures: the published vectors, and those that real clients make.
struct SignatureTests {
    private static let vectorKey = String(repeating: "0123456789abcdef", count: 4)

    @Test(
        "Signatures equal the documented vectors",
        arguments: [
            (
                #"{"command":"files.list","api_key":"APXEXAMPLE","timestamp":1700000000,"cdn":158,"path":"sestore4\/demo\/\u00e9"}"#,
                "6kpCN1SUqL2f8YJRDTW8IWqK9zvw9GMgs9tRWh9ljhA="
            ),
            (
                #"{"command":"files.list","api_key":"APXEXAMPLE","timestamp":1700000000,"cdn":158,"path":"sestore4/demo/é"}"#,
                "anflQb/Hk+C+WEP7q4rMgh/dxFbpdIt6mE141cDCsJ8="
            ),
            (
                #"{"command":"files.list","api_key":"APXEXAMPLE","cdn":158,"path":"sestore4/demo/é","timestamp":1700000000}"#,
                "FZ9xvKKbagFQBKoWK2kILFeH9R9eDqt+5nGNTEVE8ws="
            ),
        ])
    func vectors(text: String, signature: String) throws {
        #expect(Signature.sign(Array(text.utf8), privateKey: Self.vectorKey) == signature)
        let code = try #require(Signature.decode(signature))
        // Wherever the client puts the member, and however it escapes the base64 in it.
        let member = "\"signature\":\"\(signature.replacing("/", with: "\\/"))\""
        let last = text.dropLast() + ",\(member)}"
        let first = "{\(member),\(text.dropFirst())"
        let middle = text.replacing(#","cdn""#, with: ",\(member),\"cdn\"")
        for signed in [String(last), first, middle] {
            let document = try JSONParser.parse(signed)
            #expect(document.textRemoving("signature") == Array(text.utf8))
            #expect(Signature.verify(code, of: document, privateKey: Self.vectorKey))
            #expect(!Signature.verify(code, of: document, privateKey: String(Self.vectorKey.reversed())))
            let other = try JSONParser.parse(signed.replacing("158", with: "159"))
            #expect(!Signature.verify(code, of: other, privateKey: Self.vectorKey))
        }
    }

    @Test(
        "The signature's member is cut out of the text that is signed",
        arguments: [
            (#"{"a":1,"signature":"x"}"#, #"{"a":1}"#),
            (#"{"signature":"x","a":1}"#, #"{"a":1}"#),
            (#"{"a":1,"signature":"x","b":2}"#, #"{"a":1,"b":2}"#),
            (#"{"signature":"x"}"#, "{}"),
            (#"{ "a" : 1 , "signature" : "x" }"#, #"{ "a" : 1  }"#),
            (#"{"a":{"signature":"y"},"signature":"x"}"#, #"{"a":{"signature":"y"}}"#),
            (#"{"a":",\"signature\":\"y\"","signature":"x"}"#, #"{"a":",\"signature\":\"y\""}"#),
            (#"{"a":1,"s\u0069gnature":"x"}"#, #"{"a":1}"#),
            (#"{"a":1,"signature":{"b":[1,"}"]}}"#, #"{"a":1}"#),
        ])
    func theMemberIsCutOutOfTheText(text: String, rest: String) throws {
        let document = try JSONParser.parse(text)
        #expect(document.textRemoving("signature").map { String(decoding: $0, as: UTF8.self) } == rest)
        #expect(document.textRemoving("nothing") == nil)
    }

    @Test(
        "Text that is no signature counts as none",
        arguments: ["", "====", "a", String(repeating: "A", count: 44), String(repeating: "!", count: 44)])
    func whatIsNoSignatureIsNone(text: String) {
        // 44 times A is 33 bytes.
        #expect(Signature.decode(text) == nil)
    }

    // MARK: - Real clients

    /// The fields a client adds to the envelope, in its own language: a path, text outside ASCII and outside the basic
    /// plane, nested lists and maps, null, floats, booleans, characters that serialisers treat differently.
    private static let php = #"""
        <?php
        $r = array('command' => 'app.list', 'api_key' => $argv[1], 'timestamp' => 1700000000, 'cdn' => 158,
            'path' => 'sestore4/demo/é', 'title' => "日本 \u{1F600} <a href=\"x\">\t\u{7f}\u{2028}", 'list' => array('a/b', 'ü', array()),
            'videos' => array(array('video' => 'mp4:a/b.mp4', 'start' => 0, 'length' => -1)), 'user' => null,
            'ratio' => 0.1, 'third' => 1/3, 'big' => 1e25, 'whole' => 10.0, 'small' => 1.5e-7, 'flag' => true, 'none' => false);
        """#
    private static let python = #"""
        import base64, hashlib, hmac, json, sys
        r = dict(command='app.list', api_key=sys.argv[1], timestamp=1700000000, cdn='158',
            path='sestore4/demo/é', title='日本 \U0001F600 <a href="x">\t\x7f\u2028', list=['a/b', 'ü', [], {}],
            videos=[dict(video='mp4:a/b.mp4', start=0, length=-1)], user=None,
            ratio=0.1, third=1/3, big=1e25, whole=10.0, small=1.5e-7, flag=True, none=False)
        """#

    private static let programs: [(name: String, arguments: [String], text: String)] = [
        (
            "php as documented", ["php", "--"],
            php + #"""
                $r['signature'] = base64_encode(hash_hmac('sha256', json_encode($r), $argv[2], true));
                echo json_encode($r);
                """#
        ),
        (
            "php that signs raw and sends escaped", ["php", "--"],
            php + #"""
                $raw = json_encode($r, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS);
                $r['signature'] = base64_encode(hash_hmac('sha256', $raw, $argv[2], true));
                echo json_encode($r);
                """#
        ),
        (
            "php that signs escaped and sends pretty", ["php", "--"],
            php + #"""
                $r = array('signature' => base64_encode(hash_hmac('sha256', json_encode($r), $argv[2], true))) + $r;
                echo json_encode($r, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
                """#
        ),
        (
            "ruby", ["ruby", "-"],
            #"""
            # encoding: utf-8
            require 'json'
            require 'openssl'
            require 'base64'
            r = {command: 'app.list', api_key: ARGV[0], cdn: 158, path: 'sestore4/demo/é',
                title: "日本 \u{1F600} <a href=\"x\">\t\u007f\u2028", list: ['a/b', 'ü', []], videos: [{video: 'mp4:a/b.mp4', length: -1}],
                user: nil, ratio: 0.1, third: 1.0/3, big: 1e25, whole: 10.0, small: 1.5e-7, flag: true, timestamp: 1700000000}
            r[:signature] = Base64.strict_encode64(OpenSSL::HMAC.digest('sha256', ARGV[1], JSON.generate(r)))
            print JSON.generate(r)
            """#
        ),
        (
            "perl in random order, spliced", ["perl", "-"],
            #"""
            use utf8; use strict; use JSON::PP; use Digest::SHA qw(hmac_sha256_base64);
            my %r = (command => 'app.list', api_key => $ARGV[0], cdn => "158", timestamp => 1700000000,
                path => 'sestore4/demo/é', title => "日本 \x{1F600} <a href=\"x\">\t\x7f\x{2028}", list => ['a/b', 'ü', []],
                videos => [{video => 'mp4:a/b.mp4', length => -1}], user => undef, ratio => 0.1, big => 1e25, flag => JSON::PP::true);
            my $json = encode_json(\%r);
            my $sig = hmac_sha256_base64($json, $ARGV[1]);
            while (length($sig) % 4) { $sig .= '='; }
            $json =~ s/\}$/,"signature":"$sig"}/;
            print $json;
            """#
        ),
        (
            "python compact", ["python3", "-"],
            python + #"""

                s = json.dumps(r, separators=(',', ':'))
                r['signature'] = base64.b64encode(hmac.new(sys.argv[2].encode(), s.encode(), hashlib.sha256).digest()).decode()
                print(json.dumps(r, separators=(',', ':')), end='')
                """#
        ),
        (
            "python that sends with spaces what it signed without", ["python3", "-"],
            python + #"""

                s = json.dumps(r, separators=(',', ':'))
                r['signature'] = base64.b64encode(hmac.new(sys.argv[2].encode(), s.encode(), hashlib.sha256).digest()).decode()
                print(json.dumps(r), end='')
                """#
        ),
        (
            "python that signs raw text", ["python3", "-"],
            python + #"""

                s = json.dumps(r, separators=(',', ':'), ensure_ascii=False)
                r['signature'] = base64.b64encode(hmac.new(sys.argv[2].encode(), s.encode(), hashlib.sha256).digest()).decode()
                print(json.dumps(r), end='')
                """#
        ),
    ]

    @Test("Real clients are understood", arguments: programs.indices) func realClientsAreUnderstood(index: Int)
        async throws
    {
        let program = Self.programs[index]
        let arguments = program.arguments + [TestAPI.publicKey, TestAPI.privateKey]
        let text = try await Program.run(arguments, input: Array(program.text.utf8))
        try await TestAPI.run { (api: TestAPI) async throws in
            let signed = String(decoding: text, as: UTF8.self)
            let reply = TestReply(await api.post(signed))
            #expect(reply.code == 2702, "\(program.name): \(reply.text)\n\(signed)")
            let object = try #require(try JSONParser.parse(text).root.objectValue)
            #expect(object["title"] == "日本 \u{1F600} <a href=\"x\">\t\u{7F}\u{2028}")
            let forged = TestReply(await api.post(signed.replacing("sestore4", with: "sestore5")))
            #expect(forged.code == 3)
        }
    }

    @Test("A call of the command line is what PHP would send")
    func ourOwnCallIsWhatPHPWouldSend() async throws {
        let call = SignedCall(accountID: 158, apiKey: "APXEXAMPLE", privateKey: Self.vectorKey)
        let fields: JSONObject = ["path": "sestore4/demo/é", "cdn": 7, "signature": "x", "empty": [], "ratio": 0.1]
        let text = call.text(
            command: "files.list", fields: fields, now: Date(timeIntervalSince1970: 1_700_000_000.9))
        let php = #"""
            <?php
            $r = array('command' => 'files.list', 'api_key' => 'APXEXAMPLE', 'timestamp' => 1700000000, 'cdn' => 158,
                'path' => 'sestore4/demo/é', 'empty' => array(), 'ratio' => 0.1);
            $r['signature'] = base64_encode(hash_hmac('sha256', json_encode($r), str_repeat('0123456789abcdef', 4), true));
            echo json_encode($r);
            """#
        let expected = try await Program.run(["php"], input: Array(php.utf8))
        #expect(text == String(decoding: expected, as: UTF8.self))
    }
}
