import Foundation
import NIOCore
import RTMP
import TestSupport
import Testing

/// An origin with an encoder and a viewer that mean well, for tests in which others do harm beside them.
///
/// `play` attacks with what the test gives it, and then looks at what the origin promises: it lives, its memory stayed below
/// a bound, its descriptors went back, and the viewer has every frame that the encoder sent, in order and to the last.
final class AttackScene {
    let origin: OriginProcess
    let account: TestAccount
    let source: SourceMedia
    private let folder: Folder
    private let encoder: ForeignProgram
    private let player: Player
    /// ffmpeg as a viewer over HLS, and the file it writes.
    private let follower: (program: ForeignProgram, path: String)?

    /// - Parameters:
    ///   - settings: the origin's, beside those every test has.
    ///   - isFollowed: the stream has a viewer over HLS as well.
    ///   - ownFolder: the origin's; nil: a new one.
    init(_ settings: [String] = [], isFollowed: Bool = false, in ownFolder: Folder? = nil) async throws {
        source = try await SourceMedia.h264AAC()
        // What is looked at is whether anything is lost, so a machine that is slow under attack has time for what it is owed.
        let window = settings.contains { $0.hasPrefix("hls.window") } ? [] : ["hls.window: 60"]
        origin = try await OriginProcess(settings + window, folder: ownFolder)
        account = try await origin.account()
        folder = try Folder()
        try await account.openStream("show")
        encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        try await player.moves()
        // The first lookup of everything is done before anything is measured.
        _ = try await HTTPGet(origin.playlist("show"))
        guard isFollowed else {
            follower = nil
            return
        }
        let path = folder.file("follower.ts")
        follower = (
            try ForeignProgram([
                "ffmpeg", "-v", "error", "-copyts", "-i", origin.playlist("show"), "-map", "0", "-c", "copy",
                "-muxdelay", "0", path,
            ]), path
        )
        try await eventually("the first segment over HLS") {
            FileManager.default.contents(atPath: path)?.isEmpty == false
        }
    }

    /// Runs an attack and checks the origin during and after it.
    /// - Parameters:
    ///   - memory: bytes that the origin's resident memory may grow by at its highest.
    ///   - attack: returns when the origin has noticed the harm. What it returns, its connections, is kept until the origin
    ///     has closed them by itself.
    func play<Attackers>(
        memory: Int, sourceLocation: SourceLocation = #_sourceLocation,
        _ attack: (AttackScene) async throws -> Attackers
    ) async throws {
        do {
            try await run(memory: memory, sourceLocation: sourceLocation, attack)
        } catch {
            let state = "origin \(origin.isRunning), encoder \(encoder.isRunning), player \(player.program.isRunning)"
            throw ProgramFailure(
                description: """
                    \(error); running: \(state); \((try? facts()).map { "\($0)" } ?? ""); encoder: \
                    \(encoder.errors.suffix(500)); the log: \(origin.log.suffix(4_000))
                    """)
        }
    }

    private func run<Attackers>(
        memory: Int, sourceLocation: SourceLocation, _ attack: (AttackScene) async throws -> Attackers
    ) async throws {
        let before = try facts()
        try resetPeak()
        let attackers = try await attack(self)
        // The viewer was served all the while, and is served still.
        try await player.moves()
        try await eventually("the descriptors back at \(before.descriptors)", within: .seconds(60)) {
            try self.facts().descriptors <= before.descriptors + AttackScene.ownDescriptors
        }
        withExtendedLifetime(attackers) {}
        try await player.moves()
        let grown = try facts().peakMemory - before.memory
        #expect(grown < memory, "\(grown / 1_024) KiB more at its highest", sourceLocation: sourceLocation)
        #expect(origin.isRunning && encoder.isRunning && player.program.isRunning, sourceLocation: sourceLocation)
        #expect(
            try await HTTPGet("http://127.0.0.1:\(origin.httpPort)/healthz").status == 200,
            sourceLocation: sourceLocation)
    }

    /// Ends the stream in order and compares what the viewers got with what the encoder sent.
    func finish(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        encoder.signal(SIGINT)
        let muxed = try await encoder.result().errors
        let received = try await player.packets()
        let sent = try await StreamPackets(file: source.path)
        for kind in [StreamPacket.Kind.video, .audio] {
            // ffmpeg says in the end how many frames of each kind it sent.
            let pattern = try Regex("\\(\(kind.rawValue)\\): ([0-9]+) packets muxed")
            let said = muxed.matches(of: pattern).last.flatMap { $0.output[1].substring }
            let count: Int = try #require(said.flatMap { Int($0) }, sourceLocation: sourceLocation)
            try expectSuccessors(received, of: sent, kind, count: count, sourceLocation: sourceLocation)
        }
        guard let follower else { return }
        let result = try await follower.program.result()
        #expect(result.status == 0, "\(result.errors)", sourceLocation: sourceLocation)
        let followed = try await StreamPackets.slices(
            of: follower.path, video: StreamPackets.Filter.h264FromTS, audio: StreamPackets.Filter.aacFromTS)
        let slices = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        for kind in [StreamPacket.Kind.video, .audio] {
            try expectSuccessors(
                followed, of: slices, kind, count: nil, said: result.errors, sourceLocation: sourceLocation)
        }
    }

    /// The encoder sends its file again and again: each frame is followed by its successor in the file, the last one by the
    /// first.
    /// - Parameter count: how many frames the encoder has sent, the last of which has to be the last received; nil when that
    ///   cannot be said of this viewer.
    private func expectSuccessors(
        _ received: StreamPackets, of sent: StreamPackets, _ kind: StreamPacket.Kind, count: Int?, said: String = "",
        sourceLocation: SourceLocation
    ) throws {
        let file = sent.all.filter { $0.kind == kind }.map(\.hash)
        let got = received.all.filter { $0.kind == kind }.map(\.hash)
        let start = try #require(got.first.flatMap { file.firstIndex(of: $0) }, sourceLocation: sourceLocation)
        let expected = got.indices.map { file[(start + $0) % file.count] }
        let wrong = zip(got, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        #expect(
            wrong == nil,
            """
            \(kind) frame \(wrong ?? 0) of \(got.count) is not the next one but \(wrong.flatMap { file.firstIndex(of: got[$0]) } ?? -1), after \
            \(wrong.flatMap { file.firstIndex(of: got[max(0, $0 - 1)]) } ?? -1) of \(file.count): \(said)
            """,
            sourceLocation: sourceLocation)
        guard let count else { return }
        #expect(
            (start + got.count) % file.count == count % file.count,
            "\(kind): \(got.count) frames from the \(start)th on do not end with the \(count)th, the last",
            sourceLocation: sourceLocation)
    }

    /// RTMP viewers of the stream, as the API tells them.
    func viewers() async throws -> Int64? {
        try await account.details("show")?.integer("viewers")
    }

    // MARK: The process

    /// What the origin may hold more than before without having leaked it: connections of these tests' own HTTP client, and
    /// the database's readers, each of some files, which it opens as they are needed.
    private static let ownDescriptors = 24

    struct Facts {
        /// Resident bytes now, and at the highest since `resetPeak`.
        var memory: Int
        var peakMemory: Int
        var descriptors: Int
    }

    func facts() throws -> Facts {
        let process = "/proc/\(origin.processID)"
        let status = try String(contentsOfFile: process + "/status", encoding: .utf8)
        func bytes(_ name: String) throws -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            guard let words = line?.split(whereSeparator: \.isWhitespace), words.count > 1, let number = Int(words[1])
            else { throw ProgramFailure(description: "no \(name) in \(process)/status") }
            return number * 1_024
        }
        return Facts(
            memory: try bytes("VmRSS"), peakMemory: try bytes("VmHWM"),
            descriptors: try FileManager.default.contentsOfDirectory(atPath: process + "/fd").count)
    }

    /// VmHWM begins anew (proc(5), clear_refs).
    private func resetPeak() throws {
        try "5".write(toFile: "/proc/\(origin.processID)/clear_refs", atomically: false, encoding: .utf8)
    }
}

extension AttackScene {
    /// Publishes a second stream, of some hundred KiB a frame, as fast as the origin takes it.
    /// - Returns: the paths of its segments, each of `bytes` or more.
    func largeSegments(bytes: Int) async throws -> [String] {
        try await account.openStream("large")
        let header = try #require(try FLVFile(path: source.path).tags.first { $0.type == .video && $0.isHeader })
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "large")
        try await publisher.send(.video, timestamp: 0, body: header.body)
        // A keyframe each second, and a segment with it.
        let size = bytes / 25
        for frame in 0..<(25 * 7) {
            let isKeyframe = frame.isMultiple(of: 25)
            var body = ByteBuffer(bytes: [isKeyframe ? 0x17 : 0x27, 1, 0, 0, 0] as [UInt8])
            body.writeInteger(UInt32(size + 1))
            body.writeInteger(UInt8(isKeyframe ? 0x65 : 0x41))
            body.writeRepeatingByte(0x55, count: size)
            try await publisher.send(.video, timestamp: UInt32(frame * 40), body: body)
        }
        try await publisher.stop()
        let playlist = try await origin.endedPlaylist("large")
        // The last has what was left.
        return playlist.segments.dropLast().map { "/demo-origin/play/large/\($0.name)" }
    }

    /// This process' own limit, for attacks with many sockets.
    static func raiseDescriptorLimit(to count: Int) throws {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { throw ProgramFailure(description: "no descriptor limit") }
        if limit.rlim_cur >= count { return }
        limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
        guard limit.rlim_cur >= count, setrlimit(files, &limit) == 0 else {
            throw ProgramFailure(description: "ulimit -n must be at least \(count)")
        }
    }
}
