extension AdobeAuthentication {
    /// A user name and password for a push.
    public struct Credentials: Sendable, Hashable {
        public var user: String
        public var password: String

        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// What a refused client does next.
    public enum ClientStep: Sendable, Hashable {
        /// The client connects again, with this query (`?authmod=adobe&…`) appended to the application and to tcUrl.
        case reconnect(appQuery: String)
        /// The client gives up: the server refuses the login, or asks for it again although it was given. The value is a
        /// sentence that says which.
        case failed(String)
    }

    /// Reads a refused connect's description.
    ///
    /// - Parameters:
    ///   - tried: the query of the connection that was refused; nil for the first connection.
    ///   - clientChallenge: eight hexadecimal digits, new for each answer.
    /// - Returns: nil when the refusal has nothing to do with this authentication.
    public static func clientStep(
        description: String, credentials: Credentials, tried: String?, clientChallenge: String
    ) -> ClientStep? {
        guard contains(description, "authmod=adobe") else { return nil }
        if contains(description, "?reason=authfailed") {
            return .failed("The server refused the user name or password.")
        }
        if contains(description, "?reason=nosuchuser") {
            return .failed("The server does not know the user name.")
        }
        if contains(description, "code=403 need auth") {
            guard tried == nil else { return .failed("The server asks for a login again after it was given.") }
            return .reconnect(appQuery: "?authmod=adobe&user=\(credentials.user)")
        }
        guard let query = suffix(of: description, from: "?reason=needauth") else {
            return .failed("The server asks for a login in a way that is not understood.")
        }
        if let tried, contains(tried, "&response=") {
            return .failed("The server asks for a login again after it was given.")
        }
        let parameters = RTMPParameters(query: query)
        guard let salt = parameters["salt"] else { return .failed("The server's challenge has no salt.") }
        let opaque = parameters["opaque"].flatMap { $0.isEmpty ? nil : $0 }
        let verifier = verifier(user: credentials.user, salt: salt, password: credentials.password)
        let response = response(
            verifier: verifier, challenge: opaque ?? parameters["challenge"] ?? "", clientChallenge: clientChallenge)
        return .reconnect(
            appQuery: "?authmod=adobe&user=\(credentials.user)&challenge=\(clientChallenge)&response=\(response)"
                + (opaque.map { "&opaque=\($0)" } ?? ""))
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        suffix(of: text, from: part) != nil
    }

    private static func suffix(of text: String, from part: String) -> Substring? {
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(part) { return rest }
            rest.removeFirst()
        }
        return nil
    }
}
