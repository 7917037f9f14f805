/// Which environment variables are the configuration's.
enum ConfigurationEnvironment {
    /// Those that begin with `PLAYHOUSE_` and are not settings: the command line's own.
    static let reserved: Set<String> = [
        "PLAYHOUSE_CONFIG", "PLAYHOUSE_PROFILE", "PLAYHOUSE_TOKEN_SECRET", "PLAYHOUSE_TOKEN_SALT",
    ]

    /// `PLAYHOUSE_*` variables that are no key's, by name. A name that nearly fits is as much a mistake as one in the file:
    /// the setting somebody wanted would silently not hold.
    static func problems(_ environment: [String: String]) -> [ConfigurationProblem] {
        let known = Set(ConfigurationKey.all.map(\.variable))
        return environment.keys.sorted()
            .filter { name in
                name.hasPrefix(ConfigurationKey.variablePrefix) && !known.contains(name) && !reserved.contains(name)
                    && !isServiceLink(name)
            }
            .map { name in
                let near = NearestName.of(name, among: known.sorted()).map { "; did you mean \($0)?" } ?? ""
                return ConfigurationProblem(
                    .unknown, at: .variable(name), key: nil, "no setting has this environment variable" + near)
            }
    }

    /// Kubernetes gives every container such variables of a service called `playhouse`.
    private static func isServiceLink(_ name: String) -> Bool {
        name.hasPrefix("PLAYHOUSE_SERVICE_") || name == "PLAYHOUSE_PORT" || name.hasPrefix("PLAYHOUSE_PORT_")
    }
}
