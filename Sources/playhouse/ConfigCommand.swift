import Admission
import ArgumentParser
import ControlAPI
import Foundation
import Origin
import Settings
import TLS

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check the configuration, or print the defaults.",
        subcommands: [ConfigCheck.self, ConfigPrintDefault.self])
}

struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say everything that is wrong with the configuration file and the environment.",
        discussion: """
            Ends with exit code 0, or 78 when something is wrong.

            Examples:
              playhouse config check --config playhouse.yaml
              playhouse config check --config playhouse.yaml --json
            """)

    @OptionGroup var settings: ConfigurationOption

    @Flag(help: "Print {\"valid\":…,\"problems\":[{\"code\",\"origin\",\"key\",\"message\"}],\"warnings\":[…]}.")
    var json = false

    func run() throws {
        guard json else {
            let configuration = try settings.load()
            let problems = configuration.certificateProblems(in: settings.path)
            guard problems.isEmpty else {
                Terminal.complain(ConfigurationProblems(problems).description)
                throw ExitCode.configuration
            }
            Terminal.print("\(settings.path ?? "defaults and environment"): ok")
            for warning in warnings(configuration) { Terminal.print("note: \(warning)") }
            return
        }
        var problems: [ConfigurationProblem] = []
        var warnings: [String] = []
        do throws(ConfigurationProblems) {
            let configuration = try PlayhouseConfiguration.load(
                file: settings.path, environment: ProcessInfo.processInfo.environment)
            problems = configuration.certificateProblems(in: settings.path)
            warnings = self.warnings(configuration)
        } catch {
            problems = error.problems
        }
        let rows = problems.map { problem in
            JSONValue.object([
                "code": .string(problem.code.rawValue), "origin": .string(problem.origin.description),
                "key": problem.key.map(JSONValue.string) ?? .null, "message": .string(problem.sentence),
            ])
        }
        Terminal.print(
            Terminal.json(
                .object([
                    "valid": .bool(problems.isEmpty), "problems": .array(rows),
                    "warnings": .array(warnings.map(JSONValue.string)),
                ])))
        if !problems.isEmpty { throw ExitCode.configuration }
    }

    /// What the server would start with, and somebody may not mean.
    private func warnings(_ configuration: PlayhouseConfiguration) -> [String] {
        let certificates = configuration.certificateFiles.flatMap { group, files in
            ServerCertificates.check(group: group, files: files).notes.map(\.description)
        }
        let library = configuration.player.hlsJS
        let isMissing = !library.isEmpty && !FileManager.default.isReadableFile(atPath: library)
        let player = isMissing ? ["player.hls_js: \(library) cannot be read"] : []
        return certificates + player + countryWarnings(configuration)
    }

    private func countryWarnings(_ configuration: PlayhouseConfiguration) -> [String] {
        let paths = configuration.usher.countryDatabases
        guard !paths.isEmpty else {
            return ["usher.country_database: there is none, so lists of countries admit nobody"]
        }
        return paths.compactMap { path in
            do throws(CountryDatabase.Failure) {
                try CountryDatabase.check(path: path)
                return nil
            } catch {
                let consequence = CountryDatabase.consequence(ofMissingOneOf: paths.count)
                return "usher.country_database: \(error); until it can be read, \(consequence)"
            }
        }
    }
}

extension PlayhouseConfiguration {
    /// What the server would not start with, or nobody would trust.
    /// - Parameter path: of the configuration's file.
    func certificateProblems(in path: String?) -> [ConfigurationProblem] {
        let origin = path.map { ConfigurationProblem.Origin.file($0, line: nil) } ?? .standard
        return certificateFiles.flatMap { group, files in
            ServerCertificates.check(group: group, files: files).problems.map {
                ConfigurationProblem(.certificate, at: origin, key: $0.setting, $0.sentence)
            }
        }
    }
}

struct ConfigPrintDefault: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print-default",
        abstract: "Print a configuration file with every key, its default and what it is for.",
        discussion: """
            Example:
              playhouse config print-default > playhouse.yaml
            """)

    @Flag(help: "Print the reference in docs/configuration.md instead.")
    var markdown = false

    func run() {
        let text = markdown ? ConfigurationReference.markdown : ConfigurationReference.yaml
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
