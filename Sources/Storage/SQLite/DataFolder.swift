import Foundation

/// The folder that durable state lives in, closed to everybody but the server's own user.
enum DataFolder {
    /// Creates it with mode 0700 when it is missing; a folder that exists keeps its mode.
    static func prepare(_ path: String) throws {
        var isFolder = ObjCBool(false)
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw StoreError.failed("\(path) is not a folder") }
            return
        }
        // Each folder above it as well, as `mkdir -p` does.
        var made = path.hasPrefix("/") ? "" : "."
        for name in path.split(separator: "/") {
            made += "/\(name)"
            guard mkdir(made, 0o700) != 0 else { continue }
            let reason = errno
            guard FileManager.default.fileExists(atPath: made) else {
                throw StoreError.failed(
                    "the folder \(made) cannot be created by uid \(getuid()): \(String(cString: strerror(reason)))")
            }
        }
    }

    /// Creates an empty file with mode 0600 when it is missing. SQLite gives its side files the same mode.
    ///
    /// A file that exists is not touched: closing a descriptor of a database drops every lock that this process holds on
    /// it, also those of a connection open elsewhere in the process (POSIX advisory locks).
    static func prepareFile(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
        } else if errno != EEXIST {
            throw StoreError.failed("\(path) cannot be created by uid \(getuid()): \(String(cString: strerror(errno)))")
        }
    }

    /// Runs `work` while no other process, and nobody else in this one, is inside the lock of the file at `path`. The
    /// file stays; the system gives the lock back when its holder dies.
    static func withLock<Value>(_ path: String, _ work: () throws -> Value) throws -> Value {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.failed("\(path) cannot be opened by uid \(getuid()): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw StoreError.failed("\(path) cannot be locked: \(String(cString: strerror(errno)))")
            }
        }
        return try work()
    }

    /// Takes the lock of the file at `path` for as long as this process lives: its descriptor is never closed.
    /// - Returns: false when another process has it.
    static func claim(_ path: String) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return true }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 else { return true }
        let isTaken = errno == EWOULDBLOCK
        close(descriptor)
        return !isTaken
    }

    /// Creates a new file with mode 0600 that holds `bytes`, on disk when this returns.
    static func writeFile(_ path: String, _ bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.failed("\(path) cannot be created: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard bytes.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == bytes.count,
            fsync(descriptor) == 0
        else { throw StoreError.failed("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    }
}
