import Basics
import Foundation
import Logging
import Settings

/// Writes log events as text for people or as JSON lines for collectors (`log.format`).
///
/// Text: `2026-01-31T12:00:00.000Z info  publisher accepted stream=demo-origin/live/mystream address=192.0.2.1`.
/// JSON: one object a line with `time`, `level`, `message` and the metadata as members.
struct LineLogHandler: LogHandler {
    let format: PlayhouseConfiguration.Log.Format
    let writer: LogWriter
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(format: PlayhouseConfiguration.Log.Format, level: Logger.Level, writer: LogWriter) {
        self.format = format
        self.logLevel = level
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = event.metadata.map { metadata.merging($0) { _, new in new } } ?? metadata
        writer.write(LineLogHandler.line(format, date: Date(), event.level, "\(event.message)", all))
    }

    static func line(
        _ format: PlayhouseConfiguration.Log.Format, date: Date, _ level: Logger.Level, _ message: String,
        _ metadata: Logger.Metadata
    ) -> String {
        let time = date.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
        let sorted = metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        switch format {
        case .text:
            let level = level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
            let fields = sorted.map { " \($0.0)=\(quoted($0.1))" }.joined()
            return "\(time) \(level) \(singleLine(message))\(fields)"
        case .json:
            var members = [("time", time), ("level", level.rawValue), ("message", message)]
            members += sorted
            return "{" + members.map { "\(jsonString($0.0)):\(jsonString($0.1))" }.joined(separator: ",") + "}"
        }
    }

    /// A value that a peer chose must not forge a line or a field of its own.
    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x5C && $0 != 0x7F }
        return isPlain ? value : jsonString(value)
    }

    private static func singleLine(_ text: String) -> String {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? text : jsonString(text)
    }

    static func jsonString(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                output += "\\u" + scalar.value.padded(to: 4, radix: 16)
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}
