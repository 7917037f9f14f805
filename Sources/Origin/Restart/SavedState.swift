import Admission
import Delivery
import Foundation
import Live
import Logging
import NIOCore
import Settings
import Storage

/// What a process that ends leaves for the next one: a file beside the database, which is there as a whole or not at all, and is
/// taken once.
///
/// It holds a line with the version, the length of a description, the description, the bytes of segments, and a code under the
/// server's secret, so nothing is believed that the server has not written itself. It is not forced to the disk: a machine that
/// loses its power has lost the viewers as well, and what was not written in full is not taken.
struct SavedState: Codable {
    var date: Date
    var streams: SavedStreams
    var sessions: SavedSessions

    /// Of what `Codable` makes of all this; another one is not read.
    static let version = 1
    static let fileName = "restart.state"
    private static let head = "playhouse state \(version)\n"

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    var isEmpty: Bool { streams.isEmpty && sessions.isEmpty }

    // MARK: Writing

    /// - Returns: how many bytes it took.
    @discardableResult
    func write(blobs: [ByteBuffer], folder: String, secret: ServerSecret) throws -> Int {
        let path = Self.path(in: folder)
        let draft = path + ".new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.failure(draft) }
        defer {
            close(descriptor)
            unlink(draft)
        }
        let description = try JSONEncoder().encode(self)
        var head = ByteBuffer(string: Self.head)
        head.writeInteger(UInt64(description.count))
        head.writeBytes(description)
        var code = secret.stateCode()
        var count = 0
        for piece in [head] + blobs {
            try piece.withUnsafeReadableBytes {
                code.update($0)
                try Self.write($0, to: descriptor, path: draft)
            }
            count += piece.readableBytes
        }
        try code.finish().withUnsafeBytes { try Self.write($0, to: descriptor, path: draft) }
        guard rename(draft, path) == 0 else { throw Self.failure(path) }
        return count + ServerSecret.StateCode.length
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path) }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: Reading

    /// Takes the file away, whatever is in it, and gives what it holds.
    ///
    /// - Parameters:
    ///   - maximum: a longer file is not read.
    ///   - age: an older one is not taken.
    /// - Returns: nil when there is none.
    /// - Throws: why it cannot be used.
    static func take(
        folder: String, secret: ServerSecret, maximum: Int, age: Duration, now: Date
    ) throws -> (state: SavedState, blobs: ByteBuffer)? {
        let path = path(in: folder)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path)
        }
        defer { close(descriptor) }
        // Before it is looked at: one that ends the process would end the next one as well.
        guard unlink(path) == 0 else { throw failure(path) }
        var bytes = try read(descriptor, path: path, maximum: maximum)
        guard bytes.readString(length: head.utf8.count) == head else {
            throw Failure(description: "it is of another version")
        }
        bytes.moveReaderIndex(to: 0)
        guard bytes.readableBytes > head.utf8.count + 8 + ServerSecret.StateCode.length,
            let content = bytes.readSlice(length: bytes.readableBytes - ServerSecret.StateCode.length)
        else { throw Failure(description: "it is cut off") }
        var code = secret.stateCode()
        content.withUnsafeReadableBytes { code.update($0) }
        guard code.finish().elementsEqual(bytes.readableBytesView) else {
            throw Failure(description: "it is damaged, or another server's")
        }
        var blobs = content
        blobs.moveReaderIndex(forwardBy: head.utf8.count)
        guard let length = blobs.readInteger(as: UInt64.self).flatMap({ Int(exactly: $0) }),
            let description = blobs.readSlice(length: length)
        else { throw Failure(description: "it is cut off") }
        let state = try JSONDecoder().decode(SavedState.self, from: Data(description.readableBytesView))
        let past = now.timeIntervalSince(state.date)
        // A clock that was set back says nothing of the age.
        guard past <= Double(age.components.seconds), past > -5 else {
            throw Failure(description: "it is \(Int(past.rounded())) s old")
        }
        return (state, blobs)
    }

    private static func read(_ descriptor: CInt, path: String, maximum: Int) throws -> ByteBuffer {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw failure(path) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw Failure(description: "it is no file") }
        guard facts.st_size <= maximum else { throw Failure(description: "it is longer than limits.memory") }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(Int(facts.st_size))
        while bytes.readableBytes < Int(facts.st_size) {
            let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 16) { space in
                max(0, Foundation.read(descriptor, space.baseAddress, space.count))
            }
            guard count > 0 else { throw Failure(description: "it is cut off") }
        }
        return bytes
    }

    private static func path(in folder: String) -> String { "\(folder)/\(fileName)" }

    private static func failure(_ path: String) -> Failure {
        Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }
}

/// Where a server's state is kept between two processes.
struct SavedStateFile: Sendable {
    let folder: String
    let secret: ServerSecret
    let logger: Logger

    /// Goes on with what a former process has left, if there is something that can be used.
    func restore(
        _ configuration: PlayhouseConfiguration, outputs: OutputTable, admissions: Admissions,
        group: any EventLoopGroup, meters: DeliveryMeters
    ) async {
        do {
            guard
                let (state, blobs) = try SavedState.take(
                    folder: folder, secret: secret, maximum: configuration.limits.memory,
                    age: configuration.server.resumeWithin, now: Date())
            else { return }
            let streams = try await outputs.restore(
                state.streams, blobs: blobs, on: group, meters: meters, window: configuration.live.reconnectWindow)
            let sessions = admissions.restore(state.sessions)
            logger.info(
                "goes on with what the process before has left",
                metadata: ["streams": "\(streams)", "sessions": "\(sessions)"])
        } catch {
            logger.warning(
                "what the process before has left is not used, playlists and sessions begin anew",
                metadata: ["file": "\(folder)/\(SavedState.fileName)", "reason": "\(error)"])
        }
    }

    /// Leaves it for the next process.
    func write(outputs: OutputTable, admissions: Admissions) async {
        var blobs: [ByteBuffer] = []
        let state = SavedState(
            date: Date(), streams: outputs.save(blobs: &blobs), sessions: admissions.save())
        guard !state.isEmpty else { return }
        do {
            let bytes = try state.write(blobs: blobs, folder: folder, secret: secret)
            logger.info("left for the next process", metadata: ["bytes": "\(bytes)"])
        } catch {
            logger.warning("nothing is left for the next process", metadata: ["error": "\(error)"])
        }
    }
}
