import RTMP

extension PushFailure {
    /// A destination's `onStatus` or refused command.
    /// - Parameter secrets: hidden in what it says.
    init(status: RTMPStatus, secrets: [String]) {
        let said = Secret.redacted(
            [status.code, status.description].filter { !$0.isEmpty }.joined(separator: ": "), hiding: secrets)
        let code = status.code.lowercased()
        let words = status.description.lowercased()
        if code.contains("codec") || words.contains("unsupported codec") || words.contains("codec not supported") {
            self.init(.codecRefused, "the destination does not take the stream's codec (\(said))")
            return
        }
        switch code {
        case "netstream.publish.badname", "netstream.publish.denied", "netstream.publish.unauthorized",
            "netstream.publish.rejected":
            self.init(.streamRefused, "the destination refuses the stream (\(said))")
        case "netconnection.connect.rejected" where PushFailure.isAboutLogin(words):
            self.init(.loginRefused, "the destination refuses the login (\(said))")
        case "netconnection.connect.rejected", "netconnection.connect.invalidapp":
            self.init(.streamRefused, "the destination refuses the application (\(said))")
        default:
            self.init(
                .endedByDestination, "the destination ended the stream (\(said.isEmpty ? "no reason given" : said))")
        }
    }

    /// A destination that broke the protocol, or did not answer in time.
    init(protocol error: RTMPError) {
        switch error.code {
        case .timeout: self.init(.timeout, error.message)
        default: self.init(.protocolError, "the destination does not speak RTMP as it should: \(error.message)")
        }
    }

    private static func isAboutLogin(_ words: String) -> Bool {
        ["auth", "login", "password", "user", "credential"].contains { words.contains($0) }
    }
}
