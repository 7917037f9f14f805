import Testing

@testable import Delivery

@Suite struct ContentCodingTests {
    @Test(
        "gzip is chosen where it is accepted and not liked less than the plain bytes",
        arguments: [
            ([], false),
            ([""], false),
            (["gzip"], true),
            (["GZIP"], true),
            (["x-gzip"], true),
            (["br, deflate"], false),
            (["deflate, gzip;q=1.0, *;q=0.5"], true),
            (["gzip;q=0"], false),
            (["gzip; q=0.000"], false),
            (["gzip ; q=0.001"], true),
            (["gzip;q=0.5, identity;q=1"], false),
            (["gzip;q=0.5, identity;q=0.5"], true),
            (["gzip;q=0.5;identity"], true),
            (["*"], true),
            (["*;q=0"], false),
            (["*;q=0, gzip;q=0.1"], true),
            (["identity"], false),
            (["br", "gzip"], true),
            (["gzip;q=2"], false),
            (["gzip;q=1.1"], false),
            (["gzip;q="], false),
            (["gzip;q=0.1234"], false),
            (["gzip;level=9"], true),
            ([",,;,;q=1,"], false),
        ] as [([String], Bool)])
    func negotiation(fields: [String], expected: Bool) {
        #expect(ContentCoding.prefersGzip(fields) == expected)
    }
}
