/// One thing wrong with the configuration: where it stands, which key, and what was expected.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Code: String, Sendable, Hashable {
        /// The file cannot be read, or is too large.
        case unreadable
        /// The file is not YAML.
        case syntax
        /// There is no such key or environment variable.
        case unknown
        /// The key is given twice.
        case duplicate
        /// A map, a list or a single value stands where another of them belongs.
        case shape
        /// The value is not of the key's type, or out of its range.
        case value
        /// The value does not go with another key's.
        case conflict
        /// A certificate or its key cannot be used, or is not valid now.
        case certificate
    }

    /// Where a value came from.
    public enum Origin: Sendable, Hashable, CustomStringConvertible {
        case file(String, line: Int?)
        case variable(String)
        /// Nobody gave it: the default.
        case standard

        public var description: String {
            switch self {
            case .file(let name, .some(let line)): "\(name):\(line)"
            case .file(let name, nil): name
            case .variable(let name): name
            case .standard: "default"
            }
        }
    }

    public var code: Code
    public var origin: Origin
    /// The key (`http.listen`), or nil when the problem is of the whole file or the variable's own name.
    public var key: String?
    /// What was expected and what was found.
    public var sentence: String

    public init(_ code: Code, at origin: Origin, key: String?, _ sentence: String) {
        self.code = code
        self.origin = origin
        self.key = key
        self.sentence = sentence
    }

    /// `playhouse.yaml:3: hls.window: expected a whole number from 3 to 60, found "two"`.
    public var description: String {
        guard let key else { return "\(origin): \(sentence)" }
        // A variable's name says which key it is.
        if case .variable = origin { return "\(origin): \(sentence)" }
        return "\(origin): \(key): \(sentence)"
    }
}

/// Everything wrong with the configuration, found in one go: the file's problems in its order, then the environment's.
public struct ConfigurationProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public var problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    /// One line each.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
