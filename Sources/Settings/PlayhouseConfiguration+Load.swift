import Configuration
import Foundation

extension PlayhouseConfiguration {
    /// The defaults, under what the file says, under what the environment says.
    ///
    /// - Parameters:
    ///   - file: The YAML file; nil: none is read.
    ///   - environment: All environment variables; those that begin with `PLAYHOUSE_` count.
    /// - Throws: Everything that is wrong, not only the first thing.
    public static func load(
        file: String?, environment: [String: String]
    ) throws(ConfigurationProblems) -> PlayhouseConfiguration {
        try load(file: file.map(ConfigurationFile.init(path:)), environment: environment)
    }

    package static func load(
        file: ConfigurationFile?, environment: [String: String]
    ) throws(ConfigurationProblems) -> PlayhouseConfiguration {
        var configuration = PlayhouseConfiguration()
        var problems = file?.problems ?? []
        var environmentProblems = ConfigurationEnvironment.problems(environment)
        var origins: [String: ConfigurationProblem.Origin] = [:]

        func assign(_ raw: RawSetting, to key: ConfigurationKey, from origin: ConfigurationProblem.Origin)
            -> ConfigurationProblem?
        {
            do throws(UnacceptableValue) {
                try key.assign(raw, &configuration)
                origins[key.name] = origin
                return nil
            } catch {
                return ConfigurationProblem(
                    .value, at: origin, key: key.name, "expected \(key.expectation), found \(error.found)")
            }
        }

        let reader = reader(file: file, environment: environment)
        for key in ConfigurationKey.all {
            let isOverridden = environment[key.variable] != nil
            if let entry = file?.entries[key.name], let file {
                // A wrong value is reported even where the environment hides it: some day it will not.
                let raw = isOverridden ? entry.value : reader.raw(key) ?? entry.value
                let origin = ConfigurationProblem.Origin.file(file.name, line: entry.line)
                if let problem = assign(raw, to: key, from: origin) { problems.append(problem) }
            }
            if isOverridden, let raw = reader.raw(key),
                let problem = assign(raw, to: key, from: .variable(key.variable))
            {
                environmentProblems.append(problem)
            }
        }
        problems.sort { $0.line < $1.line }
        problems += environmentProblems
        problems += configuration.conflicts(origins)
        guard problems.isEmpty else { throw ConfigurationProblems(problems) }
        configuration.complete(file: file?.name, origins: origins)
        return configuration
    }

    /// Environment over file.
    private static func reader(file: ConfigurationFile?, environment: [String: String]) -> ConfigReader {
        let variables = EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "playhouse")
        let values = (file?.entries ?? [:]).map { name, entry in
            let content: ConfigContent =
                switch entry.value {
                case .scalar(let text): .string(text)
                case .list(let texts): .stringArray(texts)
                }
            return (AbsoluteConfigKey(ConfigKey(name)), ConfigValue(content, isSecret: false))
        }
        let settings = InMemoryProvider(name: file?.name, values: Dictionary(values) { first, _ in first })
        return ConfigReader(providers: [variables, settings])
    }

    /// What no single key can say: settings that contradict each other.
    private func conflicts(_ origins: [String: ConfigurationProblem.Origin]) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func require(_ holds: Bool, _ key: String, atLeast other: String) {
            guard !holds else { return }
            // Whoever set one of the two is to be told where; the default is nobody's mistake.
            let isBlamed = origins[key] != nil
            let origin = origins[key] ?? origins[other] ?? .standard
            let sentence = isBlamed ? "must be at least \(other)" : "must be at most \(key)"
            problems.append(ConfigurationProblem(.conflict, at: origin, key: isBlamed ? key : other, sentence))
        }
        require(
            hls.segmentMaxDuration >= hls.segmentDuration, "hls.segment_max_duration", atLeast: "hls.segment_duration")
        require(push.retryMax >= push.retryInitial, "push.retry_max", atLeast: "push.retry_initial")
        require(limits.memory == 0 || limits.memory >= live.gopBytes, "limits.memory", atLeast: "live.gop_bytes")
        require(
            (limits.connectionsReserved ?? 0) <= limits.connections, "limits.connections",
            atLeast: "limits.connections_reserved")
        func blame(_ keys: [String], _ sentence: String) {
            let key = keys.first { origins[$0] != nil } ?? keys[0]
            problems.append(ConfigurationProblem(.conflict, at: origins[key] ?? .standard, key: key, sentence))
        }
        let listeners: [(key: String, address: HostPort?)] = [
            ("http.listen", http.listen), ("rtmp.listen", rtmp.listen), ("https.listen", https.listen),
            ("rtmps.listen", rtmps.listen),
        ]
        for (index, later) in listeners.enumerated() {
            for earlier in listeners.prefix(index)
            where earlier.address == later.address && earlier.address.map({ $0.port != 0 }) ?? false {
                blame([later.key, earlier.key], "\(earlier.key) and \(later.key) are the same address")
            }
        }
        for (group, tls) in [("https", https), ("rtmps", rtmps)]
        where !tls.keys.isEmpty && tls.keys.count != tls.certificates.count {
            blame(
                ["\(group).key", "\(group).certificate"],
                "\(group).certificate names \(tls.certificates.count) files and \(group).key \(tls.keys.count)")
        }
        if https.listen != nil, https.certificates.isEmpty {
            blame(["https.listen"], "https.certificate names no file")
        }
        if rtmps.listen != nil, rtmps.certificates.isEmpty, https.certificates.isEmpty {
            blame(["rtmps.listen"], "neither rtmps.certificate nor https.certificate names a file")
        }
        return problems
    }

    /// Fills in what depends on the machine: the host's name, its cores and memory, and where relative paths start.
    private mutating func complete(file: String?, origins: [String: ConfigurationProblem.Origin]) {
        if server.publicHost.isEmpty {
            let name = ProcessInfo.processInfo.hostName
            server.publicHost = name.isEmpty || name == "localhost" ? "127.0.0.1" : name
        }
        if server.eventLoops == 0 { server.eventLoops = Machine.cores() }
        if limits.memory == 0 { limits.memory = max(64 << 20, Machine.memory() / 2) }
        if limits.connectionsReserved == nil {
            limits.connectionsReserved = limits.connections > 1 ? max(1, limits.connections / 50) : 0
        }
        func absolute(_ path: String, _ key: String, isFolder: Bool) -> String {
            var base = URL(fileURLWithPath: FileManager.default.currentDirectoryPath, isDirectory: true)
            if let file {
                var isFromEnvironment = false
                if case .variable = origins[key] { isFromEnvironment = true }
                if !isFromEnvironment { base = URL(fileURLWithPath: file).deletingLastPathComponent() }
            }
            return URL(fileURLWithPath: path, isDirectory: isFolder, relativeTo: base).standardizedFileURL.path
        }
        storage.path = absolute(storage.path, "storage.path", isFolder: true)
        https.complete { absolute($0, "https.\($1)", isFolder: false) }
        rtmps.complete { absolute($0, "rtmps.\($1)", isFolder: false) }
        if rtmps.certificates.isEmpty { (rtmps.certificates, rtmps.keys) = (https.certificates, https.keys) }
        if !player.hlsJS.isEmpty { player.hlsJS = absolute(player.hlsJS, "player.hls_js", isFolder: false) }
        usher.countryDatabases = usher.countryDatabases.map {
            absolute($0, "usher.country_database", isFolder: false)
        }
    }
}

extension PlayhouseConfiguration.TLS {
    /// - Parameter absolute: makes a path absolute, given the member that names it.
    fileprivate mutating func complete(_ absolute: (_ path: String, _ member: String) -> String) {
        certificates = certificates.map { absolute($0, "certificate") }
        keys = keys.isEmpty ? certificates : keys.map { absolute($0, "key") }
    }
}

extension ConfigReader {
    /// A key's text from whichever provider has it first.
    fileprivate func raw(_ key: ConfigurationKey) -> RawSetting? {
        let name = ConfigKey(key.name)
        guard key.isList else { return string(forKey: name).map(RawSetting.scalar) }
        guard let texts = stringArray(forKey: name) else { return nil }
        // A variable set to nothing is an empty list, not a list of one empty text.
        return .list(texts == [""] ? [] : texts)
    }
}

extension ConfigurationProblem {
    fileprivate var line: Int {
        if case .file(_, .some(let line)) = origin { line } else { 0 }
    }
}
