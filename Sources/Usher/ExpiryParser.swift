import Basics
import Foundation

/// Reads when a ticket expires, in any of the forms clients send (docs/decisions/0005-tickets.md):
/// `2026-01-31 12:00:00` (UTC), ISO 8601, RFC 2822, Unix seconds, `+2 hours`.
public enum ExpiryParser {
    /// What a request without the field means.
    public static let defaultText = "+1 week"

    /// - Parameters:
    ///   - text: nil or empty gives the default, a week from `now`.
    ///   - field: what the client called it, for the error.
    /// - Returns: a date before the year 10000; it may lie in the past.
    public static func parse(_ text: String?, now: Date, field: String = "expire") throws(FieldProblem) -> Date {
        var text = (text ?? "")[...].trimmingSpaces
        if text.isEmpty { text = defaultText[...] }
        guard text.utf8.count <= 64, let date = date(text, now: now), date < limit, date >= unixEpoch else {
            throw FieldProblem.invalid(
                field, value: text,
                expected: "must be a time: YYYY-MM-DD HH:MM:SS in UTC, ISO 8601, RFC 2822, Unix seconds, "
                    + "or +N minutes, hours, days, weeks or months")
        }
        return date
    }

    private static let unixEpoch = Date(timeIntervalSince1970: 0)
    /// 10000-01-01.
    private static let limit = Date(timeIntervalSince1970: 253_402_300_800)

    private static func date(_ text: Substring, now: Date) -> Date? {
        var scanner = TextScanner(text)
        if scanner.skip("+") { return relative(&scanner, now: now) }
        let digits = scanner.countDigits()
        if digits > 0, digits == text.utf8.count {
            guard digits <= 12, let seconds = scanner.number(digits: digits) else { return nil }
            return Date(timeIntervalSince1970: Double(seconds))
        }
        return digits == 4 || digits == 8 ? iso8601(&scanner) : rfc2822(&scanner)
    }

    /// `N unit`, after the plus. A month is a calendar month; a day that the month reached does not have runs on into the
    /// next (31 January + 1 month is 3 March), as the `strtotime` these clients were written for has it.
    private static func relative(_ scanner: inout TextScanner, now: Date) -> Date? {
        scanner.skipSpaces()
        let digits = scanner.countDigits()
        guard (1...7).contains(digits), let count = scanner.number(digits: digits) else { return nil }
        scanner.skipSpaces()
        var unit = scanner.letters().lowercased()
        if unit.hasSuffix("s") { unit.removeLast() }
        guard scanner.isAtEnd else { return nil }
        let seconds: [String: Int] = ["minute": 60, "min": 60, "hour": 3600, "day": 86400, "week": 604_800]
        if let length = seconds[unit] {
            return now.addingTimeInterval(Double(count) * Double(length))
        }
        guard unit == "month", count <= 120_000 else { return nil }
        let whole = now.timeIntervalSince1970.rounded(.down)
        guard abs(whole) < 253_402_300_800 else { return nil }
        var (days, time) = Int(whole).quotientAndRemainder(dividingBy: 86400)
        if time < 0 { (days, time) = (days - 1, time + 86400) }
        let start = CivilDate(daysSinceEpoch: days)
        let month = start.month - 1 + count
        let reached = CivilDate(year: start.year + month / 12, month: month % 12 + 1, day: start.day)
        let fraction = now.timeIntervalSince1970 - whole
        return Date(timeIntervalSince1970: Double(reached.daysSinceEpoch * 86400 + time) + fraction)
    }

    /// `YYYY-MM-DD` and perhaps a time after a space or `T`, and the basic form `YYYYMMDDTHHMMSS`. Without an offset: UTC.
    private static func iso8601(_ scanner: inout TextScanner) -> Date? {
        let isBasic = scanner.countDigits() == 8
        guard let year = scanner.number(digits: 4), isBasic || scanner.skip("-"),
            let month = scanner.number(digits: 2), isBasic || scanner.skip("-"),
            let day = scanner.number(digits: 2)
        else { return nil }
        if scanner.isAtEnd { return instant(year, month, day) }
        guard scanner.skip("T") || scanner.skip("t") || scanner.skip(" ") else { return nil }
        guard let hour = scanner.number(digits: 2), isBasic || scanner.skip(":"),
            let minute = scanner.number(digits: 2)
        else { return nil }
        var second = 0
        var fraction = 0.0
        if isBasic ? scanner.countDigits() > 0 : scanner.skip(":") {
            guard let value = scanner.number(digits: 2) else { return nil }
            second = value
            if scanner.skip(".") || scanner.skip(",") {
                let digits = scanner.countDigits()
                guard (1...9).contains(digits), let value = scanner.number(digits: digits) else { return nil }
                fraction = Double(value) / [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9][digits]
            }
        }
        scanner.skipSpaces()
        guard let offset = offset(&scanner), scanner.isAtEnd else { return nil }
        return instant(year, month, day, hour, minute, second)?.addingTimeInterval(fraction - Double(offset))
    }

    /// `[Sat, ]31 Jan 2026 12:00[:00] +0000`.
    private static func rfc2822(_ scanner: inout TextScanner) -> Date? {
        let weekday = scanner.letters().lowercased()
        if !weekday.isEmpty {
            guard ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(weekday), scanner.skip(",") else {
                return nil
            }
            scanner.skipSpaces()
        }
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        guard let day = scanner.number(digits: min(scanner.countDigits(), 2)) else { return nil }
        scanner.skipSpaces()
        guard let month = months.firstIndex(of: scanner.letters().lowercased()) else { return nil }
        scanner.skipSpaces()
        guard let year = scanner.number(digits: 4) else { return nil }
        scanner.skipSpaces()
        guard let hour = scanner.number(digits: 2), scanner.skip(":"), let minute = scanner.number(digits: 2) else {
            return nil
        }
        var second = 0
        if scanner.skip(":") {
            guard let value = scanner.number(digits: 2) else { return nil }
            second = value
        }
        scanner.skipSpaces()
        guard !scanner.isAtEnd, let offset = offset(&scanner), scanner.isAtEnd else { return nil }
        return instant(year, month + 1, day, hour, minute, second)?.addingTimeInterval(-Double(offset))
    }

    /// Seconds east of UTC: `Z`, `GMT`, `+02:00`, `+0200`, `+02`; 0 at the end of the text; nil for anything else.
    private static func offset(_ scanner: inout TextScanner) -> Int? {
        if scanner.isAtEnd { return 0 }
        let isEast = scanner.skip("+")
        guard isEast || scanner.skip("-") else {
            return ["z", "ut", "utc", "gmt"].contains(scanner.letters().lowercased()) ? 0 : nil
        }
        guard let hours = scanner.number(digits: 2), hours <= 23 else { return nil }
        var minutes = 0
        if scanner.skip(":") || scanner.countDigits() > 0 {
            guard let value = scanner.number(digits: 2), value <= 59 else { return nil }
            minutes = value
        }
        let seconds = hours * 3600 + minutes * 60
        return isEast ? seconds : -seconds
    }

    /// nil when there is no such day or time. A leap second is the first of the next minute.
    private static func instant(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0
    ) -> Date? {
        guard (1...12).contains(month), day >= 1, hour <= 23, minute <= 59, second <= 60 else { return nil }
        let civil = CivilDate(year: year, month: month, day: day)
        guard CivilDate(daysSinceEpoch: civil.daysSinceEpoch) == civil else { return nil }
        return Date(timeIntervalSince1970: Double(civil.daysSinceEpoch * 86400 + hour * 3600 + minute * 60 + second))
    }
}
