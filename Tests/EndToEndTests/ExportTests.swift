import Basics
import ControlAPI
import Foundation
import Storage
import TestSupport
import Testing
import Usher

/// `playhouse attempts export` against a running origin.
@Suite(.serialized) struct ExportTests {
    /// What viewers send, and what separates fields, lines and texts.
    private static let pages = [
        "https://example.com/", "", "a,b", "\"quoted\"", "two\r\nlines", "über", "=1+1", "a\"b,c\nd", "back\\slash/",
    ]

    private struct Scene {
        let origin: OriginProcess
        let store: SQLiteStore
        let profile: String
        let start = Date().addingTimeInterval(-86_400)

        init() async throws {
            origin = try await OriginProcess()
            let account = try await origin.account()
            profile = try origin.folder.write(
                """
                url: \(account.url)
                cdn: \(account.keys.accountID)
                api_key: \(account.keys.apiKey)
                private_key: "\(account.keys.privateKey)"

                """, to: "profile.yaml")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: profile)
            store = try await SQLiteStore.open(folder: origin.folder.file("data"))
        }

        func attempt(_ number: Int) -> Attempt {
            let facts = ViewerFacts(
                key: "k\(number)", pass: "p\(number % 10)", address: "10.0.\(number % 4).7", app: "demo-origin",
                instance: "play", video: number.isMultiple(of: 3) ? "paid" : "other",
                pageURL: pages[number % pages.count],
                serverAddress: "192.0.2.1")
            let isSuccess = number.isMultiple(of: 5)
            // Not in the order in which they are recorded.
            return Attempt(
                accountID: 158, date: start + Double(number - number % 7 * 20), facts: facts, isSuccess: isSuccess,
                reason: isSuccess ? "" : "Invalid Password")
        }

        func record(_ numbers: Range<Int>) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in numbers {
                    group.addTask {
                        // Refusals too, which would be folded otherwise.
                        try await store.recordAdmission(attempt(number))
                    }
                }
                try await group.waitForAll()
            }
        }

        func export(_ arguments: String...) async throws -> ProgramResult {
            try await ForeignProgram.run(
                [Places.playhouse, "attempts", "export", "--profile", profile] + arguments, within: 120)
        }

        /// All rows there are, the last recorded first, as the API writes them.
        func rows(_ filter: AttemptFilter = AttemptFilter()) async throws -> [[String: String]] {
            let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt)
                .year().month().day().time(includingFractionalSeconds: false)
            return try await store.attempts(accountID: 158, filter: filter, limit: 100_000, offset: 0)
                .sorted { $0.id > $1.id }.map { attempt in
                    [
                        "id": "\(attempt.id)", "datetime": attempt.date.formatted(style), "key": attempt.key,
                        "pass": attempt.pass, "ip": attempt.address, "video": attempt.video, "app": attempt.app,
                        "appinst": attempt.instance, "pageurl": attempt.pageURL, "refurl": attempt.referrerURL,
                        "success": attempt.isSuccess ? "1" : "0", "reason": attempt.reason,
                        "server_ip": attempt.serverAddress, "repeats": "\(attempt.repeats)",
                    ]
                }
        }

        private var pages: [String] { ExportTests.pages }
    }

    private func lines(_ text: String) throws -> [[String: String]] {
        try text.split(separator: "\n").map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
    }

    /// CSV as Python's reader takes it.
    private func csv(_ file: String) async throws -> [[String: String]] {
        let program = """
            import csv, json, sys
            with open(sys.argv[1], newline='', encoding='utf-8') as file:
                json.dump(list(csv.DictReader(file, strict=True)), sys.stdout)
            """
        let read = try await ForeignProgram.output(of: ["python3", "-c", program, file])
        return try JSONDecoder().decode([[String: String]].self, from: read.output)
    }

    @Test("What was recorded is exported once each, though rows come meanwhile")
    func everyRowOnce() async throws {
        let scene = try await Scene()
        try await scene.record(0..<3_000)
        let before = try await scene.rows()
        #expect(before.count == 3_000)
        let file = scene.origin.folder.file("attempts.csv")
        let meanwhile = Task {
            var number = 3_000
            while !Task.isCancelled {
                try await scene.record(number..<number + 20)
                number += 20
            }
        }
        let result = try await scene.export("--output", file, "--progress")
        meanwhile.cancel()
        _ = await meanwhile.result
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.isEmpty)
        #expect(result.errors.contains(" rows, back to "))

        let exported = try await csv(file)
        let first = try #require(exported.first?["id"].flatMap { Int($0) })
        let expected = try await scene.rows().filter { Int($0["id"] ?? "") ?? .max <= first }
        #expect(exported == expected)
        #expect(Array(exported.suffix(3_000)) == before)
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)

        // The same as lines, and nothing but the rows on standard output.
        let all = try await scene.rows()
        let plain = try await scene.export("--format", "jsonl")
        #expect(try lines(plain.text) == all)
        #expect(plain.errors.isEmpty)
        try await scene.store.close()
    }

    @Test("Every filter narrows what is exported")
    func filters() async throws {
        let scene = try await Scene()
        try await scene.record(0..<60)
        let all = try await scene.rows()
        let dates = all.compactMap { $0["datetime"] }.sorted()
        let (since, until) = (dates[20], dates[40])
        for (arguments, matches) in [
            (["--key", "k7"], { $0["key"] == "k7" }), (["--pass", "p3"], { $0["pass"] == "p3" }),
            (["--app", "demo-*", "--video", "pa*"], { $0["video"] == "paid" }),
            (["--app", "demo-vod"], { _ in false }),
            (["--ip", "10.0.2.0/23"], { ["10.0.2.7", "10.0.3.7"].contains($0["ip"]) }),
            (["--success", "1"], { $0["success"] == "1" }), (["--success", "0"], { $0["success"] == "0" }),
            (["--since", since], { $0["datetime"] ?? "" >= since }),
            (["--until", until], { $0["datetime"] ?? "" <= until }),
            (["--since", since, "--until", until], { (since...until).contains($0["datetime"] ?? "") }),
        ] as [([String], ([String: String]) -> Bool)] {
            let result = try await ForeignProgram.run(
                [Places.playhouse, "attempts", "export", "--format", "jsonl", "--profile", scene.profile] + arguments)
            #expect(result.status == 0, "\(result.errors)")
            // The last part of a second that a date has is not in its text.
            #expect(try lines(result.text) == all.filter(matches), "\(arguments)")
        }
        // Without rows there are the names.
        let none = try await scene.export("--key", "nobody")
        #expect(
            none.text == "id,datetime,key,pass,ip,video,app,appinst,pageurl,refurl,success,reason,server_ip,repeats\r\n"
        )
        try await scene.store.close()
    }

    @Test("An export that fails leaves no file and says why")
    func failures() async throws {
        let scene = try await Scene()
        let file = scene.origin.folder.file("attempts.csv")
        for (arguments, status, words) in [
            (["--ip", "nowhere"], 64, "--ip must be"), (["--since", "yesterday"], 64, "--since must be a date"),
            (["--success", "2"], 64, "--success must be"),
            (["--output", "/nowhere/attempts.csv"], 1, "cannot be written"),
        ] as [([String], Int32, String)] {
            let result = try await ForeignProgram.run(
                [Places.playhouse, "attempts", "export", "--profile", scene.profile] + arguments)
            #expect(result.status == status)
            #expect(result.errors.contains(words), "\(result.errors)")
        }
        try await scene.origin.stop()
        let result = try await scene.export("--output", file)
        #expect(result.status == 1)
        #expect(result.errors.contains("nothing listens there"))
        let names = try FileManager.default.contentsOfDirectory(atPath: scene.origin.folder.path)
        #expect(!names.contains { $0.hasPrefix("attempts") })
        try await scene.store.close()
    }
}
