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
        let one = EntityHash.tag(of: "one".utf8)
        let two = EntityHash.tag(of: "two".utf8)
        #expect(one != two)
        #expect(one == EntityHash.tag(of: "one".utf8))
        #expect(one.hasPrefix("\"") && one.hasSuffix("\"") && one.count > 2)
        #expect(EntityTag.gzip("\"a\"") == "\"a-gz\"")
    }
}
