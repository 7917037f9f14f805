import NIOCore

/// A file that a media playlist names.
public enum PlaylistFile: Sendable {
    case segment(Segment)
    case initialization(InitializationFile)

    public var bytes: ByteBuffer {
        switch self {
        case .segment(let segment): segment.bytes
        case .initialization(let file): file.bytes
        }
    }

    public var contentType: String {
        switch self {
        case .segment(let segment): segment.container.contentType
        case .initialization: InitializationFile.contentType
        }
    }

    /// A strong entity tag with its quotation marks.
    public var entityTag: String {
        switch self {
        case .segment(let segment): segment.entityTag
        case .initialization(let file): file.entityTag
        }
    }
}
