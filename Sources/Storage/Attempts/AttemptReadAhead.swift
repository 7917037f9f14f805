import Basics
import CMappedFile
import Foundation
import Synchronization

/// Brings into the system's cache, after a start, what questions about attempts read of the volumes: in the background, in steps
/// with a pause as long as the step after each, so that half of the disk at most is taken from others.
///
/// Nothing depends on it: what has not been read yet, what finds no room in the cache, and what cannot be read, questions read.
struct AttemptReadAhead: Sendable {
    /// A part of a volume's file.
    struct Piece: Sendable, Hashable {
        var file: String
        var range: Range<Int>
    }

    typealias Volume = (file: String, parts: [VolumePart: Range<Int>])

    /// What is read of all volumes, the newest first, before anything of the next stage. Opening a volume has read where its parts,
    /// names and chunks are; texts, a third of the file, are read by whoever lists them.
    static let stages: [[VolumePart]] = [
        // What any count adds up.
        [.repeats, .nameStarts, .nameSums, .appStarts, .appSums],
        // Whoever asks by app, video and address.
        [.v4, .v6, .ranks, .groups, .nameRows, .appRows],
        [.keys, .keyRanks, .keyRows, .keyStarts, .keySums, .keyApps, .keyAppRows, .keyAppStarts, .keyAppSums],
        [
            .passes, .passRanks, .passRows, .passStarts, .passSums, .passApps, .passAppRows, .passAppStarts,
            .passAppSums,
            .pairs, .pairRows, .pairStarts, .pairSums, .pairApps, .pairAppRows, .pairAppStarts, .pairAppSums,
        ],
    ]

    /// Bytes of one step.
    static let step = 1 << 20

    /// Bytes to read at most.
    let limit: Int
    /// Reads a part of a file and forgets what it says.
    let read: @Sendable (_ path: String, Range<Int>) async throws -> Void
    /// What has been read.
    private(set) var done: Set<Piece> = []

    init(limit: Int, read: @escaping @Sendable (String, Range<Int>) async throws -> Void = Self.readThrough) {
        self.limit = limit
        self.read = read
    }

    /// What is to be read of volumes, the newest of which is first: neighbours in a file as one.
    static func plan(_ volumes: [Volume], limit: Int) -> [Piece] {
        var (pieces, left): ([Piece], Int) = ([], limit)
        for stage in stages {
            for (file, parts) in volumes {
                var ranges: [Range<Int>] = []
                let wanted = stage.compactMap { parts[$0] }.filter { !$0.isEmpty }
                for range in wanted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                    if let last = ranges.last, range.lowerBound - last.upperBound < MappedFile.pageSize {
                        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
                    } else {
                        ranges.append(range)
                    }
                }
                for range in ranges where left > 0 {
                    pieces.append(Piece(file: file, range: range.prefix(left)))
                    left -= min(left, range.count)
                }
            }
        }
        return pieces
    }

    /// Reads what has not been read yet of volumes in a folder, the newest of which is first. What cannot be read is left out.
    /// - Returns: how many bytes were read.
    mutating func run(_ volumes: [Volume], folder: String) async throws -> Int {
        let plan = Self.plan(volumes, limit: limit)
        done.formIntersection(plan)
        var bytes = 0
        for piece in plan where !done.contains(piece) {
            for start in stride(from: piece.range.lowerBound, to: piece.range.upperBound, by: Self.step) {
                try Task.checkCancellation()
                let range = start..<min(start + Self.step, piece.range.upperBound)
                let begin = ContinuousClock.now
                // A volume that was merged or removed meanwhile is no loss.
                guard (try? await read("\(folder)/\(piece.file)", range)) != nil else { break }
                bytes += range.count
                try await Task.sleep(for: ContinuousClock.now - begin)
            }
            done.insert(piece)
        }
        return bytes
    }

    /// `read` of a call that is back when the bytes are in the cache, unlike `madvise` and `readahead`, which take as much of the
    /// disk as there is.
    @Sendable private static func readThrough(_ path: String, _ range: Range<Int>) async throws {
        try await SQLiteStore.onThread {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw StoreError.unavailable("\(path): \(SystemError.text(errno))") }
            defer { close(descriptor) }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 8)
            defer { buffer.deallocate() }
            var position = range.lowerBound
            while position < range.upperBound {
                let count = pread(descriptor, buffer.baseAddress, range.upperBound - position, off_t(position))
                guard count > 0 else { throw StoreError.unavailable("\(path): \(SystemError.text(errno))") }
                position += count
            }
        }
    }
}

/// What a question does about volumes that are not in the system's cache. Halving reads one page after the other, each of which
/// takes as long as the disk does; disks are many times as fast with several readers. So a question that has met such pages in one
/// volume has the next ones asked by several threads first, for what that brings into the cache.
struct ColdVolumes {
    /// Pages of one volume that had to come from the disk, above which the next volumes are taken for cold, too.
    static let pages = 8
    /// Volumes that are asked side by side.
    static let width = 8

    /// Pages that the calling thread has waited for the disk for.
    static let pagesOfThread: @Sendable () -> Int = { mapped_file_pages_waited_for() }

    private let count: @Sendable () -> Int
    private var last: Int
    /// Volumes before this one were asked ahead.
    private var end = 0
    private var areCold = false

    init(_ count: @escaping @Sendable () -> Int) {
        self.count = count
        last = count()
    }

    /// To be called before each volume of a question, in their order.
    /// - Parameter ask: asks one volume, on another thread.
    mutating func reach(_ index: Int, of volumes: Int, _ ask: @escaping @Sendable (Int) -> Void) {
        defer { last = count() }
        guard index >= end else { return }
        guard areCold || count() - last > Self.pages else { return }
        end = min(volumes, index + Self.width)
        let met = Mutex(0)
        let group = DispatchGroup()
        for index in index..<end {
            group.enter()
            // Threads of their own: all that the system's queues have may wait for the disk.
            Thread.detachNewThread { [count] in
                let before = count()
                ask(index)
                let pages = count() - before
                met.withLock { $0 += pages }
                group.leave()
            }
        }
        group.wait()
        areCold = met.withLock { $0 } > Self.pages
    }
}
