import Basics
import Testing

@Suite("Numbers with leading zeros") struct PaddedNumberTests {
    @Test("Zeros fill up to the width, and a number that is longer stays whole")
    func widths() {
        #expect(7.padded(to: 2) == "07")
        #expect(0.padded(to: 3) == "000")
        #expect(12_345.padded(to: 2) == "12345")
        #expect(UInt8(10).padded(to: 2, radix: 16) == "0a")
        #expect(UInt64.max.padded(to: 4) == "18446744073709551615")
    }
}

@Suite("Days of the calendar") struct CivilDateTests {
    @Test(
        "A day is so many days from 1970-01-01, leap years and centuries included",
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1), (19_782, 2024, 2, 29),
            (47_541, 2100, 3, 1), (2_932_896, 9999, 12, 31),
        ])
    func days(_ days: Int, _ year: Int, _ month: Int, _ day: Int) {
        let date = CivilDate(year: year, month: month, day: day)
        #expect(CivilDate(daysSinceEpoch: days) == date)
        #expect(date.daysSinceEpoch == days)
    }

    @Test("A day past its month's end is one of the next month")
    func overrun() {
        let date = CivilDate(year: 2026, month: 2, day: 31)
        #expect(CivilDate(daysSinceEpoch: date.daysSinceEpoch) == CivilDate(year: 2026, month: 3, day: 3))
    }

    @Test("Days become dates and dates become days")
    func calendarGoesThereAndBack() {
        for days in stride(from: -719_528, through: 2_932_896, by: 13) {
            #expect(CivilDate(daysSinceEpoch: days).daysSinceEpoch == days)
        }
        #expect(CivilDate(daysSinceEpoch: 0) == CivilDate(year: 1970, month: 1, day: 1))
    }
}
