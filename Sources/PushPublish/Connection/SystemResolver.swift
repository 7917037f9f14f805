import Basics
import Glibc
import NIOCore
import NIOPosix

/// Looks host names up.
public protocol HostResolver: Sendable {
    /// The addresses to try, in order; never empty.
    /// - Parameter account: whose push it is; one account's lookups do not hold up another's.
    /// - Throws: `unknownHost` when the name does not exist, `lookupFailed` otherwise.
    func addresses(of host: String, port: Int, account: AccountID) async throws(PushFailure) -> [SocketAddress]
    /// Lets go of what it holds; nothing is asked any more.
    func shutdown() async
}

extension HostResolver {
    public func shutdown() async {}
}

/// The system's resolver, on threads of its own: `getaddrinfo` blocks and cannot be stopped. `LookupQueue` says what runs.
public actor SystemResolver: HostResolver {
    typealias Outcome = Result<[SocketAddress], PushFailure>
    typealias Answer = CheckedContinuation<Outcome, Never>

    private let threads: NIOThreadPool
    /// How long somebody waits for an answer.
    private let patience: Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let lookUp: @Sendable (String) -> Outcome
    private var queue: LookupQueue<Int>
    private var answers: [Int: (continuation: Answer, timer: Task<Void, Never>)] = [:]
    private var lastWaiter = 0

    /// - Parameter patience: how long a lookup may take for who waits for it, its own wait for a thread included.
    public init(patience: Duration = .seconds(10)) {
        self.init(limits: LookupQueue<Int>.Limits(), patience: patience, lookUp: SystemResolver.lookUp)
    }

    /// - Parameter sleep: returns when so much time has gone by.
    init(
        limits: LookupQueue<Int>.Limits, patience: Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        lookUp: @escaping @Sendable (String) -> Outcome
    ) {
        threads = NIOThreadPool(numberOfThreads: max(1, limits.running))
        threads.start()
        queue = LookupQueue(limits: limits)
        self.patience = patience
        self.sleep = sleep
        self.lookUp = lookUp
    }

    /// Lets the threads go.
    public func shutdown() async {
        try? await threads.shutdownGracefully()
    }

    public func addresses(of host: String, port: Int, account: AccountID) async throws(PushFailure) -> [SocketAddress] {
        if let literal = try? SocketAddress(ipAddress: host, port: port) { return [literal] }
        let found = try await outcome(host.lowercased(), account).get()
        return found.map { address in
            var address = address
            address.port = port
            return address
        }
    }

    private func outcome(_ name: String, _ account: AccountID) async -> Outcome {
        lastWaiter &+= 1
        let waiter = lastWaiter
        if let known = queue.ask(name, account: account, waiter: waiter, now: .now()) { return known }
        return await withCheckedContinuation { continuation in
            let (patience, sleep) = (patience, sleep)
            let timer = Task { [weak self] in
                guard (try? await sleep(patience)) != nil else { return }
                await self?.giveUp(waiter, name)
            }
            answers[waiter] = (continuation, timer)
            beginNext()
        }
    }

    private func beginNext() {
        while let name = queue.next() {
            let (threads, lookUp) = (threads, lookUp)
            Task {
                let outcome = try? await threads.runIfActive { lookUp(name) }
                self.finished(
                    name, outcome ?? .failure(PushFailure(.lookupFailed, "the lookup of \(name) was cancelled")))
            }
        }
    }

    private func finished(_ name: String, _ outcome: Outcome) {
        for waiter in queue.finished(name, outcome, now: .now()) { answer(waiter, outcome) }
        beginNext()
    }

    private func giveUp(_ waiter: Int, _ name: String) {
        queue.leave(name, waiter: waiter)
        let failure = PushFailure(.lookupFailed, "no name server answered in time for the host name \(name)")
        answer(waiter, .failure(failure))
    }

    private func answer(_ waiter: Int, _ outcome: Outcome) {
        guard let answer = answers.removeValue(forKey: waiter) else { return }
        answer.timer.cancel()
        answer.continuation.resume(returning: outcome)
    }

    @Sendable private static func lookUp(_ host: String) -> Outcome {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_protocol = Int32(IPPROTO_TCP)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
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
