import NIOCore
import Testing

@testable import Load

@Suite struct ResponseReaderTests {
    /// Statuses and bodies, given so many bytes at a time.
    private func read(_ text: String, by step: Int) throws -> [String] {
        var reader = ResponseReader()
        var pieces: [String] = []
        var left = ByteBuffer()
        var rest = ByteBuffer(string: text)
        while let slice = rest.readSlice(length: min(step, rest.readableBytes)), slice.readableBytes > 0 {
            left.writeImmutableBuffer(slice)
            while let piece = try reader.next(&left) {
                switch piece {
                case .head(let head): pieces.append("\(head.status)\(head.isKeptAlive ? "" : " close"):")
                case .body(let body): pieces[pieces.count - 1] += String(buffer: body)
                case .end: pieces[pieces.count - 1] += "."
                }
            }
        }
        if reader.closed() { pieces[pieces.count - 1] += "." }
        return pieces
    }

    @Test("Responses are read however they are cut", arguments: [1, 2, 3, 7, 16, 1_000])
    func responsesAreReadHoweverTheyAreCut(_ step: Int) throws {
        let text =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: content-length: 9\r\n\r\nhello"
            + "HTTP/1.1 100 Continue\r\n\r\n"
            + "HTTP/1.1 404 Not Found\r\ncontent-LENGTH:0\r\n\r\n"
            + "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
            + "HTTP/1.0 200 OK\r\n\r\nuntil the end"
        #expect(
            try read(text, by: step) == [
                "200:hello.", "404:.", "304:.", "200:abc0123456789.", "200 close:ok.", "200 close:until the end.",
            ])
    }

    @Test(
        "What is no response is an error",
        arguments: [
            "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n\r\n", "HTTP/1.1 999 Odd\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", String(repeating: "x", count: 20_000),
        ])
    func noResponse(_ text: String) {
        #expect(throws: ResponseReader.Problem.self) { try read(text, by: 1_000) }
    }
}
