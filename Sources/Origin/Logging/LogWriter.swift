import Foundation
import Synchronization

/// Where log lines go: standard error, from a thread of its own, so that a full pipe stops nobody who has something to say.
///
/// What waits has a limit; lines beyond it are left out, and one line says how many when there is room again.
final class LogWriter: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var dropped = 0
        var isWriting = false
        var isThreadRunning = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let descriptor: Int32
    private let capacity: Int

    /// - Parameter capacity: bytes of lines that may wait.
    init(descriptor: Int32 = STDERR_FILENO, capacity: Int = 1 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// Takes a line; never blocks.
    func write(_ line: String) {
        let (isFirst, startsThread) = state.withLock { state -> (Bool, Bool) in
            guard state.waiting.count + line.utf8.count < capacity else {
                state.dropped += 1
                return (false, false)
            }
            let isFirst = state.waiting.isEmpty
            state.waiting.append(contentsOf: line.utf8)
            state.waiting.append(UInt8(ascii: "\n"))
            defer { state.isThreadRunning = true }
            return (isFirst, !state.isThreadRunning)
        }
        if startsThread {
            let thread = Thread { self.run() }
            thread.name = "log"
            thread.start()
        }
        if isFirst { wake.signal() }
    }

    /// Waits until all lines have been written, or `seconds` have passed.
    func flush(within seconds: Double) {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !isIdle, Date() < deadline { usleep(2_000) }
    }

    private var isIdle: Bool {
        state.withLock { $0.waiting.isEmpty && !$0.isWriting }
    }

    private func run() {
        while true {
            wake.wait()
            while let bytes = take() { writeOut(bytes) }
        }
    }

    /// All that waits, and what has to be said about lines left out.
    private func take() -> [UInt8]? {
        state.withLock { state in
            var bytes: [UInt8] = []
            swap(&bytes, &state.waiting)
            if state.dropped > 0 {
                let lines = "\(state.dropped) log lines were left out here, since standard error was not read\n"
                bytes.append(contentsOf: lines.utf8)
                state.dropped = 0
            }
            state.isWriting = !bytes.isEmpty
            return bytes.isEmpty ? nil : bytes
        }
    }

    private func writeOut(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if written > 0 {
                offset += written
            } else if written < 0, errno == EAGAIN {
                // A parent has made the pipe non-blocking.
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                Foundation.poll(&poll, 1, 1_000)
            } else if written >= 0 || errno != EINTR {
                // Nobody will ever read it.
                return
            }
        }
    }
}
