import Basics
import Testing

@Suite("Percent-encoding") struct PercentCodingTests {
    @Test(
        "All but unreserved characters is escaped, and read back as it was",
        arguments: [
            ("plain-._~09", "plain-._~09"), ("a&b=c?d#e/f", "a%26b%3Dc%3Fd%23e%2Ff"),
            ("ü \n\"", "%C3%BC%20%0A%22"), ("100%+1", "100%25%2B1"), ("\0", "%00"), ("", ""),
        ])
    func encoding(text: String, encoded: String) {
        #expect(PercentCoding.encode(text) == encoded)
        #expect(PercentCoding.strictText(of: encoded.utf8) == text)
        #expect(PercentCoding.bytes(of: encoded.utf8, plusIsSpace: true) == Array(text.utf8))
    }

    @Test("What is to be kept stays, byte for byte")
    func kept() {
        #expect(PercentCoding.encode("/a b?c=1%20", keeping: "/?=%") == "/a%20b?c=1%20")
        #expect(PercentCoding.encode("ü/", keeping: "/") == "%C3%BC/")
    }

    @Test("A broken escape is no text, or stays as it is", arguments: ["%", "%4", "%zz", "a%", "%C3"])
    func broken(text: String) {
        #expect(PercentCoding.strictText(of: text.utf8) == nil)
        if text != "%C3" { #expect(PercentCoding.lenientText(of: text.utf8) == text) }
    }
}
