import Logging
import Synchronization

/// A log that a test reads.
public final class CapturedLog: Sendable {
    public struct Line: Sendable {
        public var text: String
        public var metadata: Logger.Metadata?
    }

    private let all = Mutex<[Line]>([])

    public init() {}

    public var lines: [Line] { all.withLock { $0 } }
    public var texts: [String] { lines.map(\.text) }

    public var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: CapturedLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.all.withLock { $0.append(Line(text: "\(event.message)", metadata: event.metadata)) }
        }
    }
}
