import Live
import NIOCore
import RTMP
import TestSupport
import Testing

@testable import RTMPServer

@Suite("What is kept of an RTMP client") struct RTMPClientTests {
    private func client(_ object: AMFObject) throws -> RTMPClient {
        var session = ServerSession(now: .uptimeNanoseconds(1))
        try session.receive(ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 3_072)), now: .uptimeNanoseconds(1))
        let connect = RTMPCommand("connect", transactionID: 1, object: .object(object))
        try session.receive(TestPeer.bytes(connect.message(streamID: 0)), now: .uptimeNanoseconds(1))
        guard case .connectRequested(let request)? = try session.nextEvent() else {
            throw ProgramFailure(description: "no connect")
        }
        return RTMPClient(request)
    }

    @Test(
        "App, instance and name come together however the client divides them",
        arguments: [
            ("demo-origin/live", "show", "demo-origin/live/show"),
            ("demo-origin", "show", "demo-origin/live/show"),
            ("demo-origin", "stage/show", "demo-origin/stage/show"),
            ("demo-origin/_definst_", "show", "demo-origin/live/show"),
            ("/demo-origin/live/", "show", "demo-origin/live/show"),
        ])
    func address(app: String, name: String, expected: String) throws {
        #expect(try client(["app": .string(app)]).address(of: StreamName(name)).description == expected)
    }

    @Test("A parameter of the stream name goes before one of the app")
    func parameters() throws {
        let client = try client(["app": "demo-origin?user=a&pass=b&other=c"])
        #expect(client.parameter("user", of: StreamName("show?user=d")) == "d")
        #expect(client.parameter("pass", of: StreamName("show?user=d")) == "b")
        #expect(client.parameter("key", of: StreamName("show")) == nil)
    }

    @Test("Texts of any length are kept only to their first 256 bytes, and whole characters")
    func textsAreCut() throws {
        let long = String(repeating: "ä", count: 5_000)
        let client = try client([
            "app": "demo-origin", "flashVer": .string("x" + long), "pageUrl": .string(long), "swfUrl": .string(long),
        ])
        #expect(client.software == "x" + String(repeating: "ä", count: 127))
        #expect(client.pageURL.utf8.count == 256 && client.swfURL.utf8.count == 256)
        let address = client.address(of: StreamName(long + "/" + long))
        #expect(address.instance.utf8.count == 256 && address.stream.utf8.count == 256)
        #expect(!address.isValid)
    }
}
