import Foundation

/// Dates as replies have them: UTC, to the second.
enum DateText {
    /// `2026-01-31 12:00:00`; zeros for nil.
    static func text(_ date: Date?) -> String {
        date.map { text($0, separator: "-") } ?? "0000-00-00 00:00:00"
    }

    /// `2026/01/31 12:00:00`, as stream details have it.
    static func slashed(_ date: Date) -> String {
        text(date, separator: "/")
    }

    /// The calendar repeats every 400 years of 146,097 days; years are counted from March, so that the leap day is last.
    private static func text(_ date: Date, separator: String) -> String {
        // Years 1 to 9999: nothing below can overflow.
        let interval = date.timeIntervalSince1970.isFinite ? date.timeIntervalSince1970.rounded(.down) : 0
        let seconds = Int(min(max(interval, -62_135_596_800), 253_402_300_799))
        let day = (seconds - ((seconds % 86400) + 86400) % 86400) / 86400
        let time = seconds - day * 86400
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = [padded(year, 4), padded(month, 2), padded(dayOfYear - (153 * fromMarch + 2) / 5 + 1, 2)]
        let clock = [padded(time / 3600, 2), padded(time / 60 % 60, 2), padded(time % 60, 2)]
        return date.joined(separator: separator) + " " + clock.joined(separator: ":")
    }

    private static func padded(_ number: Int, _ length: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, length - digits.utf8.count)) + digits
    }
}
