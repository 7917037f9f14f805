import ArgumentParser
import Origin

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the origin until SIGTERM or SIGINT.",
        discussion: """
            SIGTERM and SIGINT end it in order: encoders, viewers and pushes are told, the log is written out. The settings
            are explained by `playhouse config print-default`.

            Examples:
              playhouse serve
              playhouse serve --config /etc/playhouse.yaml
              PLAYHOUSE_HTTP_LISTEN=127.0.0.1:9000 playhouse serve
            """)

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let configuration = try settings.load()
        try await OriginServer(configuration: configuration).run()
    }
}
