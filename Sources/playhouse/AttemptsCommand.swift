import ArgumentParser
import Basics
import ControlAPI
import Foundation
import NIOCore
import Usher

struct AttemptsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attempts",
        abstract: "Get at the log of attempts to watch.",
        subcommands: [AttemptsExport.self])
}

struct AttemptsExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the log of attempts as CSV or JSON lines.",
        discussion: """
            Asks a running server for the rows that were recorded up to now, the newest first, a thousand at a time: rows that
            come meanwhile are not among them and shift nothing. URL and keys come from the profile, as with `call`. The CSV is
            that of RFC 4180, with a line of names. Pages, addresses and names in it are what viewers said.

            Examples:
              playhouse attempts export --output attempts.csv
              playhouse attempts export --video 'paid*' --success 0 --since 2026-01-01 --format jsonl | jq .ip
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case csv, jsonl
    }

    @Option(help: "Of this ticket.")
    var key: String?

    @Option(help: "With this pass.")
    var pass: String?

    @Option(help: "Of this application; * for any characters.")
    var app: String?

    @Option(help: "For this stream or VOD path; * for any characters.")
    var video: String?

    @Option(help: "From this address or CIDR block.")
    var ip: String?

    @Option(help: ArgumentHelp("1: admitted ones only; 0: refused ones only.", valueName: "0|1"))
    var success: Int?

    @Option(help: ArgumentHelp("On or after, as 2026-01-31 12:00:00 (UTC) or 2026-01-31.", valueName: "date"))
    var since: String?

    @Option(help: ArgumentHelp("On or before, as --since; a day alone is its first second.", valueName: "date"))
    var until: String?

    @Option(help: "What the rows are written as.")
    var format = Format.csv

    @Option(help: ArgumentHelp("Where they go; - is standard output.", valueName: "file"))
    var output = "-"

    @Flag(help: "Say how far it is on standard error, also when that is no terminal.")
    var progress = false

    @Option(
        help: ArgumentHelp(
            "The profile (default: $PLAYHOUSE_PROFILE, else ~/.config/playhouse/profile.yaml).", valueName: "file"))
    var profile: String?

    @Flag(help: "Accept a profile that others may read.")
    var insecureProfile = false

    @Option(help: "Seconds to wait for each thousand.")
    var timeout = 60

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 3600") }
        guard success.map({ (0...1).contains($0) }) ?? true else { throw ValidationError("--success must be 0 or 1") }
        if let ip, IPNetwork(ip) == nil { throw ValidationError("--ip must be an address or a CIDR block") }
        _ = try date(since, "--since")
        _ = try date(until, "--until")
    }

    private func date(_ text: String?, _ option: String) throws -> Date? {
        guard let text else { return nil }
        // Two forms that everybody reads alike; those of tickets are of the future.
        for form in [text, "\(text) 00:00:00"] {
            if form.wholeMatch(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/) != nil,
                let date = try? ExpiryParser.parse(form, now: Date())
            {
                return date
            }
        }
        throw ValidationError("\(option) must be a date as 2026-01-31 12:00:00 or 2026-01-31, in UTC")
    }

    func run() async throws {
        let path = profile ?? Profile.standardPath(ProcessInfo.processInfo.environment)
        let profile = try Profile.read(path, allowsOthers: insecureProfile)
        let until = try date(until, "--until").map { Terminal.date($0) }
        var fields = JSONObject()
        for (name, text) in [
            ("key", key), ("pass", pass), ("app", app), ("video", video), ("ip", ip),
            ("success", success.map { String($0) }), ("datetime", try date(since, "--since").map { Terminal.date($0) }),
        ] {
            if let text { fields[name] = .string(text) }
        }
        let file = try ExportFile(output)
        let meter = ExportMeter(isWanted: progress || isatty(STDERR_FILENO) == 1)
        do {
            try await CallTransport.open(profile, timeout: timeout) { [fields] transport in
                if format == .csv { try file.write(AttemptRow.csvHead) }
                // No row has this id, so all have a smaller one.
                var position = Int64.max
                while let last = try await page(before: position, fields, transport, until: until, to: file, meter) {
                    position = last
                }
            }
            try file.finish()
        } catch {
            meter.end()
            file.abandon()
            throw error
        }
        meter.end()
    }

    /// Writes one page.
    /// - Returns: the smallest id on it; nil when there are no more rows.
    private func page(
        before position: Int64, _ fields: JSONObject, _ transport: CallTransport, until: String?, to file: ExportFile,
        _ meter: ExportMeter
    ) async throws -> Int64? {
        var fields = fields
        fields["before_id"] = .string(String(position))
        fields["limit"] = .string("1000")
        let rows = try await rows(fields, transport)
        guard !rows.isEmpty else { return nil }
        var text: [UInt8] = []
        var last = position
        for row in rows {
            guard let id = Int64(row["id"] ?? ""), id < last else {
                throw Failure("the server's pages do not go on: it is older than this program, or it is no Playhouse")
            }
            last = id
            // The texts of dates are in the order of dates.
            if let until, row["datetime"] ?? "" > until { continue }
            meter.rows += 1
            AttemptRow.append(row, as: format, to: &text)
        }
        try file.write(text)
        meter.show(upTo: rows.last?["datetime"] ?? "")
        return last
    }

    private struct Reply: Decodable {
        var status: String
        var message: String?
        var attempts: [[String: String]]?
    }

    /// The rows of one call. A server that says when to come again is asked again.
    private func rows(_ fields: JSONObject, _ transport: CallTransport) async throws -> [[String: String]] {
        for attempt in 1... {
            let answer = try await transport.call("sevu.errorlog", fields)
            if [429, 503].contains(answer.status), let seconds = answer.retryAfter, attempt < AttemptsExport.mostTries {
                try await Task.sleep(for: .seconds(min(max(seconds, 1), 30)))
                continue
            }
            guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(answer.body.readableBytesView)) else {
                throw Failure(
                    "HTTP \(answer.status), and no reply of the API: \(String(buffer: answer.body).prefix(500))")
            }
            guard reply.status == "success", let rows = reply.attempts else {
                throw Failure("the server says: \(reply.message ?? "nothing")")
            }
            return rows
        }
        return []
    }

    private static let mostTries = 10
}

/// One attempt as `sevu.errorlog` lists it, and as it is written.
enum AttemptRow {
    static let names = [
        "id", "datetime", "key", "pass", "ip", "video", "app", "appinst", "pageurl", "refurl", "success", "reason",
        "server_ip", "repeats",
    ]

    static let csvHead = Array((names.joined(separator: ",") + "\r\n").utf8)

    static func append(_ row: [String: String], as format: AttemptsExport.Format, to text: inout [UInt8]) {
        switch format {
        case .csv:
            for (number, name) in names.enumerated() {
                if number > 0 { text.append(UInt8(ascii: ",")) }
                appendField(row[name] ?? "", to: &text)
            }
            text.append(contentsOf: "\r\n".utf8)
        case .jsonl:
            var object = JSONObject()
            // What a newer server adds comes behind.
            for name in names + row.keys.filter({ !names.contains($0) }).sorted() {
                if let value = row[name] { object[name] = .string(value) }
            }
            text.append(contentsOf: JSONWriter.write(object, style: .raw))
            text.append(UInt8(ascii: "\n"))
        }
    }

    /// RFC 4180, section 2: quoted when it has to be, quotes in it doubled.
    private static func appendField(_ field: String, to text: inout [UInt8]) {
        let quote = UInt8(ascii: "\"")
        guard field.utf8.contains(where: { [quote, UInt8(ascii: ","), 0x0D, 0x0A].contains($0) }) else {
            text.append(contentsOf: field.utf8)
            return
        }
        text.append(quote)
        for byte in field.utf8 {
            if byte == quote { text.append(quote) }
            text.append(byte)
        }
        text.append(quote)
    }
}

/// Where an export goes. A file is there in whole or not at all.
private final class ExportFile {
    private let path: String?
    private let temporary: String
    private let handle: FileHandle

    init(_ path: String) throws {
        guard path != "-" else {
            self.path = nil
            temporary = ""
            handle = .standardOutput
            return
        }
        self.path = path
        temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).new"
        // Tickets and addresses stand in it.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be written: \(SystemError.text(errno))") }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func write(_ bytes: [UInt8]) throws {
        do {
            try handle.write(contentsOf: Data(bytes))
        } catch {
            throw Failure("\(path ?? "standard output") cannot be written: \(SystemError.text(errno))")
        }
    }

    func finish() throws {
        guard let path else { return }
        try handle.close()
        guard rename(temporary, path) == 0 else {
            throw Failure("\(path) cannot be written: \(SystemError.text(errno))")
        }
    }

    func abandon() {
        if path != nil { unlink(temporary) }
    }
}

/// A line on standard error that says how far an export is.
private final class ExportMeter {
    private let isWanted: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var isOpen = false
    var rows = 0

    init(isWanted: Bool) {
        self.isWanted = isWanted
    }

    func show(upTo date: String) {
        guard isWanted else { return }
        // On a terminal the line is written over.
        let line = "\(rows) rows, back to \(date)"
        FileHandle.standardError.write(Data((isTerminal ? "\r\(line)\u{1B}[K" : "\(line)\n").utf8))
        isOpen = isTerminal
    }

    func end() {
        if isOpen { FileHandle.standardError.write(Data("\n".utf8)) }
        isOpen = false
    }
}
