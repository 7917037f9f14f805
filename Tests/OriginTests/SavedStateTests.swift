import Admission
import Delivery
import Foundation
import NIOCore
import Storage
import TestSupport
import Testing

@testable import Origin

/// The file that a process leaves for the next one.
@Suite("Saved state") struct SavedStateTests {
    private let folder: Folder
    private let secret: ServerSecret
    private let date = Date(timeIntervalSince1970: 1_700_000_000)
    private let blobs = [ByteBuffer(repeating: 7, count: 300), ByteBuffer(), ByteBuffer(string: "the end")]

    init() throws {
        folder = try Folder()
        secret = try #require(ServerSecret(bytes: Array(0..<32)))
    }

    private var path: String { folder.file(SavedState.fileName) }

    private func write() throws {
        try SavedState(date: date, streams: SavedStreams(), sessions: SavedSessions())
            .write(blobs: blobs, folder: folder.path, secret: secret)
    }

    private func take(_ secret: ServerSecret? = nil, maximum: Int = 1 << 20, after seconds: Double = 1) throws
        -> ByteBuffer?
    {
        try SavedState.take(
            folder: folder.path, secret: secret ?? self.secret, maximum: maximum, age: .seconds(60), now: date + seconds
        )?.blobs
    }

    /// What is said of a file that is not used; it is gone all the same.
    private func refusal(_ secret: ServerSecret? = nil, maximum: Int = 1 << 20, after seconds: Double = 1) -> String {
        defer { #expect(!FileManager.default.fileExists(atPath: path)) }
        do {
            return try take(secret, maximum: maximum, after: seconds) == nil ? "there is none" : "it was taken"
        } catch {
            return "\(error)"
        }
    }

    @Test("It is taken once, is for the server alone to read, and leaves nothing else behind")
    func once() throws {
        #expect(try take() == nil)
        try write()
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [SavedState.fileName])
        let bytes = try #require(try take())
        #expect(bytes.readableBytesView.elementsEqual(blobs.map(\.readableBytesView).joined()))
        #expect(try take() == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("One that is damaged anywhere, or cut off anywhere, is not used")
    func damaged() throws {
        try write()
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        for index in stride(from: 0, to: whole.count, by: 13) {
            var changed = whole
            changed[index] ^= 0x10
            try changed.write(to: URL(fileURLWithPath: path))
            #expect(refusal().hasPrefix("it is "), "byte \(index)")
            try whole.prefix(index).write(to: URL(fileURLWithPath: path))
            #expect(refusal().hasPrefix("it is "), "length \(index)")
        }
        try (whole + [0]).write(to: URL(fileURLWithPath: path))
        #expect(refusal() == "it is damaged, or another server's")
        try whole.write(to: URL(fileURLWithPath: path))
        #expect(refusal() == "it was taken")
    }

    @Test("Another server's, another version's, an old one, one of tomorrow and one that is too long are not used")
    func unusable() throws {
        try write()
        #expect(refusal(ServerSecret(bytes: Array(1...32))) == "it is damaged, or another server's")
        try write()
        #expect(refusal(after: 61) == "it is 61 s old")
        try write()
        #expect(refusal(after: 60) == "it was taken")
        try write()
        #expect(refusal(after: -10) == "it is -10 s old")
        try write()
        #expect(refusal(maximum: 400) == "it is longer than limits.memory")
        try Data("playhouse state 2\n...".utf8).write(to: URL(fileURLWithPath: path))
        #expect(refusal() == "it is of another version")
        // A length that is no length.
        try Data("playhouse state 1\n".utf8 + [UInt8](repeating: 0xFF, count: 100)).write(
            to: URL(fileURLWithPath: path))
        #expect(refusal() == "it is damaged, or another server's")
    }

    @Test("What is no file is not followed and not waited for")
    func noFile() throws {
        try write()
        try FileManager.default.moveItem(atPath: path, toPath: folder.file("elsewhere"))
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: folder.file("elsewhere"))
        #expect(throws: SavedState.Failure.self) { try take() }
        try FileManager.default.removeItem(atPath: path)
        #expect(mkfifo(path, 0o600) == 0)
        #expect(refusal() == "it is no file")
        // Nor is it written through a link that stands where it is written first.
        try FileManager.default.createSymbolicLink(
            atPath: path + ".new", withDestinationPath: folder.file("elsewhere"))
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.file("elsewhere")))
        try write()
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("elsewhere"))) == before)
        #expect(try take() != nil)
    }
}
