import ArgumentParser
import Origin
import Settings

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the origin until SIGTERM or SIGINT.",
        discussion: """
            SIGTERM and SIGINT end it in order: encoders, viewers and pushes are told, the log is written out. The settings
            are explained by `playhouse config print-default`.

            SIGUSR2 lets the program that stands now where this one was started from take its place, with its process number,
            listening sockets, playlists and viewing sessions; if that one would not start, this one goes on. Listening sockets
            are taken from systemd as well (LISTEN_FDS). See docs/operations.md.

            Examples:
              playhouse serve
              playhouse serve --config /etc/playhouse.yaml
              PLAYHOUSE_HTTP_LISTEN=127.0.0.1:9000 playhouse serve
            """)

    @OptionGroup var settings: ConfigurationOption

    @Option(
        help: ArgumentHelp(
            "Only say whether it would start, and go on with what a server of this version of state leaves.",
            valueName: "version", visibility: .hidden))
    var wouldResume: Int?

    func run() async throws {
        let configuration = try settings.load()
        if let wouldResume {
            let problems = configuration.certificateProblems(in: settings.path)
            guard problems.isEmpty else {
                Terminal.complain(ConfigurationProblems(problems).description)
                throw ExitCode.configuration
            }
            guard wouldResume == OriginServer.stateVersion else {
                Terminal.complain(
                    "it goes on with state of version \(OriginServer.stateVersion), not \(wouldResume): restart instead"
                )
                throw ExitCode.failure
            }
            return
        }
        try await OriginServer(configuration: configuration).run()
    }
}
