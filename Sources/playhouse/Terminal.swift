import ControlAPI
import Foundation

/// What the commands write. Results go to standard output, everything else to standard error, so that output can be piped.
enum Terminal {
    static func print(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// On one line, slashes as they are.
    static func json(_ value: JSONValue) -> String {
        String(decoding: JSONWriter.write(value, style: .raw), as: UTF8.self)
    }

    /// Rows in columns of even width, the first row a head.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell.padding(toLength: widths[column], withPad: " ", startingAt: 0)
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// `2025-01-31 12:00:00`, UTC, as the API writes dates.
    static func date(_ date: Date) -> String {
        let style = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt)
        return date.formatted(style.year().month().day().time(includingFractionalSeconds: false))
    }
}

/// A failure with nothing to say but its sentence; the program ends with exit code 1.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
