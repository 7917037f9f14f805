import Testing

@testable import Delivery

@Suite struct ByteRangeTests {
    @Test(
        "a single range is cut to the body, nonsense is ignored, one past the end is refused",
        arguments: [
            (nil, 100, .whole),
            ("bytes=0-", 100, .part(0..<100)),
            ("bytes=0-0", 100, .part(0..<1)),
            ("bytes=10-19", 100, .part(10..<20)),
            ("Bytes=10-19", 100, .part(10..<20)),
            ("bytes=90-1000", 100, .part(90..<100)),
            ("bytes=99-", 100, .part(99..<100)),
            ("bytes=100-", 100, .unsatisfiable),
            ("bytes=100-200", 100, .unsatisfiable),
            ("bytes=-10", 100, .part(90..<100)),
            ("bytes=-1000", 100, .part(0..<100)),
            ("bytes=-0", 100, .unsatisfiable),
            ("bytes=-", 100, .whole),
            ("bytes=20-10", 100, .whole),
            ("bytes=0-1,5-6", 100, .whole),
            ("items=0-1", 100, .whole),
            ("bytes=a-b", 100, .whole),
            ("bytes=+1-2", 100, .whole),
            ("bytes=--5", 100, .whole),
            ("bytes=5-99999999999999999999999", 100, .part(5..<100)),
            ("bytes=99999999999999999999999-", 100, .unsatisfiable),
            ("bytes=-99999999999999999999999", 100, .part(0..<100)),
            ("bytes=0-", 0, .unsatisfiable),
            ("bytes=-5", 0, .unsatisfiable),
        ] as [(String?, Int, ByteRange)])
    func range(field: String?, length: Int, expected: ByteRange) {
        #expect(ByteRange.parse(field, length: length) == expected)
    }
}
