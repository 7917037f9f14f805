import Foundation
import TestSupport

/// Connections by the thousand, each with one request at a time: bare sockets that one task looks after.
final class SocketCrowd {
    struct Reply {
        /// 0: the connection was closed instead.
        var status: Int
        var head: String

        func has(_ field: String) -> Bool { head.contains("\r\n\(field)\r\n") }
    }

    private struct Connection {
        var socket: Int32
        var received: [UInt8] = []
        var reply: Reply?
        var isAsking = false
    }

    private var connections: [Connection] = []
    private let port: Int

    init(port: Int) {
        self.port = port
    }

    deinit {
        for connection in connections { close(connection.socket) }
    }

    var count: Int { connections.count }

    /// The latest reply to a connection; nil: it waits.
    subscript(index: Int) -> Reply? { connections[index].reply }

    /// Files this process may have open at most; as many from now on.
    static func raiseFileLimit() -> Int {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        setrlimit(files, &limit)
        return Int(clamping: limit.rlim_max)
    }

    /// Opens connections, some at a time: each is served once before the next ones come.
    func grow(to size: Int) async throws {
        while connections.count < size {
            let new = connections.count..<min(size, connections.count + 250)
            for index in new {
                try connect()
                try ask(index, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            }
            try await eventually("\(new.upperBound) connections") {
                collect()
                return connections[new].allSatisfy { $0.reply != nil }
            }
            guard connections[new].allSatisfy({ $0.reply?.status == 200 }) else {
                throw ProgramFailure(description: "there are no more than \(new.lowerBound) connections")
            }
        }
    }

    private func connect() throws {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw ProgramFailure(description: "no socket: \(errno)") }
        connections.append(Connection(socket: socket))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw ProgramFailure(description: "no connection: \(errno)") }
    }

    /// Sends a request over a connection that waits for nothing.
    func ask(_ index: Int, _ text: String) throws {
        connections[index].reply = nil
        connections[index].received = []
        connections[index].isAsking = true
        let sent = Array(text.utf8).withUnsafeBytes {
            send(connections[index].socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == text.utf8.count else { throw ProgramFailure(description: "request \(index) was not taken") }
    }

    /// Takes what has come, waiting a moment for the first of it.
    /// - Returns: the connections that got their reply now.
    @discardableResult
    func collect() -> [Int] {
        let waiting = connections.indices.filter { connections[$0].isAsking }
        var polled = waiting.map { pollfd(fd: connections[$0].socket, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, nfds_t(polled.count), 5) > 0 else { return [] }
        var answered: [Int] = []
        for (place, index) in waiting.enumerated() where polled[place].revents != 0 {
            take(index)
            if connections[index].reply != nil { answered.append(index) }
        }
        return answered
    }

    private func take(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 8_192)
        let count = recv(connections[index].socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 { connections[index].received += buffer.prefix(count) }
        let text = String(decoding: connections[index].received, as: UTF8.self)
        if let end = text.firstRange(of: "\r\n\r\n") {
            let head = String(text[..<end.upperBound])
            let length = head.firstMatch(of: /(?i)\r\ncontent-length: (\d+)\r\n/).flatMap { Int($0.1) } ?? 0
            guard text[end.upperBound...].utf8.count >= length else { return }
            let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            finish(index, Reply(status: status, head: head))
        } else if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            finish(index, Reply(status: 0, head: ""))
        }
    }

    private func finish(_ index: Int, _ reply: Reply) {
        connections[index].reply = reply
        connections[index].isAsking = false
    }
}
