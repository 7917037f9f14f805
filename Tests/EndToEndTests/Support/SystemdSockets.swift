import Foundation
import TestSupport

/// Listening sockets as systemd has them: they stay open whatever becomes of the service, and connections wait at them.
final class SystemdSockets: Sendable {
    let ports: (http: Int, rtmp: Int)
    let descriptors: [Int32]
    let environment: [String: String]

    /// - Parameter names: with `FileDescriptorName=`; without, all have the unit's name, and are known by their addresses.
    init(names: String = "playhouse.socket:playhouse.socket") throws {
        let made = try (0..<2).map { _ in try Self.listen() }
        descriptors = made.map(\.descriptor)
        ports = (made[0].port, made[1].port)
        environment = ["LISTEN_FDS": "2", "LISTEN_FDNAMES": names]
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    private static func listen() throws -> (descriptor: Int32, port: Int) {
        let low = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // Above the numbers that the service gets them as.
        let descriptor = fcntl(low, F_DUPFD_CLOEXEC, 200)
        close(low)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Foundation.listen(descriptor, 1_024) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard descriptor >= 0, isListening else { throw ProgramFailure(description: "no listening socket") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}
