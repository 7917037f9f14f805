import Foundation

/// Dates as replies have them, in UTC.
enum ReplyDate {
    private static let style = Date.ISO8601FormatStyle(
        dateSeparator: .dash, dateTimeSeparator: .space, timeZoneSeparator: .omitted, timeZone: .gmt
    ).year().month().day().dateTimeSeparator(.space).time(includingFractionalSeconds: false)

    /// `2026-01-31 12:00:00`; a date that is not there is `0000-00-00 00:00:00`.
    static func text(_ date: Date?) -> String {
        guard let date else { return "0000-00-00 00:00:00" }
        return style.format(date)
    }

    /// `2026/01/31 12:00:00`, as the stream commands have it.
    static func slashed(_ date: Date) -> String {
        style.format(date).replacing("-", with: "/")
    }
}
