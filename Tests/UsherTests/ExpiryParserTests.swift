import Basics
import Foundation
import Testing

@testable import Usher

@Suite struct ExpiryParserTests {
    /// 2023-11-14 22:13:20 UTC
    static let now = Date(timeIntervalSince1970: 1_700_000_000)

    @Test(
        "Expiry is read in every form that clients send",
        arguments: [
            ("2026-01-31 12:34:56", 1_769_862_896), ("2026-01-31", 1_769_817_600), ("2026-01-31 12:34", 1_769_862_840),
            ("2026-01-31T12:34:56Z", 1_769_862_896), ("2026-01-31T12:34:56+02:00", 1_769_855_696),
            ("2026-01-31T12:34:56-0530", 1_769_882_696), ("2026-01-31T12:34:56.250Z", 1_769_862_896.25),
            ("2026-01-31T12:34:56+02", 1_769_855_696), ("20260131T123456Z", 1_769_862_896),
            ("2026-01-31 12:34:56 UTC", 1_769_862_896),
            ("Sat, 31 Jan 2026 12:34:56 +0000", 1_769_862_896), ("31 Jan 2026 12:34:56 GMT", 1_769_862_896),
            ("Sat, 31 Jan 2026 12:34 -0100", 1_769_866_440), ("3 Feb 2024 00:00:00 +0000", 1_706_918_400),
            ("1769862896", 1_769_862_896), ("0", 0), ("2024-02-29 00:00:00", 1_709_164_800),
            ("2000-02-29 00:00:00", 951_782_400), ("9999-12-31 23:59:59", 253_402_300_799),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("+90 minutes", 1_700_005_400), ("+1 minute", 1_700_000_060), ("+24 hours", 1_700_086_400),
            ("+1 hour", 1_700_003_600), ("+2days", 1_700_172_800), ("+1 day", 1_700_086_400),
            ("+ 3 weeks", 1_701_814_400),
            ("+1 week", 1_700_604_800), ("+1 month", 1_702_592_000), ("+2 Months", 1_705_270_400),
            ("+12 months", 1_731_622_400), ("+1 day 2 hours", 1_700_093_600), ("+1 day +2 hours", 1_700_093_600),
            ("+3600 seconds", 1_700_003_600), ("+30 sec", 1_700_000_030), ("+5 min", 1_700_000_300),
            ("+1 year", 1_731_622_400), ("+2 years 1 month", 1_765_750_400), ("+1 fortnight", 1_701_209_600),
            ("tomorrow", 1_700_006_400), ("tomorrow +6 hours", 1_700_028_000), ("next week", 1_700_604_800),
            ("next month", 1_702_592_000), ("Next Year", 1_731_622_400), ("next fortnight", 1_701_209_600),
            ("+1 week 2 days 4 hours 2 seconds", 1_700_792_002), ("+1 month +1 day", 1_702_678_400),
            ("", 1_700_604_800), ("  ", 1_700_604_800), (nil, 1_700_604_800),
        ] as [(String?, Double)])
    func reads(text: String?, seconds: Double) throws {
        #expect(try ExpiryParser.parse(text, now: Self.now).timeIntervalSince1970 == seconds)
    }

    /// What `date -u -d` and PHP's `strtotime` make of them, at the ends of months.
    @Test(
        "Months are calendar months",
        arguments: [
            ("2026-01-31 10:00:00", "+1 month", "2026-03-03 10:00:00"),
            ("2024-01-31 10:00:00", "+1 month", "2024-03-02 10:00:00"),
            ("2023-12-15 00:00:00", "+1 month", "2024-01-15 00:00:00"),
            ("2023-11-30 23:59:59", "+3 months", "2024-03-01 23:59:59"),
            ("2024-02-29 10:00:00", "+1 year", "2025-03-01 10:00:00"),
            ("2026-01-31 10:00:00", "+1 month 1 day", "2026-03-04 10:00:00"),
            ("2026-12-31 10:00:00", "tomorrow", "2027-01-01 00:00:00"),
        ])
    func monthsAreCalendarMonths(start: String, text: String, end: String) throws {
        let start = try ExpiryParser.parse(start, now: Self.now)
        #expect(try ExpiryParser.parse(text, now: start) == ExpiryParser.parse(end, now: Self.now))
    }

    @Test(
        "What is no expiry is refused",
        arguments: [
            "yesterday", "tomorrowish", "next", "next 5 days", "next thing", "2 hours", "+1 day 2", "+1 day hours",
            "+1 day -2 hours", "+1 day +1 day +1 day +1 day +1 day +1 day +1 day +1 day +1 day", "2026-13-01",
            "2026-02-29", "2026-02-30 00:00:00", "2026-01-31 24:00:00", "2026-01-31 12:60:00",
            "2026-1-31", "2026-01-31 12", "2026-01-31T12:34:56+2", "2026-01-31 12:34:56 CET", "2026-01-31 12:34:56x",
            "-1 week", "+1", "+1 century", "+99999999 days", "+x days", "+9999999 weeks", "99999999999999", "-5",
            "10000-01-01", "Sat 31 Jan 2026 12:34:56 +0000", "Foo, 31 Jan 2026 12:34:56 +0000", "31 Jan 2026",
            "31 Foo 2026 12:00:00 GMT", "999999999999", "1969-12-31 23:59:59", "+", "é",
            String(repeating: "1", count: 100),
        ])
    func refusesEverythingElse(text: String) {
        let error = #expect(throws: FieldProblem.self) { try ExpiryParser.parse(text, now: Self.now, field: "expires") }
        #expect(error?.field == "expires")
    }
}
