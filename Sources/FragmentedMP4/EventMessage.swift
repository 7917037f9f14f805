import Media
import NIOCore

/// `emsg`, an event at a moment of the presentation (ISO/IEC 23009-1 §5.10.3.3). It stands in front of a fragment's `moof`.
public struct EventMessage: Sendable, Hashable {
    /// Timed metadata in ID3, as CMAF carries it for HLS (AOM, "Carriage of ID3 Timed Metadata in CMAF").
    public static let id3Scheme = "https://aomedia.org/emsg/ID3"
    private static let timescale: Int64 = 90_000

    /// What the message is, a URI.
    public var scheme: String
    /// When it is for, on the stream's timeline.
    public var time: MediaTime
    /// Another number for each event of a stream: players take those that repeat for one event.
    public var identifier: UInt32
    public var message: ByteBuffer

    public init(scheme: String, time: MediaTime, identifier: UInt32, message: ByteBuffer) {
        self.scheme = scheme
        self.time = time
        self.identifier = identifier
        self.message = message
    }

    /// What an encoder tells viewers, as an ID3 tag with one `TXXX` frame: its description is the name, its value the JSON.
    ///
    /// - Returns: nil when it is longer than an ID3 frame can be.
    public init?(_ told: TimedMetadata, time: MediaTime, identifier: UInt32) {
        guard let tag = ID3Tag.userText(description: told.name, value: told.json) else { return nil }
        self.init(scheme: Self.id3Scheme, time: time, identifier: identifier, message: tag)
    }

    /// Writes the box, in version 1: with a time of the presentation's own. How long it lasts is not known.
    ///
    /// - Parameter origin: what counts as time 0 in the file, as in `FragmentWriter`; a time before it is written as 0.
    public func write(origin: MediaTime, into buffer: inout ByteBuffer) {
        var writer = BoxWriter(buffer)
        // The only reference now: what is written goes into the caller's memory, not into a copy of it.
        buffer = ByteBuffer()
        writer.fullBox("emsg", version: 1) { writer in
            writer.write(UInt32(clamping: Self.timescale))
            writer.write(UInt64(clamping: (time - origin).ticks(timescale: Self.timescale)))
            writer.write(UInt32.max)
            writer.write(identifier)
            // A value that tells events of the scheme apart is not needed.
            for text in [scheme, ""] {
                writer.buffer.writeString(text)
                writer.write(UInt8(0))
            }
            writer.write(message)
        }
        buffer = writer.buffer
    }
}

/// ID3 tags of version 2.4 (id3.org, "ID3 tag version 2.4.0").
enum ID3Tag {
    /// A tag with one `TXXX` frame: a text in UTF-8 under a description.
    ///
    /// - Returns: nil when it is too long for the format's 28 bits.
    static func userText(description: String, value: String) -> ByteBuffer? {
        let content = 1 + description.utf8.count + 1 + value.utf8.count
        guard let frameSize = synchronizationSafe(content), let tagSize = synchronizationSafe(10 + content) else {
            return nil
        }
        var tag = ByteBuffer()
        tag.reserveCapacity(20 + content)
        tag.writeStaticString("ID3")
        // Version 2.4.0, no flags.
        tag.writeMultipleIntegers(UInt8(4), UInt8(0), UInt8(0), tagSize)
        tag.writeStaticString("TXXX")
        tag.writeMultipleIntegers(frameSize, UInt16(0))
        // 3 is UTF-8.
        tag.writeInteger(UInt8(3))
        tag.writeString(description)
        tag.writeInteger(UInt8(0))
        tag.writeString(value)
        return tag
    }

    /// A number of 28 bits in four bytes whose highest bits are 0.
    private static func synchronizationSafe(_ number: Int) -> UInt32? {
        guard (0..<1 << 28).contains(number), let bits = UInt32(exactly: number) else { return nil }
        return (bits & 0xFE0_0000) << 3 | (bits & 0x1F_C000) << 2 | (bits & 0x3F80) << 1 | bits & 0x7F
    }
}
