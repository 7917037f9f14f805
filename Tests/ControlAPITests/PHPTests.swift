import Basics
import Foundation
import TestSupport
import Testing

@testable import ControlAPI

/// What we write as PHP would, against PHP itself.
struct PHPTests {
    @Test("PHP's unserialize gives what the JSON reply says")
    func unserializeGivesWhatTheJSONSays() async throws {
        let payload: JSONObject = [
            "text": "é \"quoted\"; s:3:\"x\" \u{1F600}", "list": ["a", ["b"], []],
            "map": ["5": 1, "05": "x", "": nil, "-7": true],
            "ratio": 0.1, "big": 1e25, "whole": 10.0, "minus": -1, "flag": false, "none": nil,
        ]
        let reply = Reply(.ticketFound, payload: payload)
        let serialized = reply.bytes(format: .php, handleTime: .milliseconds(380))
        let json = reply.bytes(format: .json, handleTime: .milliseconds(380))
        let program =
            #"$v = unserialize(file_get_contents('php://stdin'), ['allowed_classes' => false]); echo json_encode($v);"#
        let output = try await Program.run(["php", "-r", program], input: serialized)
        #expect(String(decoding: output, as: UTF8.self) == String(decoding: json, as: UTF8.self))
    }

    @Test("Replies in both forms say the same")
    func repliesInBothFormsSayTheSame() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await SeedTests.attempts(api)
            _ = try await api.publish("s")
            for (command, fields) in [
                ("sevu.errorlog", [:]), ("stream.details", ["app": "demo-origin", "inst": "live", "stream": "s"]),
                ("app.list", [:]), ("no.command", [:]), ("sevu.status", [:]),
            ] as [(String, JSONObject)] {
                let text = api.text(command, fields)
                let json = normalizeHandleTime(String(decoding: await api.post(text).body, as: UTF8.self))
                let program = "echo json_encode(unserialize(file_get_contents('php://stdin')));"
                let output = try await Program.run(["php", "-r", program], input: await api.postPHP(text).body)
                // PHP knows no difference between an empty list and an empty map.
                #expect(
                    normalizeHandleTime(String(decoding: output, as: UTF8.self))
                        == json.replacing("\"metadata\":{}", with: "\"metadata\":[]"))
            }
        }
    }

    @Test("Doubles are written as PHP writes them")
    func doublesAreLaidOutAsPHPDoes() async throws {
        var random = SeededGenerator(seed: 82)
        var values = [
            0, -0.0, 1, 10, 100, 0.1, 1 / 3, 1e-4, 1e-5, 0.00012, 1e14, 1e15, 1e16, 1e17, 1e18, 123_456_789_012_345_680,
            1.5e300, .greatestFiniteMagnitude, .leastNormalMagnitude, .leastNonzeroMagnitude, 29.97, -2.5,
        ]
        for _ in 0..<500 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { values.append(value) }
            values.append(Double(Int.random(in: -1_000_000...1_000_000, using: &random)) / 1000)
        }
        let input = values.map { String($0.bitPattern, radix: 16) }.joined(separator: "\n")
        let program = #"""
            foreach (file('php://stdin', FILE_IGNORE_NEW_LINES) as $line) {
                $value = unpack('E', hex2bin(str_pad($line, 16, '0', STR_PAD_LEFT)))[1];
                echo json_encode($value), ' ', serialize($value), "\n";
            }
            """#
        let output = String(
            decoding: try await Program.run(["php", "-r", program], input: Array(input.utf8)), as: UTF8.self)
        let lines = output.split(separator: "\n")
        #expect(lines.count == values.count)
        for (line, value) in zip(lines, values) {
            let ours = JSONWriter.write(.double(value)) + [0x20] + PHPSerializer.write(.double(value))
            #expect(String(decoding: ours, as: UTF8.self) == line)
        }
    }

    @Test("Texts are escaped as PHP escapes them")
    func textsAreEscapedAsPHPDoes() async throws {
        var random = SeededGenerator(seed: 5)
        var texts: [JSONValue] = (0..<0x100).compactMap { Unicode.Scalar($0).map { .string(String($0)) } }
        for _ in 0..<300 {
            let scalars = (0..<5).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &random)) }
            texts.append(.string(String(String.UnicodeScalarView(scalars))))
        }
        let ours = JSONWriter.write(.array(texts))
        let program = "echo json_encode(json_decode(file_get_contents('php://stdin')));"
        let raw = JSONWriter.write(.array(texts), style: .raw)
        #expect(try await Program.run(["php", "-r", program], input: raw) == ours)
    }

    @Test(
        "Replies say how long the command took",
        arguments: [
            (Duration.zero, "0.0000 seconds"), (.microseconds(379_549), "0.3795 seconds"),
            (.seconds(61), "61.0000 seconds"),
            (.microseconds(1_000_100), "1.0001 seconds"), (.seconds(-1), "0.0000 seconds"),
            (.nanoseconds(999_999_999), "0.9999 seconds"),
        ])
    func handleTime(duration: Duration, text: String) {
        #expect(HandleTime.text(duration) == text)
    }

    @Test("Dates are written as PHP clients expect them")
    func dates() {
        #expect(ReplyDate.text(Date(timeIntervalSince1970: 1_769_860_799.999)) == "2026-01-31 11:59:59")
        #expect(ReplyDate.text(nil) == "0000-00-00 00:00:00")
        #expect(ReplyDate.slashed(Date(timeIntervalSince1970: 0)) == "1970/01/01 00:00:00")
    }
}
