import HLS
import Live
import Logging
import Media
import NIOCore
import Storage
import Synchronization

/// All streams as HLS: packages what comes on the stage, and finds it for players.
///
/// A stream that has ended stays, with its `ENDLIST`, for `DeliveryConfiguration.linger`. When it is published again
/// before that, the new life takes its place at once, while the segments of the life before, which players may still
/// have in hand, stay fetchable for the rest of the time.
public final class HLSOutputs: StageObserver {
    private let configuration: DeliveryConfiguration
    private let store: any SequenceStore & StreamStore
    private let memory: MemoryBudget
    private let logger: Logger
    private let slots = Mutex<[StreamAddress: Slot]>([:])

    private struct Slot {
        /// The latest life last; never empty.
        var lives: [HLSOutput]
    }

    /// Lives of one stream kept at once: an encoder that flaps must not pile them up.
    private static let maximumLives = 4

    /// - Parameter memory: segments are counted in it; when it is exceeded, streams that have ended go first.
    public init(
        configuration: DeliveryConfiguration, store: any SequenceStore & StreamStore, memory: MemoryBudget,
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.memory = memory
        self.logger = logger
    }

    /// The latest life of a stream, live or ended; nil when there is none.
    public func output(at address: StreamAddress) -> HLSOutput? {
        slots.withLock { $0[address]?.lives.last }
    }

    /// A segment or initialization file of any life that is kept.
    func file(named name: String, at address: StreamAddress) -> PlaylistFile? {
        let lives = slots.withLock { $0[address]?.lives } ?? []
        for life in lives.reversed() {
            if let file = life.current?.snapshot.file(named: name) { return file }
        }
        return nil
    }

    /// Streams kept, ended ones included.
    public var count: Int {
        slots.withLock { $0.count }
    }

    public func hubOpened(_ hub: StreamHub) async {
        let address = hub.address
        guard makeRoom(for: address) else {
            logger.error("too many streams, not packaged for HLS", metadata: ["stream": "\(address)"])
            return
        }
        let segmenter = await segmenterConfiguration(for: address)
        let numbers = SequenceReservation(store: store, address: address, count: configuration.sequenceBlock)
        var start: HLSOutput.Numbering?
        do {
            start = numbers.start(first: try await numbers.reserve(), after: output(at: address)?.numbering)
        } catch {
            logger.error(
                "no media sequence numbers reserved, tried again soon",
                metadata: ["stream": "\(address)", "error": "\(error)"])
        }
        let output = HLSOutput(address: address, eventLoop: hub.eventLoop, memory: memory)
        insert(output)
        hub.attach(
            HLSPackager(output: output, configuration: segmenter, numbers: numbers, start: start, logger: logger) {
                [weak self] in self?.changed($0)
            })
    }

    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {}

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) async {}

    private func segmenterConfiguration(for address: StreamAddress) async -> SegmenterConfiguration {
        do {
            let settings = try await store.streamSettings(app: address.app, stream: address.stream)
            if let window = settings?.playlistCount { return configuration.segmenter.with(window: window) }
        } catch {
            logger.warning(
                "stream settings not read, the configured playlist length is used",
                metadata: ["stream": "\(address)", "error": "\(error)"])
        }
        return configuration.segmenter
    }

    private func insert(_ output: HLSOutput) {
        slots.withLock { slots in
            var lives = slots[output.address]?.lives ?? []
            lives.append(output)
            lives.removeFirst(max(0, lives.count - Self.maximumLives))
            slots[output.address] = Slot(lives: lives)
        }
    }

    /// Lets an ended stream go if need be. False when all are live.
    private func makeRoom(for address: StreamAddress) -> Bool {
        slots.withLock { slots in
            guard slots[address] == nil, slots.count >= configuration.maximumOutputs else { return true }
            guard let ended = slots.first(where: { $0.value.lives.last?.isEnded == true }) else { return false }
            slots[ended.key] = nil
            return true
        }
    }

    /// Called on the output's event loop when it has published or ended.
    private func changed(_ output: HLSOutput) {
        if output.isEnded {
            guard let last = output.current else {
                remove(output)
                return
            }
            output.eventLoop.scheduleTask(in: lingerTime(of: last.snapshot)) { [weak self, weak output] in
                guard let output else { return }
                self?.remove(output)
            }
        }
        if memory.isExceeded { dropEnded() }
    }

    /// The configured time, or three times the playlist's length, whichever is longer.
    private func lingerTime(of snapshot: PlaylistSnapshot) -> TimeAmount {
        let length = snapshot.listed.reduce(MediaTime.zero) { $0 + $1.duration }
        // A playlist is at most hours long, but its length is the publisher's doing: a day is the most.
        let seconds = min(max(Double(configuration.linger), length.seconds * 3), 86_400)
        return .milliseconds(Int64(seconds * 1_000))
    }

    private func remove(_ output: HLSOutput) {
        slots.withLock { slots in
            guard var slot = slots[output.address] else { return }
            slot.lives.removeAll { $0 === output }
            slots[output.address] = slot.lives.isEmpty ? nil : slot
        }
    }

    /// Ended lives go, one at a time, until the memory is enough.
    private func dropEnded() {
        while memory.isExceeded, dropOneEnded() {}
    }

    private func dropOneEnded() -> Bool {
        // The output that is let go of counts its bytes off when nobody holds it any more, so not inside the lock.
        let dropped = slots.withLock { slots -> HLSOutput? in
            for (address, slot) in slots {
                guard let index = slot.lives.firstIndex(where: \.isEnded) else { continue }
                var slot = slot
                let output = slot.lives.remove(at: index)
                slots[address] = slot.lives.isEmpty ? nil : slot
                return output
            }
            return nil
        }
        return dropped != nil
    }
}

extension SegmenterConfiguration {
    fileprivate func with(window: Int) -> SegmenterConfiguration {
        SegmenterConfiguration(
            segmentDuration: segmentDuration, window: window, retainedSegments: retainedSegments,
            maximumSegmentDuration: maximumSegmentDuration, maximumSegmentBytes: maximumSegmentBytes,
            maximumTotalBytes: maximumTotalBytes)
    }
}
