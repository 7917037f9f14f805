import Admission
import ArgumentParser
import Basics
import Foundation
import Logging
import Origin
import Storage
import Usher

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say who may publish and watch a stream, and why or why not.",
        discussion: """
            Looks into the store and the configuration. Nothing is charged, and no attempt is logged. Ends with exit code 1
            when the viewer would be refused.

            Examples:
              playhouse explain demo-origin/show
              playhouse explain demo-origin/paid --ip 192.0.2.7 --key KEY --pass PASS
            """)

    @Argument(help: ArgumentHelp("The stream, or the path of a video.", valueName: "app/stream"))
    var stream: String

    @Option(help: ArgumentHelp("The viewer's address.", valueName: "address"))
    var ip: String?

    @Option(help: "The ticket's key.")
    var key: String?

    @Option(help: "The ticket's pass, which others on this machine see in the list of processes.")
    var pass: String?

    @Option(help: "The signed token, hdnea=…, as for the stream's playlist.")
    var token: String?

    @OptionGroup var settings: ConfigurationOption

    func validate() throws {
        guard name != nil else {
            throw ValidationError("the stream must be APP/STREAM, such as demo-origin/show, without an instance")
        }
        if let ip, IPAddress(ip) == nil { throw ValidationError("--ip must be an IPv4 or IPv6 address") }
    }

    /// The app by the name it is published under, and the stream.
    private var name: (app: String, stream: String)? {
        let parts = stream.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let app = parts.first, let stream = parts.last else { return nil }
        guard StreamAddress.isValidName(app), !stream.isEmpty,
            app.hasSuffix("-vod") || StreamAddress.isValidName(stream)
        else { return nil }
        return (AppName.published(app), VideoName.normalized(stream))
    }

    func run() async throws {
        guard let name else { throw ExitCode.failure }
        let configuration = try settings.load()
        let facts = ViewerFacts(
            key: key, pass: pass, token: token,
            path: "/\(stream.replacing("/", with: "/play/", maxReplacements: 1))/playlist.m3u8",
            address: ip ?? "", app: name.app, instance: "play", video: name.stream)
        let folder = configuration.storage.path
        let explanation = try await StoreAccess.with(configuration) { store in
            let secret = try ServerSecret.load(folder: folder)
            let countries = configuration.countries(logger: Logger(label: "playhouse"))
            countries?.refresh()
            return try await Admissions(
                store: store, configuration: configuration.admission, secret: secret, countries: countries
            ).explain(facts)
        }
        Terminal.print(text(explanation, name))
        if case .refused = explanation.answer, isAboutViewer { throw ExitCode.failure }
    }

    private func text(_ explanation: Explanation, _ name: (app: String, stream: String)) -> String {
        var lines = ["\(name.app)/\(name.stream)"]
        if let account = explanation.account {
            let state = account.suspension.map { ", suspended: \($0)" } ?? ""
            lines.append("account  \(account.user), CDN \(account.id)\(state)")
        } else {
            lines.append("account  none: no account's name begins the app's")
        }
        lines.append("publish  \(publishers(explanation))")
        lines.append("watch    \(viewers(explanation, name))")
        if let answer = answer(explanation.answer) { lines.append("viewer   \(answer)") }
        return lines.joined(separator: "\n")
    }

    private var isAboutViewer: Bool { key != nil || ip != nil || token != nil }

    private func publishers(_ explanation: Explanation) -> String {
        guard let first = explanation.publishers.first else {
            return "nobody: neither the stream nor the app's * has a user (sevu.addstreamuser)"
        }
        if explanation.account?.suspension != nil { return "nobody: the account is suspended" }
        let place = first.stream == "*" ? "the app's *" : "the stream"
        if explanation.publishers.contains(where: { $0.user == nil }) {
            return "anybody, says a user of \(place) without a login"
        }
        let names = explanation.publishers.compactMap(\.user)
        return "with a password: \(names.joined(separator: ", ")), by \(place)"
    }

    private func viewers(_ explanation: Explanation, _ name: (app: String, stream: String)) -> String {
        guard explanation.account != nil else { return "nobody: the app is no account's" }
        let rule =
            switch explanation.protection {
            case .open: "anybody"
            case .sevu: "with a ticket"
            case .hmac: "with a signed token"
            case .geoip: "by country and network"
            }
        switch explanation.authority {
        case .pattern(let pattern): return "\(rule), says \(pattern) of usher.protected"
        case .settings(name.stream): return "\(rule), say the stream's settings"
        case .settings("*"): return "\(rule), say the settings of the app's *"
        case .settings(let other): return "\(rule), say the settings of \(other), which it is a rendition of"
        case .configuration: return "\(rule), says usher.default_protection"
        }
    }

    /// nil when no viewer was asked about.
    private func answer(_ answer: Explanation.Answer) -> String? {
        guard isAboutViewer else { return nil }
        switch answer {
        case .open: return "admitted, no ticket is asked for"
        case .inPlace: return "admitted, by country or network"
        case .signed(let date): return "admitted: the token is good until \(Terminal.date(date))"
        case .joins: return "admitted: a session of the ticket runs from there, which costs no use"
        case .refused(let reason): return "refused: \(reason.rawValue)"
        case .admitted(let ticket, let claim):
            let left = ticket.remainingUses.map { "one of \($0) uses that are left" } ?? "no limit of uses"
            let bound = claim.map { ", and binds the ticket to \($0)" } ?? ""
            return "admitted: costs \(left)\(bound); the ticket expires \(Terminal.date(ticket.expires))"
        }
    }
}
