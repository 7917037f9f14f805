import ArgumentParser
import Basics
import Foundation
import Load
import NIOCore
import Synchronization

struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Be viewers, publishers or the destination of pushes, many at once, and say what they see.",
        discussion: """
            Viewers come with rtmp://…, or with http://…/playlist.m3u8: those are players of HLS, of low-latency HLS where the server
            has it, that fetch what a player fetches when it does and throw it away; http://…/manifest.mpd makes players of DASH.
            Publishers send an FLV file in real time, over and over; the number of each stands behind the stream's name. With
            --receive it listens, lets in whoever publishes, and counts what comes: a destination for pushes. Everything runs on one core; the report says when
            this program, and not the server, was the bottleneck. Ctrl-C ends it with a report.

            Examples:
              playhouse load http://127.0.0.1:8080/demo-origin/play/show/playlist.m3u8 --count 2000 --duration 30
              playhouse load rtmp://127.0.0.1/demo-origin/live/show http://127.0.0.1:8080/demo-origin/play/show/playlist.m3u8 --count 100
              playhouse load --publish show.flv rtmp://127.0.0.1/demo-origin/live/show --count 50 --ramp 10
              playhouse load --receive 127.0.0.1:1936 --count 200
            """)

    @Argument(help: ArgumentHelp("Where to; viewers go to several in turn.", valueName: "url"))
    var urls: [String] = []

    @Option(help: "How many viewers, publishers, or pushes.")
    var count = 1

    @Option(help: ArgumentHelp("The time in which they come; 0: as fast as they are let in.", valueName: "seconds"))
    var ramp = 0.0

    @Option(
        help: ArgumentHelp("How long is measured when all run; without it until Ctrl-C.", valueName: "seconds"))
    var duration: Double?

    @Option(help: ArgumentHelp("Be publishers, and send this.", valueName: "file.flv"))
    var publish: String?

    @Option(help: ArgumentHelp("Be the destination of pushes, over RTMP.", valueName: "address:port"))
    var receive: String?

    @Option(
        help: ArgumentHelp(
            "A ticket for each viewer, one a line, as it stands in an address: key=…&pass=…", valueName: "file"))
    var tickets: String?

    @Flag(help: "HLS viewers know nothing of low latency, and DASH viewers take whole segments only.")
    var plain = false

    @Flag(help: "Trust any certificate.")
    var insecure = false

    @Option(help: ArgumentHelp("Write the last report there as JSON.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard urls.isEmpty != (receive == nil) else {
            throw ValidationError(
                urls.isEmpty ? "there is no address to go to" : "--receive goes to no address; pushes come to it")
        }
        guard receive == nil || publish == nil && tickets == nil else {
            throw ValidationError("--receive goes with neither --publish nor --tickets")
        }
        guard (1...1_000_000).contains(count) else { throw ValidationError("--count must be from 1 to 1000000") }
        guard (0...86_400).contains(ramp) else { throw ValidationError("--ramp must be from 0 to 86400") }
        guard (0.1...1e6).contains(duration ?? 1) else {
            throw ValidationError("--duration must be from 0.1 to 1000000")
        }
        do {
            _ = try targets()
        } catch let problem as LoadProblem {
            throw ValidationError(problem.description)
        }
    }

    func run() async throws {
        let screen = LoadScreen()
        let run: LoadRun
        do {
            run = try LoadRun(plan()) { screen.show($0) }
        } catch let problem as LoadProblem {
            throw Failure(problem.description)
        }
        let interrupt = DispatchSource.makeSignalSource(signal: SIGINT)
        interrupt.setEventHandler { run.stop() }
        interrupt.resume()
        let report = try await run.run()
        interrupt.cancel()
        screen.finish(report)
        if let json {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            do {
                try (encoder.encode(report) + Data("\n".utf8)).write(to: URL(fileURLWithPath: json), options: .atomic)
            } catch {
                throw Failure("\(json) cannot be written: \(error.localizedDescription)")
            }
        }
        guard report.groups.contains(where: { $0.start != nil }) else { throw Failure("nobody got in") }
    }

    private func targets() throws -> [LoadTarget] {
        if let receive { return [try LoadTarget(receivingOn: receive)] }
        return try urls.map { try LoadTarget($0, publishes: publish != nil) }
    }

    private func plan() throws -> LoadPlan {
        var plan = LoadPlan(targets: try targets(), count: count)
        plan.ramp = .nanoseconds(Int64(ramp * 1e9))
        plan.duration = duration.map { .nanoseconds(Int64($0 * 1e9)) }
        plan.recording = try publish.map { try Recording(path: $0) }
        plan.wantsLowLatency = !plain
        plan.trustsAnyCertificate = insecure
        guard let tickets else { return plan }
        guard let text = try? String(contentsOfFile: tickets, encoding: .utf8) else {
            throw LoadProblem("\(tickets) cannot be read")
        }
        plan.tickets = text.split(whereSeparator: \.isWhitespace).map { String($0) }
        guard plan.tickets.count >= count else {
            throw LoadProblem("\(tickets) has \(plan.tickets.count) tickets for \(count) viewers")
        }
        return plan
    }
}

/// Where the state of a load is shown: on a terminal a table that is written over, else a line a second.
private final class LoadScreen: Sendable {
    private struct State {
        /// Lines of the table that stand on the terminal.
        var lines = 0
        var saidRunning = false
    }

    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let state = Mutex(State())

    func show(_ report: LoadReport) {
        if isTerminal {
            let text = LoadText.table(report)
            state.withLock { state in
                let back = state.lines > 0 ? "\u{1B}[\(state.lines)A" : ""
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                FileHandle.standardOutput.write(
                    Data((back + lines.map { "\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J").utf8))
                state.lines = lines.count
            }
            return
        }
        let isFirst = state.withLock { state in
            defer { state.saidRunning = state.saidRunning || report.seconds >= 0 }
            return report.seconds >= 0 && !state.saidRunning
        }
        // Whoever has started this waits for it.
        if isFirst { Terminal.print("running \(report.running)") }
        for group in report.groups { Terminal.print(LoadText.line(group, at: report.seconds)) }
    }

    func finish(_ report: LoadReport) {
        if isTerminal { show(report) } else { Terminal.print(LoadText.table(report)) }
    }
}

/// Reports in words.
enum LoadText {
    /// One line of a group, for logs.
    static func line(_ group: LoadGroupReport, at seconds: Double) -> String {
        let errors = group.errors.values.reduce(0, +)
        let wait = group.wait.map {
            ", wait p50 \(milliseconds($0.p50)) p99 \(milliseconds($0.p99)) worst \(milliseconds($0.worst))"
        }
        return """
            \(Int(seconds)) s: \(group.group): \(group.running) of \(group.wanted), \(bits(group.bitsPerSecond)), \
            \(group.stalls) stalls, \(errors) errors\(wait ?? "")
            """
    }

    static func table(_ report: LoadReport) -> String {
        let head = ["", "running", "finished", "gone", "rate", "answers", "stalls", "stalled", "errors"]
        var text = Terminal.table(
            [head]
                + report.groups.map { group in
                    [
                        group.group + (group.lowLatency > 0 ? " (\(group.lowLatency) at low latency)" : ""),
                        "\(group.running) of \(group.wanted)", "\(group.finished)", "\(group.gone)",
                        bits(group.bitsPerSecond), "\(group.answers)",
                        "\(group.stalls)" + (group.stalling > 0 ? " (\(group.stalling) now)" : ""),
                        "\(group.stalledSeconds) s", "\(group.errors.values.reduce(0, +))",
                    ]
                })
        var delays: [[String]] = []
        for group in report.groups {
            for (name, delay) in [
                ("until the first media", group.start), ("wait for what is ready", group.wait),
                ("answer to a request", group.request), ("behind the server's clock", group.behind),
            ] {
                guard let delay else { continue }
                delays.append(
                    ["\(group.group): \(name)"] + [delay.p50, delay.p90, delay.p99, delay.worst].map(milliseconds)
                        + ["\(delay.count)"])
            }
        }
        if !delays.isEmpty {
            text += "\n\n" + Terminal.table([["", "p50", "p90", "p99", "worst", "times"]] + delays)
        }
        for group in report.groups {
            for (error, count) in group.errors.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(10) {
                text += "\n\(count) × \(group.group): \(error)"
            }
        }
        let own = report.own
        text += "\n\nthis program: \(percent(own.cpu)) of a processor"
        if let lag = own.lag { text += ", late by \(milliseconds(lag.p99)) (p99), \(milliseconds(lag.worst)) at worst" }
        for limit in own.limits { text += "\nTHIS PROGRAM WAS THE BOTTLENECK: \(limit)." }
        return text
    }

    private static func milliseconds(_ value: Double) -> String {
        value < 10 ? "\((value * 10).rounded() / 10) ms" : "\(Int(value.rounded())) ms"
    }

    private static func bits(_ rate: Int) -> String {
        rate >= 1_000_000_000
            ? "\((Double(rate) / 1e7).rounded() / 100) Gbit/s" : "\((Double(rate) / 1e4).rounded() / 100) Mbit/s"
    }

    private static func percent(_ part: Double) -> String {
        "\(Int((part * 100).rounded())) %"
    }
}
