import Foundation
import TestSupport
import Testing

@testable import ControlAPI

/// The parsers of what comes from outside.
struct ParserTests {
    @Test(
        "Well-formed JSON is read",
        arguments: [
            "null", "true", " false ", "0", "-1", "1.5", "1e5", "-0", "-0.0", "1E-7", "\"\"",
            "\"a\\u00e9\\ud83d\\ude00\"",
            "[]", "[ ]", "{}", "{ }", "[1,[2,[3]]]", "{\"a\":{\"b\":[null]}}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
            "9223372036854775807", "9223372036854775808", "\t\r\n[1]\n", "\"\u{7F}\"", "\"\u{1F600}\"", "{\"\":1}",
        ])
    func accepted(text: String) throws {
        _ = try JSONParser.parse(text)
    }

    @Test(
        "What is no well-formed JSON is refused",
        arguments: [
            "", " ", "nul", "tru", "True", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "1e999",
            "-1e999",
            "\"", "\"\\\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
            "\"\n\"", "\"\u{0}\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}", "{'a':1}", "{\"a\" 1}", "{1:1}", "[1]x", "[1]]", "{} {}", "\u{FEFF}{}", "/* */ 1", "'a'",
            "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"x\":{\"a\":1,\"a\":1}}",
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(text) }
    }

    @Test(
        "JSON that is not UTF-8 is refused",
        arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0xFF]] as [[UInt8]])
    func whatIsNotUTF8IsRefused(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONParser.parse(bytes) }
    }

    @Test("A failure says where in the text it is")
    func failuresSayWhere() {
        #expect { try JSONParser.parse("{\"a\":1,\"a\":2}") } throws: { error in
            "\(error)" == "member a stands twice at byte 7"
        }
        #expect { try JSONParser.parse("[1,}") } throws: { error in "\(error)" == "expected a value at byte 3" }
    }

    @Test("A very deep text does not overflow the stack")
    func aVeryDeepTextDoesNotOverflowTheStack() {
        let text = String(repeating: "[", count: 500_000)
        #expect { try JSONParser.parse(text) } throws: { ($0 as? JSONError)?.reason == .tooDeep }
        let objects = String(repeating: "{\"a\":", count: 100_000)
        #expect { try JSONParser.parse(objects) } throws: { ($0 as? JSONError)?.reason == .tooDeep }
    }

    /// Mutated requests: nothing traps, what is accepted comes back the same after writing, and cutting a member out of the
    /// text is the same as taking it out of the object.
    @Test("Mutated JSON never traps")
    func mutatedJSON() throws {
        var random = SeededGenerator(seed: 158)
        let seeds = [
            #"{"command":"sevu.request","api_key":"APX","timestamp":1700000000,"cdn":158,"signature":"a\/b+c="}"#,
            #"{ "signature" : "x" , "a" : [1, -2.5e3, true, null, "\ud83d\ude00é"], "b" : {"c" : {"signature" : []}} }"#,
        ].map { Array($0.utf8) }
        let pieces = [
            "\"", "\\", "{", "}", "[", "]", ",", ":", "\"signature\":1", "\\u", "e", "-", "0", "\u{FF}", "null", " ",
            "\"a\"",
        ].map { Array($0.utf8) }
        var accepted = 0
        for _ in 0..<20_000 {
            var text = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0...text.count, using: &random)
                let end = min(text.count, place + Int.random(in: 0...3, using: &random))
                switch Int.random(in: 0...3, using: &random) {
                case 0: text.removeSubrange(place..<end)
                case 1: text.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
                case 2: text.replaceSubrange(place..<end, with: [UInt8.random(in: 0...255, using: &random)])
                default: text = Array(text[..<end]) + text[place...]
                }
            }
            guard let document = try? JSONParser.parse(text) else { continue }
            accepted += 1
            for style in [JSONWriter.Style.php, .raw, .python] {
                let written = try JSONParser.parse(JSONWriter.write(document.root, style: style)).root
                #expect(JSONWriter.write(written) == JSONWriter.write(document.root))
            }
            guard let object = document.root.objectValue, let rest = document.textRemoving("signature") else {
                continue
            }
            #expect(try JSONParser.parse(rest).root == .object(object.removing("signature")))
        }
        #expect(accepted > 1_000)
    }

    // MARK: - Forms

    @Test("Multipart forms are read as PHP and curl send them")
    func whatPHPAndCurlSend() throws {
        let recorded = try fixture("php-curl-multipart.bin")
        let end = try #require(recorded.firstIndex(of: 0x0A))
        let header = String(decoding: recorded[..<end].dropFirst("Content-Type: ".utf8.count), as: UTF8.self)
        let request = try ControlRequest(contentType: header, body: Array(recorded[(end + 1)...]))
        #expect(request.format == .json)
        let document = try JSONParser.parse(request.text)
        let code = try #require(document.root["signature"]?.stringValue.flatMap(Signature.decode))
        #expect(
            Signature.verify(
                code, of: document, privateKey: String(repeating: "0123456789abcdef", count: 4)))
    }

    @Test("Parts of a multipart form are told apart")
    func multipartParts() throws {
        func parse(_ text: String) throws -> [MultipartForm.Field] {
            try MultipartForm.parse(Array(text.replacing("\n", with: "\r\n").utf8), boundary: "b")
        }
        let head = "Content-Disposition: form-data; name="
        #expect(try parse("--b\n\(head)\"a\"\n\nx\n--b--\n") == [.init(name: "a", value: Array("x".utf8))])
        #expect(try parse("--b\n\(head)a\n\n\n--b--") == [.init(name: "a", value: [])])
        #expect(
            try parse(
                "preamble\n--b \nContent-Type: text/plain\n\(head)\"a\"; filename=\"f\"\n\n-bx\n--b\n\(head)c\n\n1\n2\n--b--tail"
            )
                == [
                    .init(name: "a", value: Array("-bx".utf8)),
                    .init(name: "c", value: Array("1\r\n2".utf8)),
                ])
        for text in [
            "", "--b", "--b\n", "--b\n\(head)a\n\nx", "--b\n\(head)a\n\nx\n--b", "--b\nx\n\ny\n--b--",
            "--b\n\nx\n--b--",
            "--b\n\(head)\"a\n\nx\n--b--", "--b\nContent-Disposition: attachment; name=a\n\nx\n--b--",
            "--b\n\(head)a\nContent-Transfer-Encoding: base64\n\nx\n--b--",
            String(repeating: "--b\n\(head)a\n\nx\n", count: 17) + "--b--",
        ] {
            #expect(throws: MultipartForm.Problem.self, "\(text)") { try parse(text) }
        }
    }

    @Test("Mutated multipart forms never trap")
    func mutatedMultipart() {
        var random = SeededGenerator(seed: 2051)
        let seed = Array(
            "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: text/plain\r\n\r\n{}\r\n--b--\r\n"
                .utf8)
        let pieces = ["\r\n", "--b", "--", "\"", ";", "=", "name=", "\r", "\n", ":", "\\"].map { Array($0.utf8) }
        var accepted = 0
        for _ in 0..<20_000 {
            var body = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0...body.count, using: &random)
                let end = min(body.count, place + Int.random(in: 0...4, using: &random))
                switch Int.random(in: 0...3, using: &random) {
                case 0: body.removeSubrange(place..<end)
                case 1: body.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
                case 2: body.replaceSubrange(place..<end, with: [UInt8.random(in: 0...255, using: &random)])
                default: body = Array(body.prefix(place))
                }
            }
            guard let fields = try? MultipartForm.parse(body, boundary: "b") else { continue }
            accepted += 1
            #expect(fields.allSatisfy { $0.value.count < body.count })
        }
        #expect(accepted > 1_000)
    }

    @Test("URL-encoded forms are read")
    func urlencodedFields() throws {
        func parse(_ text: String) throws -> [MultipartForm.Field] { try URLEncodedForm.parse(Array(text.utf8)) }
        #expect(
            try parse("a=1+2&&b=%2B%2f&c&d=e=f")
                == [
                    .init(name: "a", value: Array("1 2".utf8)), .init(name: "b", value: Array("+/".utf8)),
                    .init(name: "c", value: []), .init(name: "d", value: Array("e=f".utf8)),
                ])
        for text in ["a=%", "a=%1", "a=%zz", "%=1", Array(repeating: "a=1", count: 65).joined(separator: "&")] {
            #expect(throws: URLEncodedForm.Problem.self) { try parse(text) }
        }
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Array("%&=+a0fF\u{0}".utf8).randomElement(using: &random) ?? 0
            }
            _ = try? URLEncodedForm.parse(bytes)
            _ = ContentType(String(decoding: bytes, as: UTF8.self))
        }
    }
}
