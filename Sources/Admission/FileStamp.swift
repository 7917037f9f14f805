import Foundation

/// Tells one file from another in its place, and from itself as it was before it was written to.
public struct FileStamp: Sendable, Hashable {
    /// Why there is none: one sentence, without the path.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public var description: String
    }

    /// In bytes.
    public let size: Int64
    private let device: UInt64
    private let node: UInt64
    private let seconds: Int
    private let nanoseconds: Int

    /// Of a regular file, or of the one that a link leads to.
    public init(path: String) throws(Failure) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure(description: String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(description: "it is no file") }
        size = Int64(status.st_size)
        device = UInt64(status.st_dev)
        node = UInt64(status.st_ino)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
