import Basics
import Foundation

/// Keys of new tickets.
public enum TicketKey {
    /// `<first video>.<13 hexadecimal digits><decimal digit>.<20 decimal digits>`, as in
    /// `mystream.53ffc996dd39d5.39102367013358270461`.
    ///
    /// The form of the service it is compatible with, where the digits are a time in microseconds and a random tail of 8.
    /// Ours is 20 long (66 bits), since it is what makes a key impossible to guess.
    public static func make(video: String, now: Date, using generator: inout some RandomNumberGenerator) -> String {
        let microseconds = now.timeIntervalSince1970 * 1_000_000
        // 8 hexadecimal digits of seconds hold until 2106; a clock beyond its range gives zeros, never a trap.
        let stamp = microseconds >= 0 && microseconds < 4_294_967_296e6 ? UInt64(microseconds) : 0
        let time = (stamp / 1_000_000).padded(to: 8, radix: 16)
        let fraction = (stamp % 1_000_000).padded(to: 5, radix: 16)
        // Every number drawn is a question to the system, so the digits are not drawn one by one.
        let digits = (0..<2).map { _ in UInt64.random(in: 0..<100_000_000_000, using: &generator).padded(to: 11) }
            .joined()
        return "\(prefix(video)).\(time)\(fraction)\(digits.prefix(1)).\(digits.dropFirst(2))"
    }

    /// With the system's secure source.
    public static func make(video: String, now: Date) -> String {
        var generator = SystemRandomNumberGenerator()
        return make(video: video, now: now, using: &generator)
    }

    /// The first name of the list, everything but letters, digits, `-` and `_` as `_`, at most 64 characters.
    static func prefix(_ video: String) -> String {
        let first = video.split(separator: "|").map(\.trimmingSpaces).first { !$0.isEmpty } ?? "_"
        let name = VideoName.normalized(first).unicodeScalars.prefix(64).map { scalar -> Character in
            switch scalar {
            case "A"..."Z", "a"..."z", "0"..."9", "-", "_": Character(scalar)
            default: "_"
            }
        }
        return name.isEmpty ? "_" : String(name)
    }
}
