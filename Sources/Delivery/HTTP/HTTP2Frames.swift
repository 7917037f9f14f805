import NIOCore

/// Follows the frames that a client sends (RFC 9113 §4.1) and knows whether one is begun and not whole, or a request's header in
/// several of them is. Whether they are any good is for the library to say.
struct HTTP2Frames {
    private static let prefaceLength = 24
    private static let headerLength = 9
    private static let data: UInt8 = 0
    private static let headers: UInt8 = 1
    private static let continuation: UInt8 = 9
    /// END_HEADERS.
    private static let endsHeaders: UInt8 = 4

    /// Bytes of the preface that have to come.
    private var preface = HTTP2Frames.prefaceLength
    /// Of the frame's header: how much has come, and what counts.
    private var headerCount = 0
    private var length = 0
    private var kind: UInt8 = 0
    private var flags: UInt8 = 0
    /// Bytes of the frame's payload that have to come.
    private var rest = 0
    /// A request's header goes on in the next frame.
    private var isInHeader = false

    /// The rest of something has to come soon. A body may take its own time.
    var isPartial: Bool {
        preface > 0 || headerCount > 0 || isInHeader || (rest > 0 && kind != Self.data)
    }

    /// - Returns: whether something came to its end.
    mutating func came(_ bytes: ByteBufferView) -> Bool {
        var bytes = bytes[...]
        var hasEnded = false
        while !bytes.isEmpty {
            if preface > 0 {
                preface -= Self.skip(preface, &bytes)
            } else if rest > 0 {
                rest -= Self.skip(rest, &bytes)
                if rest == 0, !isInHeader { hasEnded = true }
            } else if let byte = bytes.popFirst() {
                take(byte)
                if headerCount == 0, rest == 0, !isInHeader { hasEnded = true }
            }
        }
        return hasEnded
    }

    private static func skip(_ count: Int, _ bytes: inout ByteBufferView.SubSequence) -> Int {
        let skipped = min(count, bytes.count)
        bytes = bytes.dropFirst(skipped)
        return skipped
    }

    private mutating func take(_ byte: UInt8) {
        switch headerCount {
        case 0: length = Int(byte)
        case 1, 2: length = length << 8 | Int(byte)
        case 3: kind = byte
        case 4: flags = byte
        default: break
        }
        headerCount += 1
        guard headerCount == Self.headerLength else { return }
        headerCount = 0
        rest = length
        if kind == Self.headers || kind == Self.continuation { isInHeader = flags & Self.endsHeaders == 0 }
    }
}

/// Which response goes on next: the most urgent, and of those the one that waits longest.
struct HTTP2Turns<Element> {
    private var waiting: [(level: Int, element: Element)] = []

    var isEmpty: Bool { waiting.isEmpty }

    /// - Parameter level: less is more urgent.
    mutating func add(_ element: Element, level: Int) {
        let index = waiting.lastIndex { $0.level <= level }.map { $0 + 1 } ?? 0
        waiting.insert((level, element), at: index)
    }

    mutating func next() -> Element? {
        waiting.isEmpty ? nil : waiting.removeFirst().element
    }

    mutating func removeAll() {
        waiting.removeAll()
    }
}
