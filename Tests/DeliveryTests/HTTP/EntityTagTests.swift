import Basics
import NIOCore
import Testing

@testable import Delivery

@Suite struct EntityTagTests {
    @Test(
        "If-None-Match names a tag alone, in a list, weakened, or by a star",
        arguments: [
            ("\"a-1\"", true),
            ("W/\"a-1\"", true),
            ("\"x\", \"a-1\"", true),
            ("\"x,\\\", \"a-1\"", true),
            ("*", true),
            (" * ", true),
            ("\"a-1", false),
            ("a-1", false),
            ("\"a-1-gz\"", false),
            ("\"A-1\"", false),
            ("", false),
        ] as [(String, Bool)])
    func ifNoneMatch(field: String, expected: Bool) {
        #expect(EntityTag.isNamed("\"a-1\"", byIfNoneMatch: field) == expected)
    }

    @Test("other content has another tag, and so has its gzip form")
    func tags() {
        func tag(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { EntityHash.tag(of: $0) } }
        let one = tag("one")
        let two = tag("two")
        #expect(one != two)
        #expect(one == tag("one"))
        #expect(one.hasPrefix("\"") && one.hasSuffix("\"") && one.count > 2)
        #expect(EntityTag.gzip("\"a\"") == "\"a-gz\"")
    }
}
