import Basics
import Testing

@testable import Usher

@Suite struct WildcardTests {
    @Test(
        "A wildcard matches the names it stands for",
        arguments: [
            ("mystream", "mystream", true), ("mystream", "Mystream", false), ("mystream", "mystream2", false),
            ("*", "", true), ("*", "a/b/c", true), ("**", "x", true), ("", "", true), ("", "a", false),
            ("demo-*", "demo-origin", true), ("demo-*", "demo-", true), ("demo-*", "demo", false),
            ("my_folder/*", "my_folder/sub/file.mp4", true), ("*.mp4", "a/b.mp4", true), ("*.mp4", "a/b.mp4x", false),
            ("a*a", "a", false), ("a*a", "aa", true), ("a*b*c", "aXbXc", true), ("a*b*c", "aXcXb", false),
            ("a*bc*bc", "abcbc", true), ("a*bc*bc", "abc", false), ("*b*", "abc", true), ("ab**c", "abc", true),
            ("é*", "étoile", true),
        ])
    func matches(pattern: String, text: String, isMatch: Bool) {
        #expect(Wildcard(pattern).matches(text) == isMatch)
    }

    @Test("Many stars do not take for ever")
    func manyStarsDoNotTakeForEver() {
        let pattern = String(repeating: "a*", count: 2000) + "b"
        #expect(!Wildcard(pattern).matches(String(repeating: "a", count: 5000)))
    }

    @Test(
        "A list of wildcards matches what any of them does",
        arguments: [
            ("mystream|mystream_*", "mystream_720p", true), ("mystream | other", "other", true), ("|", "", false),
            ("", "a", false), ("a||b", "", false),
        ])
    func listsMatch(list: String, text: String, isMatch: Bool) {
        #expect(WildcardList(list).matches(text) == isMatch)
    }

    @Test("Lists in requests are checked")
    func listsOfRequestsAreChecked() throws {
        try WildcardList.validate("demo-*|other", field: "app")
        #expect(throws: FieldProblem.self) { try WildcardList.validate(" | ", field: "app") }
        #expect(throws: FieldProblem.self) {
            try WildcardList.validate(String(repeating: "a|", count: 200), field: "video")
        }
        #expect(throws: FieldProblem.self) {
            try WildcardList.validate(String(repeating: "a", count: 5000), field: "video")
        }
    }

    @Test(
        "Prefixes that players put before a name are taken off",
        arguments: [
            ("mp4:a/b.mp4", "a/b.mp4"), ("flv:x", "x"), ("smil:s.smil", "s.smil"), ("mp4", "mp4"),
            ("mp4:mp4:x", "mp4:x"),
            ("MP4:x", "MP4:x"),
        ])
    func prefixesOfPlayersGo(name: String, normal: String) {
        #expect(VideoName.normalized(name) == normal)
    }

    @Test(
        "A rendition is a form of its stream",
        arguments: [
            ("S_360p", "S"), ("a_b_1080p", "a_b"), ("S.smil", "S"), ("S_360", nil), ("_360p", nil), ("S_p", nil),
            ("S_36x0p", nil), ("S", nil), ("S_1234567p", nil), (".smil", nil),
            ("S_audio_de", "S"), ("a_b_audio_zh-Hant-TW", "a_b"), ("S_audio", nil), ("_audio_de", nil),
            ("S_audio_d", nil),
            ("S_audio_d3", nil), ("S_audio_de-", nil), ("S_audio_german", nil), ("S_de", nil),
            ("S_audio_360p", "S_audio"),
        ] as [(String, String?)])
    func renditionsAreForms(name: String, source: String?) {
        #expect(VideoName.source(of: name) == source)
    }

    @Test(
        "Apps have aliases for playback",
        arguments: [
            ("demo-live", "demo-origin"), ("demo-origin", "demo-live"), ("demo-channel", "demo-chorigin"),
            ("demo-chorigin", "demo-channel"), ("demo-vod", nil),
        ] as [(String, String?)])
    func appsHaveAliases(app: String, alias: String?) {
        #expect(AppName.alias(of: app) == alias)
    }
}
