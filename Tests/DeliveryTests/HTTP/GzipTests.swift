import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Delivery

@Suite struct GzipTests {
    @Test("gzip(1) reads what is compressed here")
    func foreignProgram() async throws {
        let text = String(repeating: "#EXTINF:2.000000,\nmedia_1.ts\n", count: 200)
        let compressed = try #require(Gzip.compress(ByteBuffer(string: text)))
        #expect(compressed.readableBytes < 300)
        let result = try await ForeignProgram.run(["gzip", "-dc"], input: Data(compressed.readableBytesView))
        #expect(result.status == 0)
        #expect(result.text == text)
    }

    @Test("a playlist too short to gain has no gzip form")
    func short() {
        #expect(PlaylistBody(ByteBuffer(string: "#EXTM3U\n")).gzipped == nil)
    }

    @Test("the gzip form is made once")
    func once() throws {
        let body = PlaylistBody(ByteBuffer(string: String(repeating: "#EXTINF:2.0,\n", count: 100)))
        let first = try #require(body.gzipped)
        let second = try #require(body.gzipped)
        let addresses = [first, second].map { $0.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } }
        #expect(addresses[0] == addresses[1])
    }
}
