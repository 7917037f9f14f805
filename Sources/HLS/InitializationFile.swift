import Basics
import NIOCore

/// The initialization section that fragmented MP4 segments need (`EXT-X-MAP`).
public struct InitializationFile: Sendable, Hashable {
    /// `init_<sequence>.mp4`, with the sequence number of the first segment that uses it: another configuration has
    /// another name, so caches may keep it for ever.
    public let name: String
    public let bytes: ByteBuffer
    /// A strong entity tag with its quotation marks.
    public let entityTag: String

    init(name: String, bytes: ByteBuffer) {
        self.name = name
        self.bytes = bytes
        entityTag = EntityHash.tag(of: bytes.readableBytesView)
    }

    /// The `Content-Type`.
    public static let contentType = "video/mp4"
}
