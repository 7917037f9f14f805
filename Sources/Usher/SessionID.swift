import Crypto
import Foundation

/// Ids of playback sessions. Only the server makes them; one it does not know is never adopted.
public enum SessionID {
    /// 43 characters of `A-Z a-z 0-9 - _`: 258 bits from the system's secure source.
    public static func make() -> String {
        String(decoding: random(length), as: UTF8.self)
    }

    /// Whether `text` could be one, so that nonsense need not be looked up or logged.
    public static func isWellFormed(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.count == length
                && bytes.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }

    /// Characters of every id.
    public static let length = 43

    fileprivate static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var text: [UInt8] = []
        text.reserveCapacity(SessionID.length)
        while text.count < count { append(generator.next(), min(10, count - text.count), to: &text) }
        return text
    }

    /// Six bits a character, the lowest first.
    fileprivate static func append(_ bits: UInt64, _ count: Int, to text: inout [UInt8]) {
        for place in 0..<UInt64(count) { text.append(alphabet[Int(bits >> (place * 6) & 63)]) }
    }

    /// What `append` wrote; nil when there is another character in it.
    fileprivate static func bits(of text: ArraySlice<UInt8>) -> UInt64? {
        var bits: UInt64 = 0
        for byte in text.reversed() {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt64(value)
        }
        return bits
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
}

/// Makes the ids of sessions that are on offer: in master playlists, before anybody has played. Each says of itself for whom and
/// when it was made, under the server's secret, so that any node with that secret knows it, also after a restart, and none keeps
/// anything for those who never come.
///
/// An id is 22 random characters (132 bits), 6 of the time in seconds, and 15 (90 bits) of an HMAC-SHA256 over these and the viewer.
public struct SessionOffers: Sendable {
    private static let randomLength = 22
    private static let timeLength = 6
    /// Has taken in the key, and nothing else.
    private let keyed: HMAC<SHA256>

    /// - Parameter secret: at least 32 bytes; equal on all nodes of an origin.
    public init(secret: [UInt8]) {
        keyed = HMAC(key: SymmetricKey(data: secret))
    }

    /// - Parameter viewer: what it is bound to.
    public func id(for viewer: [String], at date: Date) -> String {
        var text = SessionID.random(Self.randomLength)
        let seconds = max(0, min(date.timeIntervalSince1970, 0x7FFF_FFFF))
        SessionID.append(UInt64(seconds), Self.timeLength, to: &text)
        text += code(text[...], viewer)
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether `id` was made for the viewer, no longer than `time` seconds before `date`.
    public func isGood(_ id: String, for viewer: [String], at date: Date, within time: TimeInterval) -> Bool {
        let text = Array(id.utf8)
        let length = Self.randomLength + Self.timeLength
        guard text.count == SessionID.length, let seconds = SessionID.bits(of: text[Self.randomLength..<length]) else {
            return false
        }
        let age = date.timeIntervalSince1970 - Double(seconds)
        // Clocks of nodes differ a little.
        return age >= -5 && age < time
            && TicketDecision.areEqual(
                String(decoding: code(text[..<length], viewer), as: UTF8.self),
                String(decoding: text[length...], as: UTF8.self))
    }

    private func code(_ text: ArraySlice<UInt8>, _ viewer: [String]) -> [UInt8] {
        var message = Array(text)
        message.reserveCapacity(200)
        for part in viewer {
            // With its length, so that no two viewers are one text.
            message += String(part.utf8.count).utf8
            message.append(UInt8(ascii: ":"))
            message += part.utf8
        }
        var hash = keyed
        hash.update(data: message)
        var characters: [UInt8] = []
        characters.reserveCapacity(SessionID.length)
        hash.finalize().withUnsafeBytes { code in
            SessionID.append(code.loadUnaligned(fromByteOffset: 0, as: UInt64.self), 10, to: &characters)
            SessionID.append(code.loadUnaligned(fromByteOffset: 8, as: UInt64.self), 5, to: &characters)
        }
        return characters
    }
}
