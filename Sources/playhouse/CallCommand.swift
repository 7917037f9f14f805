import ArgumentParser
import ControlAPI
import Foundation
import NIOCore

struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Sign and send an API command and print the reply.",
        discussion: """
            Fields are field=value for text (numbers may be sent so too), and
            field:=json for lists, objects, true, false and null. URL and keys come
            from the profile, never from the command line, where others could see
            them. Ends with exit code 1 when the reply's status is failure.

            The profile is a YAML file that only you may read (chmod 600):
              url: http://127.0.0.1:8080/stable/
              cdn: 1
              api_key: APX…
              private_key: …
              ca_file: ca.pem   (optional: certificates of a private authority)

            Examples:
              playhouse call app.list
              playhouse call sevu.request app=demo-origin video=mystream pass=v1 uses=5
              playhouse call pushpublish.services filters:='{"app":"demo-origin"}'
              playhouse call sevu.errorcount --raw | jq .error_count

            The commands, whose fields docs/api.md has:
            \(commandNames)
            """)

    /// A line for the commands of one kind.
    private static var commandNames: String {
        var lines: [String] = []
        for name in CommandRegistry.descriptions.map(\.name) {
            let kind = name.prefix { $0 != "." }
            if lines.last?.hasPrefix("  \(kind).") == true {
                lines[lines.count - 1] += " \(name)"
            } else {
                lines.append("  \(name)")
            }
        }
        return lines.joined(separator: "\n")
    }

    @Argument(help: "The command, such as sevu.request.")
    var command: String

    @Argument(help: ArgumentHelp("Its fields.", valueName: "field=value"))
    var fields: [String] = []

    @Option(
        help: ArgumentHelp(
            "The profile (default: $PLAYHOUSE_PROFILE, else ~/.config/playhouse/profile.yaml).", valueName: "file"))
    var profile: String?

    @Option(help: ArgumentHelp("Further fields as one JSON object.", valueName: "object"))
    var jsonFields: String?

    @Flag(help: "Ask for a reply in PHP's serialize() format.")
    var php = false

    @Flag(help: "Print the reply byte for byte.")
    var raw = false

    @Flag(help: "Accept a profile that others may read.")
    var insecureProfile = false

    @Option(help: "Seconds to wait for the reply.")
    var timeout = 30

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 3600") }
        do throws(Failure) {
            try refuseUnknown(try CallFields.parse(fields, object: jsonFields))
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// The server would take no notice of them, and a ticket asked for with a mistyped limit would have none. What a command
    /// is that this version does not know the server may say.
    private func refuseUnknown(_ fields: JSONObject) throws(Failure) {
        guard let description = CommandRegistry.description(of: command),
            let name = description.unknownFields(in: fields.members.map(\.name)).first
        else { return }
        let guess = description.suggestion(for: name).map { "; did you mean \($0)?" } ?? ""
        throw Failure("\(description.name) has no field \(name)\(guess)")
    }

    func run() async throws {
        let path = profile ?? Profile.standardPath(ProcessInfo.processInfo.environment)
        let profile = try Profile.read(path, allowsOthers: insecureProfile)
        var fields = try CallFields.parse(fields, object: jsonFields)
        // Equal calls within a second would be one: whoever types a command twice means it twice.
        if CommandRegistry.description(of: command)?.isMutating ?? false, fields["request_id"] == nil {
            fields["request_id"] = .string(String(UInt64.random(in: .min ... .max), radix: 16))
        }
        let reply = try await CallTransport.open(profile, timeout: timeout) { [fields] transport in
            try await transport.call(command, fields, as: php ? "php" : "json")
        }
        let body = String(buffer: reply.body)
        let isSuccess = ReplyText.isSuccess(body, isPHP: php)
        guard isSuccess != nil || reply.status == 200 else {
            throw Failure("\(profile.url) answered HTTP \(reply.status): \(body.prefix(500))")
        }
        if raw {
            FileHandle.standardOutput.write(Data(body.utf8))
        } else {
            Terminal.print(php ? body : ReplyText.indented(body))
        }
        guard let isSuccess else { throw Failure("the reply has no status: is \(profile.url) the API?") }
        if !isSuccess { throw ExitCode.failure }
    }
}
