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
        let bounded = min(max(unixMilliseconds, 0), 253_402_300_799_999)
        let (days, millisecond) = bounded.quotientAndRemainder(dividingBy: 86_400_000)
        let day = CivilDate(daysSinceEpoch: Int(days))
        let date = "\(day.year.padded(to: 4))-\(day.month.padded(to: 2))-\(day.day.padded(to: 2))"
        let (hour, minute) = (millisecond / 3_600_000, millisecond / 60_000 % 60)
        let (second, fraction) = (millisecond / 1_000 % 60, millisecond % 1_000)
        let time = "\(hour.padded(to: 2)):\(minute.padded(to: 2)):\(second.padded(to: 2))"
        return "\(date)T\(time).\(fraction.padded(to: 3))Z"
    }

    /// Seconds with six decimals; below zero counts as zero.
    public static func seconds(_ duration: MediaTime) -> String {
        let (seconds, rest) = max(0, duration.ticks(timescale: 1_000_000)).quotientAndRemainder(dividingBy: 1_000_000)
        return "\(seconds).\(rest.padded(to: 6))"
    }

    /// Three decimals, as `FRAME-RATE` wants them.
    static func rate(_ rate: Double) -> String {
        let (whole, rest) = Int64((min(max(rate, 0), 1e6) * 1_000).rounded()).quotientAndRemainder(dividingBy: 1_000)
        return "\(whole).\(rest.padded(to: 3))"
    }
}
