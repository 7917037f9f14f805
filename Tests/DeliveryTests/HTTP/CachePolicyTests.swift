import HTTPTypes
import Testing

@testable import Delivery

@Suite struct CachePolicyTests {
    @Test(
        "what caches are told",
        arguments: [
            (.publicPlaylist(targetDuration: 2), "public, max-age=1"),
            (.publicPlaylist(targetDuration: 1), "public, max-age=1"),
            (.publicPlaylist(targetDuration: 10), "public, max-age=5"),
            (.publicFile, "public, max-age=31536000, immutable"),
            (.sessionPlaylist, "private, no-cache"),
            (.sessionFile, "private, max-age=60"),
            (.never, "private, no-store"),
            (.missing, "public, max-age=1"),
        ] as [(CachePolicy, String)])
    func headers(policy: CachePolicy, expected: String) {
        #expect(policy.headerValue == expected)
    }

    @Test("all origins: a star, the same for everybody")
    func allOrigins() throws {
        var reply = PlaybackReply(.ok, nil)
        CrossOrigin(allowedOrigins: ["*"]).apply(to: &reply, origin: "https://a.example")
        #expect(try reply.fields()[.accessControlAllowOrigin] == "*")
        #expect(try reply.fields()[.vary] == nil)
    }

    @Test(
        "listed origins: each is told its own name, others nothing, and caches keep them apart",
        arguments: [
            ("https://a.example", "https://a.example"),
            ("https://c.example", nil),
            (nil, nil),
        ] as [(String?, String?)])
    func listedOrigins(origin: String?, expected: String?) throws {
        var reply = PlaybackReply(.ok, nil)
        CrossOrigin(allowedOrigins: ["https://a.example", "https://b.example"]).apply(to: &reply, origin: origin)
        #expect(try reply.fields()[.accessControlAllowOrigin] == expected)
        #expect(try reply.fields()[.vary] == "Origin")
    }
}
