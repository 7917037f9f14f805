import ArgumentParser
import Origin
import Settings

/// The program: each command is one file beside this one.
@main
struct Playhouse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "playhouse",
        abstract: "A live video origin of your own: RTMP in, HLS and RTMP out, pushes to other platforms.",
        discussion: """
            First steps:
              playhouse account create demo
              playhouse serve
            Exit codes:
              0   done
              1   failed; the reason is on standard error
              64  wrong usage of the command line
              78  wrong configuration; every mistake is on standard error
            Environment:
              PLAYHOUSE_CONFIG   the configuration file where no --config is given
              PLAYHOUSE_PROFILE  the profile of `call` and `attempts` where no --profile is given
              PLAYHOUSE_TOKEN_…  secret and salt of `token`
              PLAYHOUSE_…        settings, over the file (playhouse config print-default)
            """,
        version: PlayhouseVersion.current,
        subcommands: [
            ServeCommand.self, AccountCommand.self, KeyCommand.self, CallCommand.self, ExplainCommand.self,
            TokenCommand.self, AttemptsCommand.self, LoadCommand.self, ConfigCommand.self, VersionCommand.self,
        ])
}
