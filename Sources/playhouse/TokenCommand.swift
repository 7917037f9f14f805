import ArgumentParser
import Basics
import Foundation
import Usher

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make and explain signed tokens (hdnea), without a server.",
        discussion: """
            The secret is in $PLAYHOUSE_TOKEN_SECRET or in a file, never on the command line, where others could see it:
            32 to 256 hexadecimal digits, as `hmac_secrets` of the stream has them. A salt, where the stream has one
            (`hmac_salt`), is in $PLAYHOUSE_TOKEN_SALT or in a file as well.
            """,
        subcommands: [TokenMake.self, TokenExplain.self])
}

/// What tokens are signed with, from where others do not see it.
struct TokenSecretOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file with the secret, `-` for standard input (default: $PLAYHOUSE_TOKEN_SECRET).", valueName: "file"))
    var secretFile: String?

    @Option(help: ArgumentHelp("A file with the salt (default: $PLAYHOUSE_TOKEN_SALT, else none).", valueName: "file"))
    var saltFile: String?

    /// nil when neither file nor variable is given.
    func secret() throws -> HDNEASecret? {
        guard let text = try text(secretFile, "PLAYHOUSE_TOKEN_SECRET", "the secret") else { return nil }
        guard let secret = HDNEASecret(hexadecimal: text) else {
            throw Failure("the secret is not an even number of 2 to 256 hexadecimal digits")
        }
        return secret
    }

    func salt() throws -> String? {
        try text(saltFile, "PLAYHOUSE_TOKEN_SALT", "the salt")
    }

    private func text(_ file: String?, _ variable: String, _ what: String) throws -> String? {
        guard let file else {
            let text = ProcessInfo.processInfo.environment[variable] ?? ""
            return text.isEmpty ? nil : text
        }
        // A secret is short: whatever else the file is, it is not read whole.
        let handle = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
        guard let handle, let data = try? handle.read(upToCount: 4_096) ?? Data(),
            let text = String(validating: data, as: UTF8.self)
        else { throw Failure("\(file): \(what) cannot be read") }
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        guard !line.isEmpty else { throw Failure("\(file): \(what) is empty") }
        return line
    }
}

struct TokenMake: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make",
        abstract: "Sign a token and print it, or an address with it.",
        discussion: """
            The token goes behind the playlist's address as its query, or as a cookie; on RTMP behind the app or the stream.
            A path without a --acl is good for everything that is signed with this secret.

            Examples:
              PLAYHOUSE_TOKEN_SECRET=… playhouse token make --expires '+5 minutes' --acl '/demo-origin/play/show/*'
              playhouse token make --secret-file secret --ip 203.0.113.7 --url https://live.example.com/demo-origin/play/show/playlist.m3u8
            """)

    @OptionGroup var signing: TokenSecretOptions

    @Option(help: ArgumentHelp("The one address it is good for (default: any).", valueName: "address"))
    var ip: String?

    @Option(
        help: ArgumentHelp(
            "From when on: Unix seconds, 2030-01-31 12:00:00, +1 hour … (default: at once).", valueName: "time"))
    var start: String?

    @Option(help: ArgumentHelp("Until when, likewise.", valueName: "time"))
    var expires = "+6 hours"

    @Option(help: ArgumentHelp("Paths it is good for, * for any characters; may be repeated.", valueName: "pattern"))
    var acl: [String] = ["/*"]

    @Option(help: "An id of your session.")
    var id: String?

    @Option(help: "Text of your own, such as a viewer's name; logged with every attempt.")
    var data: String?

    @Option(help: ArgumentHelp("Print this address with the token in its query.", valueName: "url"))
    var url: String?

    func validate() throws {
        if let ip, IPAddress(ip) == nil { throw ValidationError("--ip must be an IPv4 or IPv6 address") }
        for (name, texts) in [("--acl", acl), ("--id", [id ?? ""]), ("--data", [data ?? ""])] {
            guard texts.allSatisfy({ text in text.unicodeScalars.allSatisfy { $0 != "~" && $0.value >= 0x20 } }) else {
                throw ValidationError(
                    "\(name) must not hold ~, which separates a token's fields, nor control characters")
            }
        }
        guard acl.allSatisfy({ !$0.isEmpty && !$0.contains("!") }) else {
            throw ValidationError("--acl must be a path without !, which separates several; repeat --acl instead")
        }
        guard [data, id].allSatisfy({ text in !(text ?? "").contains { "&#?+% ".contains($0) } }) else {
            throw ValidationError(
                "--id and --data must not hold spaces, &, #, ?, + or %, which mean something in an address")
        }
    }

    func run() throws {
        guard let secret = try signing.secret() else {
            throw Failure("no secret: set PLAYHOUSE_TOKEN_SECRET or give --secret-file")
        }
        let now = Date()
        let token = HDNEAToken(
            address: ip, start: try start.map { try Self.seconds($0, "--start", now: now) },
            expires: try Self.seconds(expires, "--expires", now: now), acl: acl, sessionID: id, payload: data)
        if let start = token.start, let expires = token.expires, start >= expires {
            throw Failure("--start must be before --expires")
        }
        let text = token.text(secret: secret, salt: try signing.salt())
        guard text.utf8.count <= HDNEAToken.maximumLength else {
            throw Failure("the token would be longer than \(HDNEAToken.maximumLength) bytes")
        }
        Terminal.print(url.map { "\($0)\($0.contains("?") ? "&" : "?")\(text)" } ?? text)
    }

    static func seconds(_ text: String, _ option: String, now: Date) throws -> Int64 {
        do throws(FieldProblem) {
            return Int64(try ExpiryParser.parse(text, now: now, field: option).timeIntervalSince1970)
        } catch {
            throw Failure(error.description)
        }
    }
}

struct TokenExplain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a token says, and with its secret whether it is good, and why or why not.",
        discussion: """
            Takes the token, or the whole address that it stands in; an address also says which path is asked for. Ends with
            exit code 1 when the token is not good.

            Examples:
              playhouse token explain 'hdnea=exp=1700021600~acl=/*~hmac=…'
              playhouse token explain --secret-file secret --ip 203.0.113.7 'https://live.example.com/demo-origin/play/show/playlist.m3u8?hdnea=…'
            """)

    @Argument(help: ArgumentHelp("The token, or an address with it.", valueName: "token"))
    var text: String

    @OptionGroup var signing: TokenSecretOptions

    @Option(
        help: ArgumentHelp(
            "The path asked for (default: the address's, else none is held against it).", valueName: "path"))
    var path: String?

    @Option(help: ArgumentHelp("The viewer's address (default: none is held against it).", valueName: "address"))
    var ip: String?

    @Option(help: ArgumentHelp("The moment to judge it at (default: now).", valueName: "time"))
    var at: String?

    func validate() throws {
        if let ip, IPAddress(ip) == nil { throw ValidationError("--ip must be an IPv4 or IPv6 address") }
    }

    func run() throws {
        let now = Date()
        let moment = try at.map { try TokenMake.seconds($0, "--at", now: now) } ?? Int64(now.timeIntervalSince1970)
        let (presented, addressPath) = Self.parts(text)
        let token: HDNEAToken
        let received: ReceivedHDNEAToken
        do throws(HDNEAToken.Failure) {
            received = try ReceivedHDNEAToken(presented)
            token = try received.token()
        } catch {
            throw Failure(
                "this is no token: it must be fields name=value with ~ between them, each once, whole numbers for st and exp, and "
                    + "hmac= with hexadecimal digits last")
        }
        var isGood = true
        var rows: [[String]] = []
        func row(_ name: String, _ value: String, _ verdict: String, _ holds: Bool = true) {
            isGood = isGood && holds
            rows.append([name, value, holds ? verdict : "NO: \(verdict)"])
        }
        row("name", received.name, received.name == "hdntl" ? "a session's cookie" : "for an address or a cookie")
        if let address = token.address {
            let isRight = ip.map { token.admits(address: $0) } ?? true
            row("ip", address, isRight ? "good from this address only" : "not good from \(ip ?? "")", isRight)
        } else {
            row("ip", "-", "good from any address")
        }
        if let start = token.start {
            row("st", "\(start)", "good from \(Self.date(start)) UTC on", moment >= start)
        }
        if let expires = token.expires {
            let isOver = moment >= expires
            row(
                "exp", "\(expires)",
                isOver ? "ran out \(Self.date(expires)) UTC" : "good until \(Self.date(expires)) UTC", !isOver)
        } else {
            row("exp", "-", "without an end it is never good", false)
        }
        let asked = path ?? addressPath
        let isForPath = asked.map { token.admits(path: $0) } ?? true
        let paths = token.acl.map { $0.joined(separator: " ") } ?? "-"
        row(
            "acl", paths,
            isForPath
                ? "the paths it is good for\(asked.map { ", \($0) among them" } ?? "")" : "not good for \(asked ?? "")",
            isForPath)
        if let id = token.sessionID { row("id", id, "the signer's session") }
        if let data = token.payload { row("data", data, "the signer's own") }
        if let secret = try signing.secret() {
            let salt = try signing.salt()
            let isSigned = received.isSigned(with: secret, salt: salt)
            let what = "this secret\(salt == nil ? "" : " and salt")"
            row("hmac", "…", isSigned ? "signed with \(what)" : Self.mismatch(received, secret, salt, what), isSigned)
        } else {
            row("hmac", "…", "not checked without a secret")
        }
        Terminal.print(Terminal.table(rows))
        if !isGood { throw ExitCode.failure }
    }

    /// The usual mistake is the salt, which PHP's sample never applies.
    private static func mismatch(
        _ token: ReceivedHDNEAToken, _ secret: HDNEASecret, _ salt: String?, _ what: String
    ) -> String {
        salt != nil && token.isSigned(with: secret, salt: nil)
            ? "signed with this secret without the salt" : "not signed with \(what), or changed since"
    }

    /// The token and, of an address, its path.
    private static func parts(_ text: String) -> (token: String, path: String?) {
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")), let scheme = text.range(of: "://") else {
            return (text, nil)
        }
        let host = text[scheme.upperBound..<mark]
        let path = host.utf8.firstIndex(of: UInt8(ascii: "/")).map { PercentCoding.lenientText(of: host[$0...].utf8) }
        let query = text[text.utf8.index(after: mark)...].prefix { $0 != "#" }
        let value = query.split(separator: "&").first { $0.hasPrefix("hdnea=") }
        return (value.map { PercentCoding.lenientText(of: $0.utf8) } ?? String(query), path)
    }

    private static func date(_ seconds: Int64) -> String {
        Terminal.date(Date(timeIntervalSince1970: Double(min(seconds, 253_402_300_799))))
    }
}
