import Delivery
import Foundation
import Logging
import NIOCore
import PushPublish
import RTMPServer
import ServiceLifecycle
import Synchronization

/// Another program takes this one's place, in the same process: with the same number, so that who watches over it notices nothing,
/// and with the same listening sockets, at which connections wait meanwhile.
final class Replacement: Sendable {
    /// What was decided.
    struct Decision: Sendable {
        /// Names and descriptors of listening sockets, which stay open.
        var sockets: [(name: String, descriptor: CInt)]
    }

    private let decision = Mutex<Decision?>(nil)
    /// systemd, or whoever has started this program, keeps listening.
    let isAwaited: Bool
    private let command: [String]
    private let path: String?

    /// - Parameters:
    ///   - command: what the process was started with, the program first.
    ///   - isAwaited: the listening sockets are somebody else's as well.
    init(command: [String], isAwaited: Bool) {
        self.command = command
        self.isAwaited = isAwaited
        path = command.first.flatMap(Self.path)
    }

    /// The listening sockets stay open when this process has ended its work.
    var socketsStay: Bool { isAwaited || decision.withLock { $0 != nil } }

    func decide(_ sockets: [(name: String, descriptor: CInt)]) {
        decision.withLock { $0 = Decision(sockets: sockets) }
    }

    // MARK: Before

    /// How long the new program may take to say that it would start.
    private static let patience = 15.0

    /// Asks the program that stands now where this one was started from whether it would start with the same settings, and go on
    /// with what this one leaves.
    /// - Returns: why not.
    func problem() async -> String? {
        guard let path else { return "it is not known where the program is" }
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { [command] in
                continuation.resume(returning: Self.ask(path, Array(command.dropFirst())))
            }
        }
    }

    /// What is asked for with the arguments that the server has.
    static let question = "--would-resume"

    private static func ask(_ path: String, _ arguments: [String]) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments + [question, String(SavedState.version)]
        let errors = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        do {
            try process.run()
        } catch {
            return "\(path) cannot be started: \(error.localizedDescription)"
        }
        let end = Date() + patience
        while process.isRunning, Date() < end { usleep(10_000) }
        guard !process.isRunning else {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            return "\(path) does not say whether it would start"
        }
        guard process.terminationStatus != 0 || process.terminationReason != .exit else { return nil }
        let said = String(decoding: errors.fileHandleForReading.availableData.prefix(2_048), as: UTF8.self)
        return "\(path) would not start (\(process.terminationStatus)): "
            + said.split(separator: "\n").joined(separator: "; ")
    }

    /// Where a program is that was started under this name, as the shell finds it.
    private static func path(of name: String) -> String? {
        if name.contains("/") { return URL(fileURLWithPath: name).path }
        let folders = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return folders.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    // MARK: At the end

    /// Becomes the new program, if that was decided; comes back only if it was not, or cannot be done. Everything else has ended.
    func replace(logger: Logger) {
        guard let decision = decision.withLock({ $0 }), let path else { return }
        logger.info("another program takes this one's place", metadata: ["program": "\(path)"])
        let first: CInt = 3
        let count = CInt(decision.sockets.count)
        // None of them is in the way of another.
        let kept = decision.sockets.map { ($0.name, fcntl($0.descriptor, F_DUPFD, first + count)) }
        closeOnExecution()
        for (index, socket) in kept.enumerated() {
            // Whoever had that number belongs to what has ended. The copy is not closed when the new program begins.
            dup2(socket.1, first + CInt(index))
            close(socket.1)
        }
        setenv("LISTEN_FDS", String(count), 1)
        if !isAwaited { setenv(InheritedSockets.awaited, "0", 1) }
        setenv("LISTEN_PID", String(getpid()), 1)
        setenv("LISTEN_FDNAMES", kept.map(\.0).joined(separator: ":"), 1)
        restoreSignals()
        execute(path)
        let problem = String(cString: strerror(errno))
        // It could be started a moment ago. Better this one again than none.
        execute("/proc/self/exe")
        logger.error(
            "nothing could take this program's place", metadata: ["program": "\(path)", "error": "\(problem)"])
    }

    private func execute(_ path: String) {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        execv(path, arguments)
        for argument in arguments { free(argument) }
    }

    /// Files that libraries have opened stay behind.
    private func closeOnExecution() {
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in open.compactMap({ CInt($0) }) where descriptor > 2 {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    /// What a thread of this process blocks and ignores, the new program would.
    private func restoreSignals() {
        var none = sigset_t()
        sigemptyset(&none)
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
        // Another request before the new program listens for it must not end it.
        signal(SIGUSR2, SIG_IGN)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }
}

/// Waits for SIGUSR2, at which the program that stands now where this one was started from takes its place. Its end is the
/// origin's.
struct ReplacementService: Service {
    let replacement: Replacement
    let pushes: PushSupervisor
    /// The listeners' sockets, by the names of their settings.
    let sockets: @Sendable () async -> [(name: String, descriptor: CInt)]
    let logger: Logger

    func run() async throws {
        signal(SIGUSR2, SIG_IGN)
        let (requests, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let source = DispatchSource.makeSignalSource(signal: SIGUSR2, queue: .global())
        source.setEventHandler { continuation.yield() }
        source.resume()
        defer { source.cancel() }
        for await _ in requests.cancelOnGracefulShutdown() {
            logger.info("asked to let another program take this one's place")
            if let problem = await replacement.problem() {
                logger.error("this program goes on", metadata: ["reason": "\(problem)"])
                continue
            }
            // As long as nobody waits: a destination may take its time.
            await pushes.drain()
            replacement.decide(await sockets())
            return
        }
    }
}

/// Writes down what the next process goes on with, when everybody has gone.
struct SavedStateService: Service {
    let save: @Sendable () async -> Void

    func run() async throws {
        try? await gracefulShutdown()
        await save()
    }
}
