import Foundation
import NIOCore
import RTMP
import TestSupport

/// An encoder on a plain socket that sends without looking at answers, and notices a reset, which NIO's channels hide.
final class BlockingPeer: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var patience = timeval(tv_sec: 600, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, length)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, length)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw ProgramFailure(description: "no connection: \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    /// Handshake, connect, createStream and publish at once.
    static func publishing(_ name: String) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 1_536 * 2))
        let connect: AMFObject = ["app": "demo-origin/live", "tcUrl": "rtmp://127.0.0.1/demo-origin/live"]
        for message in [
            RTMPCommand("connect", transactionID: 1, object: .object(connect)).message(streamID: 0),
            RTMPCommand("createStream", transactionID: 2).message(streamID: 0),
            RTMPCommand("publish", transactionID: 0, arguments: [.string(name), "live"]).message(streamID: 1),
        ] {
            bytes.writeImmutableBuffer(TestPeer.bytes(message))
        }
        return bytes
    }

    static let keyframe = TestPeer.bytes(
        RTMPMessage(
            type: .video, streamID: 1,
            body: ByteBuffer(bytes: [0x17, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 50_000))))

    /// - Returns: false when the other side has reset the connection: then a client's system may forget what it has not read.
    @discardableResult
    func send(_ bytes: ByteBuffer) -> Bool {
        var rest = Array(bytes.readableBytesView)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// Whether what waits to be read holds the text; nothing is taken.
    func hasSomethingToRead(of text: String) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count > 0 && String(decoding: bytes.prefix(count), as: UTF8.self).contains(text)
    }

    /// Reads until the other side has ended the connection.
    func receiveToTheEnd() -> String {
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += bytes.prefix(count)
        }
    }
}
