import Glibc
import NIOCore
import NIOPosix

/// The system's resolver, on threads of its own: `getaddrinfo` blocks and cannot be stopped.
///
/// Lookups of one name are shared, so that pushes to a host whose name server does not answer hold one thread together
/// and leave the others to their neighbours. Who waits sets the time-out.
public actor SystemResolver: HostResolver {
    private typealias Outcome = Result<[SocketAddress], PushFailure>

    private let threads: NIOThreadPool
    private var lookups: [String: Task<Outcome, Never>] = [:]

    /// - Parameter threads: lookups of different names that may run at a time.
    public init(threads: Int = 8) {
        self.threads = NIOThreadPool(numberOfThreads: max(1, threads))
        self.threads.start()
    }

    /// Lets the threads go.
    public func shutdown() async {
        try? await threads.shutdownGracefully()
    }

    public func addresses(of host: String, port: Int) async throws(PushFailure) -> [SocketAddress] {
        if let literal = try? SocketAddress(ipAddress: host, port: port) { return [literal] }
        let key = "\(host):\(port)"
        let lookup = lookups[key] ?? begin(host, port: port)
        lookups[key] = lookup
        let outcome = await lookup.value
        lookups[key] = nil
        return try outcome.get()
    }

    private func begin(_ host: String, port: Int) -> Task<Outcome, Never> {
        let threads = threads
        return Task {
            do {
                return try await threads.runIfActive { SystemResolver.lookUp(host, port: port) }
            } catch {
                return .failure(PushFailure(.lookupFailed, "the lookup of \(host) was cancelled"))
            }
        }
    }

    private static func lookUp(_ host: String, port: Int) -> Outcome {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_protocol = Int32(IPPROTO_TCP)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else { return .failure(failure(status, host: host)) }
        defer { freeaddrinfo(list) }

        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            switch entry.ai_family {
            case AF_INET where Int(entry.ai_addrlen) >= MemoryLayout<sockaddr_in>.size:
                let value = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
                addresses.append(SocketAddress(value, host: host))
            case AF_INET6 where Int(entry.ai_addrlen) >= MemoryLayout<sockaddr_in6>.size:
                let value = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
                addresses.append(SocketAddress(value, host: host))
            default: continue
            }
        }
        guard !addresses.isEmpty else { return .failure(failure(EAI_NONAME, host: host)) }
        // A name with very many addresses is not worth trying them all.
        return .success(Array(addresses.prefix(8)))
    }

    private static func failure(_ status: Int32, host: String) -> PushFailure {
        // glibc says -5 (EAI_NODATA) for a name that exists without addresses.
        if status == EAI_NONAME || status == -5 {
            return PushFailure(.unknownHost, "the host name \(host) does not exist")
        }
        let reason = gai_strerror(status).map { String(cString: $0) } ?? "error \(status)"
        return PushFailure(.lookupFailed, "the host name \(host) could not be looked up: \(reason)")
    }
}
