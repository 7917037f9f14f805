import Basics
import Foundation

/// Reads when a ticket expires, in any of the forms clients send (docs/decisions/0005-tickets.md):
/// `2026-01-31 12:00:00` (UTC), ISO 8601, RFC 2822, Unix seconds, `+1 day 2 hours`, `tomorrow`.
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
                    + "or +N seconds, minutes, hours, days, weeks, months or years")
        }
        return date
    }

    private static let unixEpoch = Date(timeIntervalSince1970: 0)
    /// 10000-01-01.
    private static let limit = Date(timeIntervalSince1970: 253_402_300_800)

    private static func date(_ text: Substring, now: Date) -> Date? {
        var scanner = TextScanner(text)
        let start = text.prefix(8).lowercased()
        if ["+", "next ", "tomorrow"].contains(where: start.hasPrefix) { return relative(&scanner, now: now) }
        let digits = scanner.countDigits()
        if digits > 0, digits == text.utf8.count {
            guard digits <= 12, let seconds = scanner.number(digits: digits) else { return nil }
            return Date(timeIntervalSince1970: Double(seconds))
        }
        return digits == 4 || digits == 8 ? iso8601(&scanner) : rfc2822(&scanner)
    }

    private static let mostTerms = 8
    private static let seconds: [String: Int] = [
        "second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3_600, "day": 86_400, "week": 604_800,
        "fortnight": 1_209_600,
    ]
    private static let months = ["month": 1, "year": 12]

    /// What `strtotime` of PHP, which these clients were written for, makes of terms one after the other: `+N unit`, in
    /// which all but the first may lack the plus, `tomorrow` (its midnight) and `next unit`.
    private static func relative(_ scanner: inout TextScanner, now: Date) -> Date? {
        var date = now
        for number in 0..<mostTerms {
            scanner.skipSpaces()
            if scanner.isAtEnd { return number > 0 ? date : nil }
            var count = 1
            var unit: String
            if scanner.skip("+") || (number > 0 && scanner.countDigits() > 0) {
                scanner.skipSpaces()
                let digits = scanner.countDigits()
                guard (1...7).contains(digits), let given = scanner.number(digits: digits) else { return nil }
                scanner.skipSpaces()
                (count, unit) = (given, scanner.letters().lowercased())
                if unit.hasSuffix("s") { unit.removeLast() }
            } else {
                unit = scanner.letters().lowercased()
                if unit == "tomorrow" {
                    date = Date(timeIntervalSince1970: (date.timeIntervalSince1970 / 86_400).rounded(.down) * 86_400)
                    unit = "day"
                } else {
                    guard unit == "next" else { return nil }
                    scanner.skipSpaces()
                    unit = scanner.letters().lowercased()
                }
            }
            if let length = seconds[unit] {
                date = date.addingTimeInterval(Double(count) * Double(length))
            } else {
                guard let length = months[unit], let reached = add(months: count * length, to: date) else { return nil }
                date = reached
            }
        }
        return nil
    }

    /// Calendar months: a day that the month reached does not have runs on into the next (31 January + 1 month is 3 March).
    private static func add(months: Int, to date: Date) -> Date? {
        let whole = date.timeIntervalSince1970.rounded(.down)
        guard months <= 120_000, abs(whole) < 253_402_300_800 else { return nil }
        var (days, time) = Int(whole).quotientAndRemainder(dividingBy: 86_400)
        if time < 0 { (days, time) = (days - 1, time + 86_400) }
        let start = CivilDate(daysSinceEpoch: days)
        let month = start.month - 1 + months
        let reached = CivilDate(year: start.year + month / 12, month: month % 12 + 1, day: start.day)
        let fraction = date.timeIntervalSince1970 - whole
        return Date(timeIntervalSince1970: Double(reached.daysSinceEpoch * 86_400 + time) + fraction)
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
