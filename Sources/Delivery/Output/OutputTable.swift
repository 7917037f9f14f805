import Basics
import HLS
import Live
import Logging
import Media
import NIOCore
import Storage
import Synchronization
import Usher

/// All streams as HLS: packages what is published on the stage, and finds it for players.
///
/// A stream that has ended stays, with its `ENDLIST`, for `DeliveryConfiguration.linger`. When it is published again
/// before that, the new publication takes its place at once, while the segments of the one before, which players may
/// still have in hand, stay fetchable for the rest of the time.
public final class OutputTable: StageObserver {
    private let configuration: DeliveryConfiguration
    private let store: any SequenceStore & StreamStore
    private let memory: MemoryBudget
    private let logger: Logger
    private let state = Mutex(State())

    fileprivate struct State {
        /// Of each stream the latest publication last; never empty.
        var streams: [StreamAddress: [StreamOutput]] = [:]
        var ended = EndedOutputs()
        /// The streams of each program.
        var programs: [StreamAddress: Set<StreamAddress>] = [:]
        var plans: [StreamAddress: ProgramPlan] = [:]
    }

    /// Publications of one stream kept at once: an encoder that flaps must not pile them up.
    private static let maximumOutputsPerStream = 4

    /// - Parameter memory: segments are counted in it; when it is short, streams that have ended go first.
    public init(
        configuration: DeliveryConfiguration, store: any SequenceStore & StreamStore, memory: MemoryBudget,
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.memory = memory
        self.logger = logger
    }

    /// The latest publication of a stream, live or ended; nil when there is none.
    public func output(at address: StreamAddress) -> StreamOutput? {
        state.withLock { $0.streams[address]?.last }
    }

    /// A segment, part or initialization file of any publication that is kept.
    func file(_ name: MediaFileName, at address: StreamAddress) -> PlaylistFile? {
        let outputs = state.withLock { $0.streams[address] } ?? []
        for output in outputs.reversed() {
            guard let snapshot = output.current?.snapshot else { continue }
            if case .segment(let sequence, .transportStream) = name {
                if let file = snapshot.segment(sequence).flatMap(output.transportStream.file) { return file }
            } else if let file = snapshot.file(name) {
                return file
            }
        }
        return nil
    }

    /// The renditions of a program that are on air, the program's own stream first; those that have ended, if all have. Empty when
    /// there is none.
    func renditions(of program: StreamAddress) -> [StreamOutput] {
        let outputs = state.withLock { state in
            (state.programs[program] ?? []).compactMap { state.streams[$0]?.last }
        }
        let live = outputs.filter { !$0.isEnded }
        return (live.isEmpty ? outputs : live).sorted { $0.address < $1.address }
    }

    /// The same as variants of a master playlist, those of more bits first behind the program's own stream.
    func variants(of program: StreamAddress) -> [PublishedPlaylist.Variant] {
        renditions(of: program).compactMap { output in
            output.current.map {
                PublishedPlaylist.Variant(
                    folder: output.address.folder(in: program), snapshot: $0.snapshot, labels: output.labels)
            }
        }.sorted { one, other in
            guard let folder = one.folder, let otherFolder = other.folder else { return one.folder == nil }
            let (rate, otherRate) = (one.snapshot.bandwidth, other.snapshot.bandwidth)
            return rate == otherRate ? folder < otherFolder : rate > otherRate
        }
    }

    /// What the renditions of a program have in common: as it was left, while any of them is kept.
    private func plan(of program: StreamAddress) -> ProgramPlan {
        state.withLock { state in
            let plan = state.plans[program] ?? ProgramPlan(numbers: SequenceNumbers(block: configuration.sequenceBlock))
            state.plans[program] = plan
            return plan
        }
    }

    /// Streams kept, ended ones included.
    public var count: Int {
        state.withLock { $0.streams.count }
    }

    public func hubOpened(_ hub: StreamHub) async {
        let address = hub.address
        guard makeRoom(for: address) else {
            logger.error("too many streams, not packaged for HLS", metadata: ["stream": "\(address)"])
            return
        }
        let segmenter = await segmenterConfiguration(for: address)
        let program = address.program
        let reserve = { @Sendable [store, count = configuration.sequenceBlock] in
            try await store.reserveSequence(name: "hls/\(program)", count: count)
        }
        let previous = output(at: address)
        let plan = plan(of: program)
        if plan.join() {
            do {
                plan.reserved(first: try await reserve())
            } catch {
                logger.error(
                    "no media sequence numbers reserved, tried again soon",
                    metadata: ["stream": "\(address)", "error": "\(error)"])
            }
        }
        let storage = CountedStorage { [memory, account = hub.accountID] in memory.change(by: $0, account: account) }
        let isForOldPlayers = configuration.transportStreams.contains { $0.matches("\(address.app)/\(address.stream)") }
        let output = StreamOutput(
            hub, container: isForOldPlayers ? .transportStream : .fragmentedMP4, plan: plan, storage: storage)
        insert(output)
        hub.attach(
            HLSPackager(
                output: output, configuration: segmenter, above: previous?.lastSequence, storage: storage,
                memory: memory, accountID: hub.accountID, logger: logger, reserve: reserve
            ) { [weak self] in self?.changed($0) })
    }

    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {}

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) async {}

    private func segmenterConfiguration(for address: StreamAddress) async -> SegmenterConfiguration {
        do {
            let settings = try await store.streamSettings(app: address.app, stream: address.stream)
            if let window = settings.inForce(\.playlistCount) { return configuration.segmenter.with(window: window) }
        } catch {
            logger.warning(
                "stream settings not read, the configured playlist length is used",
                metadata: ["stream": "\(address)", "error": "\(error)"])
        }
        return configuration.segmenter
    }

    private func insert(_ output: StreamOutput) {
        // What is let go of frees its segments after the lock, not inside it.
        let surplus = state.withLock { state -> [StreamOutput] in
            var outputs = state.streams[output.address] ?? []
            outputs.append(output)
            let surplus = Array(outputs.prefix(max(0, outputs.count - Self.maximumOutputsPerStream)))
            outputs.removeFirst(surplus.count)
            state.streams[output.address] = outputs
            state.programs[output.address.program, default: []].insert(output.address)
            for output in surplus { state.ended.remove(output) }
            return surplus
        }
        withExtendedLifetime(surplus) {}
    }

    /// Lets ended publications go if need be. False when all streams are live.
    private func makeRoom(for address: StreamAddress) -> Bool {
        while true {
            let isFull = state.withLock {
                $0.streams[address] == nil && $0.streams.count >= configuration.maximumOutputs
            }
            guard isFull else { return true }
            guard removeOldestEnded() else { return false }
        }
    }

    /// Lets go of all publications of accounts that are no more, those that are live included.
    public func remove(accounts: Set<AccountID>) {
        let removed = state.withLock { state in
            let outputs = state.streams.values.joined().filter { accounts.contains($0.accountID) }
            for output in outputs { state.remove(output) }
            return outputs
        }
        withExtendedLifetime(removed) {}
    }

    /// Called on the output's event loop when it has published or ended.
    private func changed(_ output: StreamOutput) {
        if output.isEnded {
            guard let last = output.current else {
                remove(output)
                return
            }
            state.withLock { state in
                // It may have been let go of already: of a stream that is published again and again.
                guard state.streams[output.address]?.contains(where: { $0 === output }) == true else { return }
                state.ended.add(output)
            }
            output.eventLoop.scheduleTask(in: lingerTime(of: last.snapshot)) { [weak self, weak output] in
                guard let output else { return }
                self?.remove(output)
            }
        }
        while memory.pressure >= .retainedSegments, removeOldestEnded() {}
    }

    /// The configured time, or three times the playlist's length, whichever is longer.
    private func lingerTime(of snapshot: PlaylistSnapshot) -> TimeAmount {
        let length = snapshot.listed.reduce(MediaTime.zero) { $0 + $1.duration }
        // A playlist is at most hours long, but its length is the publisher's doing: a day is the most.
        let seconds = min(max(Double(configuration.linger), length.seconds * 3), 86_400)
        return .milliseconds(Int64(seconds * 1_000))
    }

    private func remove(_ output: StreamOutput) {
        state.withLock { $0.remove(output) }
    }

    /// Whether there was one. Its segments are freed when nobody holds them any more, so not inside the lock.
    private func removeOldestEnded() -> Bool {
        let removed = state.withLock { state -> StreamOutput? in
            guard let oldest = state.ended.removeOldest() else { return nil }
            state.remove(oldest)
            return oldest
        }
        return removed != nil
    }
}

extension OutputTable.State {
    fileprivate mutating func remove(_ output: StreamOutput) {
        ended.remove(output)
        guard var outputs = streams[output.address] else { return }
        outputs.removeAll { $0 === output }
        streams[output.address] = outputs.isEmpty ? nil : outputs
        guard outputs.isEmpty else { return }
        let program = output.address.program
        programs[program]?.remove(output.address)
        guard programs[program]?.isEmpty == true else { return }
        programs[program] = nil
        plans[program] = nil
    }
}

extension StreamAddress {
    /// The stream that this one is a rendition of (`show` for `show_360p`), or itself.
    var program: StreamAddress {
        StreamAddress(app: app, instance: instance, stream: VideoName.source(of: stream) ?? stream)
    }

    /// Where its playlists are below those of the program: `r_360p`; nil: in the same place.
    func folder(in program: StreamAddress) -> String? {
        self == program ? nil : "r_\(stream.dropFirst(program.stream.count + 1))"
    }
}

extension SegmenterConfiguration {
    fileprivate func with(window: Int) -> SegmenterConfiguration {
        SegmenterConfiguration(
            segmentDuration: segmentDuration, partDuration: partDuration, window: window,
            retainedSegments: retainedSegments,
            maximumSegmentDuration: maximumSegmentDuration, maximumSegmentBytes: maximumSegmentBytes,
            maximumTotalBytes: maximumTotalBytes)
    }
}

/// Publications that have ended, found by age without a look at those that are live: each is gone through once.
private struct EndedOutputs {
    private var outputs: [UInt64: StreamOutput] = [:]
    private var places: [ObjectIdentifier: UInt64] = [:]
    /// No place before it is taken.
    private var first: UInt64 = 0
    private var next: UInt64 = 0

    mutating func add(_ output: StreamOutput) {
        outputs[next] = output
        places[ObjectIdentifier(output)] = next
        next &+= 1
    }

    mutating func remove(_ output: StreamOutput) {
        guard let place = places.removeValue(forKey: ObjectIdentifier(output)) else { return }
        outputs[place] = nil
    }

    mutating func removeOldest() -> StreamOutput? {
        while first < next {
            let output = outputs.removeValue(forKey: first)
            first &+= 1
            guard let output else { continue }
            places[ObjectIdentifier(output)] = nil
            return output
        }
        return nil
    }
}
