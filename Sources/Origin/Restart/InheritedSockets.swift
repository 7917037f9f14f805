import Admission
import Foundation
import Logging
import NIOCore
import Settings

/// Listening sockets that the process was started with, by systemd or by the program whose place it takes (sd_listen_fds(3)):
/// `LISTEN_FDS` of them from descriptor 3 on, for the process `LISTEN_PID`, with names in `LISTEN_FDNAMES`.
struct InheritedSockets {
    private struct Socket {
        let name: String
        let descriptor: CInt
        let address: SocketAddress?
    }

    private var sockets: [Socket] = []
    private var unusable: [String] = []
    /// Somebody else has them as well, and keeps connections that come while no process of ours accepts any.
    let areAwaited: Bool
    /// Set to 0 by a program that had opened the sockets itself.
    static let awaited = "LISTEN_AWAITED"

    private static let first: CInt = 3
    private static let most = 64

    /// Takes what the environment says, which then says nothing to the process's children.
    init() {
        let environment = ProcessInfo.processInfo.environment
        for name in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", Self.awaited] { unsetenv(name) }
        guard environment["LISTEN_PID"] == String(getpid()), let text = environment["LISTEN_FDS"],
            let count = Int(text),
            (1...Self.most).contains(count)
        else {
            areAwaited = false
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        for index in 0..<count {
            let descriptor = Self.first + CInt(index)
            let name = index < names.count ? String(names[index].prefix(64)) : ""
            guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, Self.listens(descriptor) else {
                unusable.append("\(descriptor) (\(name))")
                continue
            }
            // As event loops want it.
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            sockets.append(Socket(name: name, descriptor: descriptor, address: Self.address(of: descriptor)))
        }
        areAwaited = !sockets.isEmpty && environment[Self.awaited] != "0"
    }

    /// Where a listener listens: on the socket that has the listener's name (`http`, or `http.listen`), or else its address, if
    /// there is one.
    mutating func place(for name: String, at address: HostPort) -> ListeningSocket {
        let named = sockets.firstIndex {
            guard $0.name == name || $0.name == "\(name).listen" else { return false }
            // Who names sockets says where; the program before this one had another setting, perhaps.
            return areAwaited || address.port == 0 || Self.isMeant($0, by: address)
        }
        guard let index = named ?? sockets.firstIndex(where: { Self.isMeant($0, by: address) }) else {
            return .address(host: address.host, port: address.port)
        }
        return .inherited(sockets.remove(at: index).descriptor)
    }

    /// Closes what no listener has taken.
    mutating func closeRest(logger: Logger) {
        for socket in sockets {
            logger.warning(
                "a socket that was given is that of no listener, by its name or its address",
                metadata: [
                    "descriptor": "\(socket.descriptor)", "name": "\(socket.name)",
                    "address": "\(socket.address?.description ?? "")",
                ])
            close(socket.descriptor)
        }
        for socket in unusable {
            logger.warning("what was given is no listening socket", metadata: ["descriptor": "\(socket)"])
        }
        sockets = []
        unusable = []
    }

    private static func isMeant(_ socket: Socket, by address: HostPort) -> Bool {
        guard address.port != 0, let port = socket.address?.port, port == address.port,
            let host = socket.address?.ipAddress,
            let meant = try? SocketAddress.makeAddressResolvingHost(address.host, port: address.port).ipAddress
        else { return false }
        let everywhere = ["0.0.0.0", "::"]
        return host == meant || everywhere.contains(host) && everywhere.contains(meant)
    }

    private static func listens(_ descriptor: CInt) -> Bool {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0
    }

    private static func address(of descriptor: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isKnown = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) } == 0
        }
        guard isKnown else { return nil }
        let family = CInt(storage.ss_family)
        return withUnsafePointer(to: &storage) { pointer in
            switch family {
            case AF_INET: pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6: pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            default: nil
            }
        }
    }
}
