import Admission
import Basics
import Foundation
import HLS
import Logging
import NIOCore
import Synchronization

/// `thumbnail.*`: pictures of what streams show.
public struct ThumbnailConfiguration: Sendable, Hashable {
    /// ffmpeg: a name to be looked for in `PATH`, or a path.
    public var program: String
    /// Pictures made at one time, 0 to 64. 0: none are.
    public var processes: Int
    /// A stream's next picture is made after this time at the earliest, 1 to 3,600 seconds.
    public var interval: TimeAmount
    /// Pixels a picture is wide at most, 16 to 3,840.
    public var width: Int

    public init(program: String = "ffmpeg", processes: Int = 2, interval: TimeAmount = .seconds(2), width: Int = 640) {
        self.program = program
        self.processes = min(max(processes, 0), 64)
        self.interval = min(max(interval, .seconds(1)), .seconds(3_600))
        self.width = min(max(width, 16), 3_840)
    }
}

/// A stream's picture.
struct Thumbnail: Sendable {
    let bytes: ByteBuffer
    /// Strong, with its quotation marks.
    let entityTag: String

    init(bytes: ByteBuffer) {
        self.bytes = bytes
        entityTag = bytes.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
    }
}

/// Makes pictures of streams' newest keyframes when somebody asks for them: for each stream one at a time, and at most one in an
/// interval; for all streams so many at a time, and those that are one too many wait for their turn.
final class Thumbnails: Sendable {
    enum Outcome: Sendable {
        case picture(Thumbnail)
        /// There is no video, or none yet.
        case nothing
        /// There is none now; another try may do better.
        case failed
        case noProgram
        case off
    }

    /// Of one publication of a stream; `StreamOutput` keeps it.
    struct State: Sendable {
        fileprivate var last: Outcome?
        /// What the last one was made of.
        private var source: MediaFileName?
        /// Nothing is made before this.
        private var due = NIODeadline.uptimeNanoseconds(0)
        private var failures = 0
        private var isBeingMade = false
        private var waiting: [CheckedContinuation<Turn, Never>] = []
    }

    /// What comes of a request for a picture.
    fileprivate enum Turn: Sendable {
        case known(Outcome)
        /// This one has to make it.
        case make
    }

    /// Those that make pictures, and those that wait to.
    private struct Places {
        var taken = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let configuration: ThumbnailConfiguration
    private let program: PictureProgram
    private let log: LogLimiter
    private let places = Mutex(Places())

    /// Requests that wait for a stream's first picture; to one more there is none now.
    fileprivate static let maximumWaiting = 1_000
    /// Streams whose pictures wait for a place.
    private static let maximumQueue = 64

    init(_ configuration: ThumbnailConfiguration, log: LogLimiter) {
        self.configuration = configuration
        self.log = log
        program = PictureProgram(name: configuration.program, width: configuration.width)
    }

    /// How long an answer may be kept, in seconds.
    var age: Int { Int(configuration.interval.nanoseconds / 1_000_000_000) }

    /// The stream's picture: the newest, or, while that is being made, the one before.
    func outcome(for output: StreamOutput) async -> Outcome {
        guard configuration.processes > 0 else { return .off }
        guard let keyframe = output.current.flatMap({ Keyframe($0.snapshot) }) else { return .nothing }
        let turn = await withCheckedContinuation { continuation in
            let turn = output.thumbnail.withLock { $0.turn(continuation, for: keyframe.name, now: .now()) }
            if let turn { continuation.resume(returning: turn) }
        }
        if case .known(let outcome) = turn { return outcome }
        let outcome = await make(keyframe, of: output)
        let (last, waiting) = output.thumbnail.withLock {
            $0.finish(outcome, of: keyframe.name, interval: configuration.interval, now: .now())
        }
        for continuation in waiting { continuation.resume(returning: .known(last)) }
        return last
    }

    /// - Returns: nil when too many wait for a place.
    private func make(_ keyframe: Keyframe, of output: StreamOutput) async -> Outcome? {
        guard let path = program.path else {
            log.log(.warning, "no pictures of streams", "there is no \(program.name)", address: "", lines: 1)
            return .noProgram
        }
        guard await takePlace() else { return nil }
        defer { givePlaceBack() }
        let result: Result<ByteBuffer, PictureProgram.Failure> = await withCheckedContinuation { continuation in
            // A thread of its own: it waits for another program.
            Thread.detachNewThread { [program] in
                continuation.resume(
                    returning: Result { () throws(PictureProgram.Failure) in
                        try program.picture(with: path, of: keyframe.input)
                    })
            }
        }
        switch result {
        case .success(let bytes):
            return .picture(Thumbnail(bytes: output.storage.keep(joining: CollectionOfOne(bytes))))
        case .failure(let failure):
            log.log(
                .warning, "no picture of a stream", failure.sentence, address: "", ["stream": "\(output.address)"])
            return .failed
        }
    }

    private func takePlace() async -> Bool {
        await withCheckedContinuation { continuation in
            let hasPlace: Bool? = places.withLock { places in
                if places.taken < configuration.processes {
                    places.taken += 1
                    return true
                }
                guard places.waiting.count < Self.maximumQueue else { return false }
                places.waiting.append(continuation)
                return nil
            }
            if let hasPlace { continuation.resume(returning: hasPlace) }
        }
    }

    private func givePlaceBack() {
        let next = places.withLock { places -> CheckedContinuation<Bool, Never>? in
            guard places.waiting.isEmpty else { return places.waiting.removeFirst() }
            places.taken -= 1
            return nil
        }
        next?.resume(returning: true)
    }
}

extension Thumbnails.State {
    /// - Returns: nil: the continuation is kept until the picture has been made.
    fileprivate mutating func turn(
        _ continuation: CheckedContinuation<Thumbnails.Turn, Never>, for source: MediaFileName, now: NIODeadline
    ) -> Thumbnails.Turn? {
        if isBeingMade {
            if case .picture? = last, let last { return .known(last) }
            guard waiting.count < Thumbnails.maximumWaiting else { return .known(.failed) }
            waiting.append(continuation)
            return nil
        }
        if let last {
            if now < due { return .known(last) }
            if case .picture = last, self.source == source { return .known(last) }
        }
        isBeingMade = true
        return .make
    }

    /// - Parameter outcome: nil: nothing was tried.
    /// - Returns: what is to be said now, and to whom.
    fileprivate mutating func finish(
        _ outcome: Thumbnails.Outcome?, of source: MediaFileName, interval: TimeAmount, now: NIODeadline
    ) -> (Thumbnails.Outcome, [CheckedContinuation<Thumbnails.Turn, Never>]) {
        isBeingMade = false
        due = now + interval
        if case .failed? = outcome {
            // What cannot be decoded costs a good deal of time at each try, and takes it from other streams.
            failures = min(failures + 1, 7)
            due = now + max(interval, .seconds(5 << Int64(failures - 1)))
        } else if outcome != nil {
            failures = 0
        }
        if let outcome {
            last = outcome
            self.source = source
        }
        let waiting = self.waiting
        self.waiting = []
        return (outcome ?? last ?? .failed, waiting)
    }
}

/// The newest keyframe of a stream, as fragmented MP4.
private struct Keyframe {
    /// Of the segment that begins with it.
    let name: MediaFileName
    let input: [ByteBuffer]

    /// - Returns: nil when no segment begins with a keyframe.
    init?(_ snapshot: PlaylistSnapshot) {
        let segments = snapshot.listed.reversed()
        guard let segment = segments.first(where: { $0.startsWithKeyframe && $0.tracks.video != nil }) else {
            return nil
        }
        name = segment.name(in: .fragmentedMP4)
        input = [segment.initialization.bytes, segment.parts.first?.bytes ?? segment.bytes]
    }
}
