import Basics
import Media

/// The spellings of values in playlists (RFC 8216 §4.1, §4.2).
public enum PlaylistText {
    /// A quoted-string. What may not stand in one is replaced or left out: quotation marks become apostrophes, control
    /// characters (line ends among them) go.
    public static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars where scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value) {
            text.unicodeScalars.append(scalar == "\"" ? "'" : scalar)
        }
        text.append("\"")
        return text
    }

    /// A URI for a line of its own: whatever cannot stand in a URI is percent-encoded, and so is a number sign at its
    /// start, which would make the line a tag or a comment.
    public static func uri(_ value: String) -> String {
        let uri = PercentCoding.encode(value, keeping: "%:/?#[]@!$&'()*+,;=")
        return uri.hasPrefix("#") ? "%23" + uri.dropFirst() : uri
    }

    /// ISO 8601 in UTC with milliseconds: `2024-02-29T12:00:00.000Z`. Dates outside 1970 to 9999 are brought into it.
    public static func date(_ unixMilliseconds: Int64) -> String {
        let time = min(max(unixMilliseconds, 0), 253_402_300_799_999)
        let (days, millisecond) = time.quotientAndRemainder(dividingBy: 86_400_000)
        // The civil calendar from a day count, in years that start with March, so that leap days come last.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let (hour, minute) = (millisecond / 3_600_000, millisecond / 60_000 % 60)
        let (second, fraction) = (millisecond / 1_000 % 60, millisecond % 1_000)
        return "\(date)T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2)).\(padded(fraction, 3))Z"
    }

    /// Seconds with six decimals; below zero counts as zero.
    public static func seconds(_ duration: MediaTime) -> String {
        let (seconds, rest) = max(0, duration.ticks(timescale: 1_000_000)).quotientAndRemainder(dividingBy: 1_000_000)
        return "\(seconds).\(padded(rest, 6))"
    }

    /// Three decimals, as `FRAME-RATE` wants them.
    static func rate(_ rate: Double) -> String {
        let (whole, rest) = Int64((min(max(rate, 0), 1e6) * 1_000).rounded()).quotientAndRemainder(dividingBy: 1_000)
        return "\(whole).\(padded(rest, 3))"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
