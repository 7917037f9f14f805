/// A pattern in which `*` stands for any run of characters, `/` and none at all included. Case-sensitive, over bytes.
public struct Wildcard: Sendable, Hashable {
    /// The literal pieces between the stars: one more than there are stars, runs of stars counted as one.
    private let pieces: [[UInt8]]

    public init(_ pattern: Substring) {
        let bytes = Array(pattern.utf8)
        guard bytes.contains(UInt8(ascii: "*")) else {
            pieces = [bytes]
            return
        }
        var pieces = bytes.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map { Array($0) }
        // Empty pieces in the middle come of `**`, which says no more than `*`.
        if pieces.count > 2 {
            let middle = pieces[1..<(pieces.count - 1)].filter { !$0.isEmpty }
            pieces.replaceSubrange(1..<(pieces.count - 1), with: middle)
        }
        self.pieces = pieces
    }

    public init(_ pattern: String) {
        self.init(pattern[...])
    }

    /// Whether there is a `*` in the pattern.
    public var hasWildcard: Bool { pieces.count > 1 }

    /// The pieces are looked for from left to right, each at its first place after the one before. That never has to
    /// be taken back, so the time is at most text times pattern, whatever the pattern.
    public func matches(_ text: String) -> Bool {
        guard let first = pieces.first else { return text.isEmpty }
        guard let last = pieces.last, pieces.count > 1 else { return text.utf8.elementsEqual(first) }
        let bytes = Array(text.utf8)
        guard bytes.count >= first.count + last.count, bytes.starts(with: first),
            bytes[(bytes.count - last.count)...].elementsEqual(last)
        else { return false }
        var rest = bytes[first.count..<(bytes.count - last.count)]
        for piece in pieces[1..<(pieces.count - 1)] {
            guard let found = Self.firstIndex(of: piece, in: rest) else { return false }
            rest = rest[(found + piece.count)...]
        }
        return true
    }

    private static func firstIndex(of piece: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= piece.count else { return nil }
        return (text.startIndex...(text.endIndex - piece.count)).first { text[$0...].starts(with: piece) }
    }
}
