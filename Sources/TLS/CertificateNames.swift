/// Which of several certificates a client wants: by the name it asks for and the names that stand in them (RFC 6125 §6.4).
struct CertificateNames: Sendable {
    private var exact: [String: Int] = [:]
    /// By what follows the star and its dot.
    private var wildcards: [String: Int] = [:]

    /// - Parameter certificates: the names in each, as they stand there. Of two certificates with the same name the first has it.
    init(_ certificates: [[String]]) {
        for (index, names) in certificates.enumerated() {
            for name in names.map(Self.normalized) {
                if name.hasPrefix("*.") {
                    let parent = String(name.dropFirst(2))
                    wildcards[parent] = wildcards[parent] ?? index
                } else {
                    exact[name] = exact[name] ?? index
                }
            }
        }
    }

    /// The certificate with that name, else the one with a star in the place of its first label, else the first.
    /// - Parameter name: in small letters and without a dot at its end.
    func index(for name: String?) -> Int {
        guard let name else { return 0 }
        if let index = exact[name] { return index }
        guard let dot = name.firstIndex(of: ".") else { return 0 }
        return wildcards[String(name[name.index(after: dot)...])] ?? 0
    }

    /// In small letters and without a dot at its end.
    static func normalized(_ name: String) -> String {
        let name = name.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
