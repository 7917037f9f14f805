/// Frames of HTTP/2 (RFC 9113 §4.1) as a peer would write them that keeps to nothing.
public enum HTTP2Bytes {
    public static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    public enum Kind: UInt8, Sendable {
        case data, headers, priority, reset, settings, push, ping, goAway, window, continuation
    }

    /// One that came.
    public struct Frame: Sendable {
        public let kind: UInt8
        public let flags: UInt8
        public let stream: UInt32
        public let payload: [UInt8]

        public func isOf(_ kind: Kind) -> Bool { self.kind == kind.rawValue }

        /// Of `GOAWAY` and `RST_STREAM`.
        public var code: UInt32? {
            switch kind {
            case Kind.goAway.rawValue where payload.count >= 8: value(payload.dropFirst(4).prefix(4))
            case Kind.reset.rawValue where payload.count == 4: value(payload[...])
            default: nil
            }
        }

        /// The status of a response, as far as it stands in the static table.
        public var status: Int? {
            guard isOf(.headers), let first = payload.first else { return nil }
            return [0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500][first]
        }
    }

    public static func frame(
        _ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []
    ) -> [UInt8] {
        let length = UInt32(payload.count)
        return [UInt8(length >> 16 & 0xFF), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), kind.rawValue, flags]
            + number(stream) + payload
    }

    public static func number(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    private static func value(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

    /// What a connection begins with.
    /// - Parameter window: of each stream; nil: as the protocol has it.
    public static func opening(window: UInt32? = nil) -> [UInt8] {
        preface + frame(.settings, window.map { [0, 4] + number($0) } ?? [])
    }

    /// Room for more of one stream, or of all (0).
    public static func room(_ bytes: UInt32, stream: UInt32 = 0) -> [UInt8] {
        frame(.window, stream: stream, number(bytes))
    }

    /// A field that stays out of the dynamic table.
    public static func field(_ name: String, _ value: String) -> [UInt8] {
        func text(_ text: String) -> [UInt8] {
            let bytes = Array(text.utf8)
            guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
            var length = bytes.count - 127
            var prefix: [UInt8] = [127]
            while length >= 128 {
                prefix.append(UInt8(length & 0x7F) | 0x80)
                length >>= 7
            }
            return prefix + [UInt8(length)] + bytes
        }
        return [0] + text(name) + text(value)
    }

    /// A header block, without the dynamic table.
    public static func block(_ method: String, _ path: String, _ more: [(String, String)] = []) -> [UInt8] {
        block([(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")] + more)
    }

    public static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { field($0.0, $0.1) }
    }

    /// A whole request without a body.
    public static func get(_ path: String, stream: UInt32, _ more: [(String, String)] = []) -> [UInt8] {
        frame(.headers, flags: 5, stream: stream, block("GET", path, more))
    }

    /// The whole frames at the start of what a peer has got.
    public static func parse(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let start = rest.startIndex
            let length = Int(value(rest[start..<start + 3]))
            guard rest.count >= 9 + length else { break }
            frames.append(
                Frame(
                    kind: rest[start + 3], flags: rest[start + 4], stream: value(rest[(start + 5)..<(start + 9)]),
                    payload: Array(rest[(start + 9)..<(start + 9 + length)])))
            rest = rest[(start + 9 + length)...]
        }
        return frames
    }
}
