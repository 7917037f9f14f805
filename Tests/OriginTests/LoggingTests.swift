import Foundation
import Logging
import Synchronization
import Testing

@testable import Origin

@Suite("Log") struct LoggingTests {
    @Test("A full pipe stops nobody who logs; what is left out is counted and said")
    func fullPipe() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let writer = LogWriter(descriptor: ends[1], capacity: 1 << 16)
        // Nobody reads: the pipe takes 64 KiB, the writer as much again.
        for index in 0..<10_000 { writer.write("line \(index) \(String(repeating: "x", count: 80))") }
        let input = ends[0]
        let reader = Thread {
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(input, &buffer, buffer.count)
                guard count > 0 else { break }
                text.append(contentsOf: buffer[..<count])
            }
            Self.text.write(String(decoding: text, as: UTF8.self))
        }
        reader.start()
        writer.flush(within: 600)
        writer.write("the end")
        writer.flush(within: 600)
        close(ends[1])
        let text = Self.text.wait()
        let lines = text.split(separator: "\n")
        #expect(lines.first?.hasPrefix("line 0 ") == true)
        #expect(lines.last == "the end")
        let written = lines.count { $0.hasPrefix("line ") }
        let left = lines.compactMap { $0.contains("log lines were left out here") ? Int($0.prefix { $0 != " " }) : nil }
        #expect(written < 10_000)
        #expect(written + left.reduce(0, +) == 10_000)
    }

    private static let text = Box()

    /// What the reading thread hands over.
    private final class Box: Sendable {
        private let queue = DispatchSemaphore(value: 0)
        private let value = Mutex("")
        func write(_ text: String) {
            value.withLock { $0 = text }
            queue.signal()
        }
        func wait() -> String {
            queue.wait()
            return value.withLock { $0 }
        }
    }

    @Test("A value that a peer chose forges neither a line nor a field")
    func forgery() {
        let line = LineLogHandler.line(
            .text, date: Date(timeIntervalSince1970: 0), .info, "viewer\nadmitted", ["stream": "a b=\"c\"\n"])
        #expect(line == #"1970-01-01T00:00:00.000Z info     "viewer\nadmitted" stream="a b=\"c\"\n""#)
        let json = LineLogHandler.line(
            .json, date: Date(timeIntervalSince1970: 0), .warning, "m", ["k": "\u{1}\"\\"])
        #expect(
            json == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","message":"m","k":"\u0001\"\\"}"#)
    }
}
