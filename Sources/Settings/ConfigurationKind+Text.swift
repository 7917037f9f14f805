import Basics
import Usher

extension ConfigurationKind<String> {
    /// A folder or a file; anything but nothing.
    static var path: Self {
        .scalar(
            type: "path", expectation: "a path",
            parse: { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 }, print: { $0 })
    }

    /// A host name or an address, or nothing.
    static var hostOrEmpty: Self {
        .scalar(
            type: "host", expectation: "a host name or an address, without a port",
            parse: { text in
                if text.isEmpty { return text }
                guard text.utf8.count <= 253 else { return nil }
                if text.contains(":") {
                    // An IPv6 address, with or without its brackets.
                    let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
                    return HostPort("[\(bare)]:0").map(\.host)
                }
                return text.utf8.allSatisfy(HostPort.isNameByte) ? text : nil
            }, print: { $0 })
    }

    /// The value of `Access-Control-Allow-Origin`: `*`, one origin, or nothing.
    static var corsOrigin: Self {
        .scalar(
            type: "origin", expectation: "*, an origin such as https://www.example.com, or \"\"",
            parse: { text in
                if text.isEmpty || text == "*" { return text }
                guard let colons = text.firstRange(of: "://"), ["http", "https"].contains(text[..<colons.lowerBound])
                else { return nil }
                let host = text[colons.upperBound...]
                let isHost =
                    !host.isEmpty && host.utf8.count <= 300
                    && host.utf8.allSatisfy { byte in
                        HostPort.isNameByte(byte) || ":[]".utf8.contains(byte)
                    }
                return isHost ? text : nil
            }, print: { $0 })
    }
}

extension ConfigurationKind<[WildcardPattern]> {
    /// Names with `*` for any run of characters.
    static var patterns: Self {
        .list(
            of: "patterns", expectation: "a list of names, in which * stands for any run of characters",
            parse: { text in
                let isPattern = !text.isEmpty && text.utf8.count <= 255 && !text.contains(where: \.isWhitespace)
                return isPattern ? WildcardPattern(text) : nil
            }, print: \.description)
    }

    /// `app/stream`, either with `*`.
    static var streamPatterns: Self {
        .list(
            of: "app/stream patterns",
            expectation: "a list of app/stream, in which * stands for any run of characters",
            parse: { text in
                let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
                let isPattern = parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
                guard isPattern, text.utf8.count <= 512, !text.contains(where: \.isWhitespace) else { return nil }
                return WildcardPattern(text)
            }, print: \.description)
    }
}

extension ConfigurationKind<[IPNetwork]> {
    static var networks: Self {
        .list(
            of: "CIDR blocks", expectation: "a list of networks, such as [10.0.0.0/8, \"fd00::/8\"]",
            parse: { IPNetwork($0) }, print: \.description)
    }
}
