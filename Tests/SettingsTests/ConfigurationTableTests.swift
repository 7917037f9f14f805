import Foundation
import Testing

@testable import Settings

@Suite struct ConfigurationTableTests {
    @Test func `every key and every environment variable is there once`() {
        let names = ConfigurationKey.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Set(ConfigurationKey.all.map(\.variable)).count == names.count)
    }

    @Test func `every group has keys, and every key a group`() {
        #expect(Set(ConfigurationKey.all.map(\.group)) == Set(ConfigurationKey.groups.map(\.name)))
        #expect(ConfigurationKey.all.allSatisfy { !$0.member.isEmpty && !$0.member.contains(".") })
    }

    @Test(arguments: ConfigurationKey.all.map(\.name))
    func `every default is a value its own key accepts`(name: String) throws {
        let key = try #require(ConfigurationKey.all.first { $0.name == name })
        var configuration = PlayhouseConfiguration()
        try key.assign(key.defaultValue, &configuration)
        #expect(configuration == PlayhouseConfiguration())
    }

    @Test func `every stored property is some key's`() {
        // Each group is a struct whose members the table must name: a setting nobody can set is a mistake.
        var properties = 0
        for group in Mirror(reflecting: PlayhouseConfiguration()).children {
            properties += Mirror(reflecting: group.value).children.count
        }
        #expect(properties == ConfigurationKey.all.count)
    }

    @Test func `the names others rely on have their defaults`() {
        let defaults = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.name, $0.defaultValue) })
        #expect(defaults["http.listen"] == .scalar("0.0.0.0:8080"))
        #expect(defaults["rtmp.listen"] == .scalar("0.0.0.0:1935"))
        #expect(defaults["storage.path"] == .scalar("playhouse-data"))
        #expect(defaults["hls.segment_duration"] == .scalar("2"))
        #expect(defaults["hls.window"] == .scalar("6"))
        #expect(defaults["push.allow_private"] == .list([]))
        #expect(defaults["api.timestamp_window"] == .scalar("300"))
    }

    @Test func `the printed defaults are read back as the defaults`() throws {
        let file = ConfigurationFile(name: "default.yaml", text: ConfigurationReference.yaml)
        #expect(file.problems.isEmpty)
        #expect(Set(file.entries.keys) == Set(ConfigurationKey.all.map(\.name)))
        var printed = try PlayhouseConfiguration.load(file: file, environment: [:])
        var none = try PlayhouseConfiguration.load(file: String?.none, environment: [:])
        // The only thing that depends on where the file stands.
        printed.storage.path = ""
        none.storage.path = ""
        #expect(printed == none)
    }

    @Test func `docs/configuration.md is what the table says`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/configuration.md"), encoding: .utf8)
        #expect(
            page == ConfigurationReference.markdown,
            "run: playhouse config print-default --markdown > docs/configuration.md")
    }
}
