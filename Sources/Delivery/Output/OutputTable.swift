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
        /// Publications of a former process whose publishers may come back.
        var waiting: [StreamAddress: Waiting] = [:]
        /// Another process will go on with what ends.
        var isContinued = false
        /// Requests that wait are not to wait for this process.
        var lastAnswers = false
    }

    fileprivate struct Waiting {
        let output: StreamOutput
        let packager: HLSPackager
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
        if let packager = takeWaiting(address, for: hub.accountID) { return hub.attach(packager) }
        let program = address.program
        let previous = output(at: address)
        let plan = plan(of: program)
        if plan.join() {
            do {
                plan.reserved(first: try await reserve(program))
            } catch {
                logger.error(
                    "no media sequence numbers reserved, tried again soon",
                    metadata: ["stream": "\(address)", "error": "\(error)"])
            }
        }
        let output = makeOutput(
            address, account: hub.accountID, meter: hub.meter, eventLoop: hub.eventLoop, plan: plan)
        insert(output)
        hub.attach(
            makePackager(
                of: output,
                Segmenter(
                    configuration: segmenter, plan: plan, above: previous?.lastSequence, storage: output.storage)))
    }

    private func reserve(_ program: StreamAddress) async throws -> Int64 {
        try await store.reserveSequence(name: "hls/\(program)", count: configuration.sequenceBlock)
    }

    private func makeOutput(
        _ address: StreamAddress, account: AccountID, meter: DeliveryMeter, eventLoop: any EventLoop, plan: ProgramPlan
    ) -> StreamOutput {
        let isForOldPlayers = configuration.transportStreams.contains { $0.matches("\(address.app)/\(address.stream)") }
        return StreamOutput(
            address, account: account, meter: meter, eventLoop: eventLoop,
            container: isForOldPlayers ? .transportStream : .fragmentedMP4, plan: plan,
            storage: CountedStorage { [memory] in memory.change(by: $0, account: account) })
    }

    private func makePackager(
        of output: StreamOutput, _ segmenter: Segmenter, window: SegmentWindow? = nil
    ) -> HLSPackager {
        let program = output.address.program
        return HLSPackager(
            output: output, segmenter: segmenter, window: window, memory: memory, logger: logger,
            reserve: { [self] in try await reserve(program) },
            isContinued: { [weak self] in self?.state.withLock { $0.isContinued } ?? false },
            onChange: { [weak self] in self?.changed($0) })
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

    // MARK: From one process to the next

    /// From here on another process goes on with what ends; see `save`.
    public func continueElsewhere() async {
        let waiting = state.withLock { state in
            state.isContinued = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for waiting in waiting {
            // Without an event loop there is nothing left to go on with.
            try? await waiting.output.eventLoop.submit { waiting.packager.streamEnded() }.get()
        }
    }

    /// Answers requests that wait with what there is.
    public func letHeldRequestsGo() {
        let outputs = state.withLock { state in
            state.lastAnswers = true
            return state.streams.values.compactMap(\.last)
        }
        for output in outputs { output.held.letAllGo() }
    }

    /// Nobody waits any more for what comes next.
    var givesLastAnswers: Bool {
        state.withLock { $0.lastAnswers }
    }

    /// What the next process goes on with, once all streams have ended after `continueElsewhere`.
    /// - Parameter blobs: where the bytes of segments are added.
    public func save(blobs: inout [ByteBuffer]) -> SavedStreams {
        let outputs = state.withLock { Array($0.streams.values) }
        var saved = SavedStreams()
        for output in outputs.joined() {
            // Without a segment there is nothing that anybody has seen.
            guard let snapshot = output.current?.snapshot, output.isEnded || output.saved != nil else { continue }
            let program = output.address.program
            if !output.isEnded {
                guard let plan = saved.plans[program.description] ?? output.plan.saved else { continue }
                saved.plans[program.description] = plan
            }
            saved.streams.append(
                SavedStreams.Stream(
                    address: output.address, accountID: output.accountID,
                    packaging: SavedPackaging(snapshot, segmenter: output.saved, blobs: &blobs)))
        }
        return saved
    }

    /// Goes on where another process stopped: what it had is there to be fetched, and its streams wait for their publishers.
    ///
    /// - Parameters:
    ///   - blobs: what `save` has added.
    ///   - window: how long a publisher may stay away from a stream that has no setting of its own for it.
    /// - Returns: how many streams go on.
    /// - Throws: when what was saved contradicts itself; then nothing of it is kept.
    public func restore(
        _ saved: SavedStreams, blobs: ByteBuffer, on group: any EventLoopGroup, meters: DeliveryMeters, window: Duration
    ) async throws -> Int {
        var blobs = blobs
        var restored: [(output: StreamOutput, packager: HLSPackager?, window: SegmentWindow, wait: Duration)] = []
        var plans: [StreamAddress: ProgramPlan] = [:]
        for stream in saved.streams.prefix(configuration.maximumOutputs * Self.maximumOutputsPerStream) {
            let program = stream.address.program
            let plan =
                plans[program] ?? saved.plans[program.description].map {
                    ProgramPlan(continuing: $0, block: configuration.sequenceBlock)
                } ?? ProgramPlan(numbers: SequenceNumbers(block: configuration.sequenceBlock))
            let settings = await segmenterConfiguration(for: stream.address)
            let output = makeOutput(
                stream.address, account: stream.accountID,
                meter: meters.meter(of: .init(accountID: stream.accountID, address: stream.address)),
                eventLoop: group.next(), plan: plan)
            let segments = try stream.packaging.window(
                configuration: settings, blobs: &blobs, storage: output.storage)
            let segmenter = stream.packaging.segmenter(configuration: settings, plan: plan, storage: output.storage)
            guard segmenter != nil || stream.packaging.isEnded else {
                logger.info(
                    "packaged in another way than before, so its playlists begin anew",
                    metadata: ["stream": "\(stream.address)"])
                continue
            }
            plans[program] = plan
            plan.rejoin()
            restored.append(
                (
                    output, segmenter.map { makePackager(of: output, $0, window: segments) }, segments,
                    await reconnectWindow(of: stream.address) ?? window
                ))
        }
        state.withLock { state in state.plans.merge(plans) { own, _ in own } }
        for (output, packager, segments, wait) in restored {
            insert(output)
            if let packager {
                await waitForPublisher(packager, of: output, for: wait)
            } else {
                var segments = segments
                segments.end()
                if let snapshot = segments.snapshot() { output.publish(snapshot) }
                output.end()
                changed(output)
            }
        }
        return restored.count { $0.packager != nil }
    }

    private func reconnectWindow(of address: StreamAddress) async -> Duration? {
        // Without an answer the configured time holds.
        let settings = try? await store.streamSettings(app: address.app, stream: address.stream)
        return settings?.inForce(\.reconnectWindow).map { .seconds($0) }
    }

    private func waitForPublisher(_ packager: HLSPackager, of output: StreamOutput, for wait: Duration) async {
        state.withLock { $0.waiting[output.address] = Waiting(output: output, packager: packager) }
        output.eventLoop.scheduleTask(in: TimeAmount(wait)) { [weak self, address = output.address] in
            guard let waiting = self?.takeWaiting(address, only: packager) else { return }
            waiting.packager.streamEnded()
        }
    }

    /// The stream's publication of a former process, if its publisher is back. Another account's ends.
    private func takeWaiting(_ address: StreamAddress, for account: AccountID) -> HLSPackager? {
        guard let waiting = takeWaiting(address) else { return nil }
        if waiting.output.accountID == account { return waiting.packager }
        waiting.output.eventLoop.execute { waiting.packager.streamEnded() }
        return nil
    }

    private func takeWaiting(_ address: StreamAddress, only packager: HLSPackager? = nil) -> Waiting? {
        state.withLock { state in
            guard let waiting = state.waiting[address], packager == nil || waiting.packager === packager else {
                return nil
            }
            state.waiting[address] = nil
            return waiting
        }
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
        if waiting[output.address]?.output === output { waiting[output.address] = nil }
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

/// All streams of a process that ends, but for the bytes of their segments.
public struct SavedStreams: Sendable, Codable {
    fileprivate struct Stream: Sendable, Codable {
        let address: StreamAddress
        let accountID: AccountID
        let packaging: SavedPackaging
    }

    /// Of programs, by their addresses.
    fileprivate var plans: [String: ProgramPlan.Saved] = [:]
    /// The publications of one stream in their order.
    fileprivate var streams: [Stream] = []

    public init() {}

    public var isEmpty: Bool { streams.isEmpty }
}
