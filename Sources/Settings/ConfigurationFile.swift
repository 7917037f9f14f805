import Foundation
import Yams

/// The settings of one YAML file as text, each with its line, and what is wrong with the file itself: keys that do not
/// exist, keys given twice, maps and lists where they do not belong. Values are not looked at here.
package struct ConfigurationFile {
    struct Entry {
        var value: RawSetting
        var line: Int?
    }

    /// A configuration has a hundred lines; a file of more than this is something else.
    static let maximumBytes = 1 << 20

    /// As it was named on the command line; messages begin with it.
    let name: String
    private(set) var entries: [String: Entry] = [:]
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads the file at `path`. A file that cannot be read is a problem like others.
    init(path: String) {
        name = path
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            if data.count > Self.maximumBytes {
                fail(.unreadable, nil, "is larger than \(ByteCount.text(Self.maximumBytes))")
            } else if let text = String(data: data, encoding: .utf8) {
                read(text)
            } else {
                fail(.unreadable, nil, "is not UTF-8 text")
            }
        } catch CocoaError.fileReadNoSuchFile {
            fail(.unreadable, nil, "cannot be read: there is no such file")
        } catch CocoaError.fileReadNoPermission {
            fail(.unreadable, nil, "cannot be read: permission denied")
        } catch {
            fail(.unreadable, nil, "cannot be read")
        }
    }

    /// Takes `text` for the content of a file called `name`.
    package init(name: String, text: String) {
        self.name = name
        read(text)
    }

    private mutating func read(_ text: String) {
        do {
            guard let root = try Yams.compose(yaml: text), !root.isNothing else { return }
            guard case .mapping(let groups) = root else {
                return fail(.shape, root, "expected a map of keys, such as http.listen: 0.0.0.0:8080")
            }
            for (key, value) in groups {
                readTop(key, value)
            }
        } catch let error as YamlError {
            fail(error, in: text)
        } catch {
            fail(.syntax, nil, "is not YAML")
        }
    }

    /// One member of the outermost map: a group of keys, or a key with its dot.
    private mutating func readTop(_ key: Node, _ value: Node) {
        guard let word = key.scalar?.string else {
            return fail(.shape, key, "expected the name of a key, found \(key.shape)")
        }
        if word.contains(".") { return readSetting(word, key, value) }
        let members = ConfigurationKey.all.filter { $0.group == word }.map(\.member)
        guard !members.isEmpty else {
            return fail(.unknown, key, "unknown key" + Self.suggestion(word), key: word)
        }
        // A group all of whose keys are commented out.
        if value.isNothing { return }
        guard case .mapping(let settings) = value else {
            let list = members.joined(separator: ", ")
            return fail(.shape, key, "expected a map of keys (\(list)), found \(value.shape)", key: word)
        }
        for (member, value) in settings {
            guard let name = member.scalar?.string else {
                fail(.shape, member, "expected the name of a key, found \(member.shape)", key: word)
                continue
            }
            readSetting("\(word).\(name)", member, value)
        }
    }

    private mutating func readSetting(_ name: String, _ key: Node, _ value: Node) {
        guard let definition = ConfigurationKey.all.first(where: { $0.name == name }) else {
            return fail(.unknown, key, "unknown key" + Self.suggestion(name), key: name)
        }
        if let first = entries[name] {
            let place = first.line.map { ", first on line \($0)" } ?? ""
            return fail(.duplicate, key, "given twice\(place)", key: name)
        }
        switch value {
        case _ where value.isNothing:
            fail(.shape, key, "expected \(definition.expectation), found nothing", key: name)
        case .scalar(let scalar) where definition.mayBeSingle:
            let texts = scalar.string.trimmed.isEmpty ? [] : [scalar.string]
            entries[name] = Entry(value: .list(texts), line: key.mark?.line)
        case .scalar(let scalar) where definition.isList:
            let found = RawSetting.quoted(scalar.string)
            fail(.shape, key, "expected \(definition.expectation), found the single value \(found)", key: name)
        case .scalar(let scalar):
            entries[name] = Entry(value: .scalar(scalar.string), line: key.mark?.line)
        case .sequence(let nodes) where definition.isList:
            let texts = nodes.compactMap { $0.isNothing ? nil : $0.scalar?.string }
            guard texts.count == nodes.count else {
                return fail(
                    .shape, key, "expected \(definition.expectation), found an element that is no text", key: name)
            }
            entries[name] = Entry(value: .list(texts), line: key.mark?.line)
        default:
            fail(.shape, key, "expected \(definition.expectation), found \(value.shape)", key: name)
        }
    }

    /// `; did you mean hls.window?`, or nothing.
    static func suggestion(_ word: String) -> String {
        let names = ConfigurationKey.all.map(\.name)
        let candidates = word.contains(".") ? names : ConfigurationKey.groups.map(\.name) + names
        if let near = NearestName.of(word, among: candidates) { return "; did you mean \(near)?" }
        // The right name in the wrong group, or in none.
        let last = word.split(separator: ".").last.map(String.init) ?? word
        let sameMember = ConfigurationKey.all.filter { $0.member == last }.map(\.name)
        return sameMember.isEmpty ? "" : "; did you mean \(sameMember.joined(separator: " or "))?"
    }

    private mutating func fail(
        _ code: ConfigurationProblem.Code, _ node: Node?, _ sentence: String, key: String? = nil
    ) {
        fail(code, line: node?.mark?.line, sentence, key: key)
    }

    private mutating func fail(
        _ code: ConfigurationProblem.Code, line: Int?, _ sentence: String, key: String? = nil
    ) {
        problems.append(ConfigurationProblem(code, at: .file(name, line: line), key: key, sentence))
    }

    private mutating func fail(_ error: YamlError, in text: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            let line = lines.indices.contains(mark.line - 1) ? lines[mark.line - 1] : ""
            let hint = line.contains("[:") ? " (an IPv6 address must stand in quotes: \"[::]:8080\")" : ""
            fail(.syntax, line: mark.line, "is not YAML: \(problem)\(hint)")
        case .duplicatedKeysInMapping(let names, let context):
            for name in names {
                fail(.duplicate, line: context.mark.line, "given twice in the same map", key: name)
            }
        case .reader(let problem, _, _, _):
            fail(.syntax, nil, "is not YAML: \(problem)")
        default:
            fail(.syntax, nil, "is not YAML")
        }
    }
}

extension Node {
    /// Whether it is an empty document, `~`, `null`, or a key with nothing after it.
    var isNothing: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// How a message names what stands in the wrong place.
    var shape: String {
        switch self {
        case .scalar(let scalar): RawSetting.quoted(scalar.string)
        case .mapping: "a map"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
