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
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError.failed("the folder \(path) cannot be created")
        }
    }

    /// Creates an empty file with mode 0600 when it is missing. SQLite gives its side files the same mode.
    static func prepareFile(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError.failed("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        close(descriptor)
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
