import ArgumentParser
import ControlAPI
import Foundation
import Origin
import Settings

/// `--config`, for every command that needs the settings.
struct ConfigurationOption: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "The configuration file (default: $PLAYHOUSE_CONFIG; without either, the defaults hold).", valueName: "file"
        ))
    var file: String?

    /// The file that is meant.
    var path: String? {
        if let file { return file }
        let named = ProcessInfo.processInfo.environment["PLAYHOUSE_CONFIG"] ?? ""
        return named.isEmpty ? nil : named
    }

    /// The settings; or every mistake on standard error and exit code 78.
    func load() throws -> PlayhouseConfiguration {
        do throws(ConfigurationProblems) {
            return try PlayhouseConfiguration.load(file: path, environment: ProcessInfo.processInfo.environment)
        } catch {
            Terminal.complain(error.description)
            throw ExitCode.configuration
        }
    }
}

extension ExitCode {
    /// `EX_CONFIG` of sysexits.h.
    static let configuration = ExitCode(78)
}
