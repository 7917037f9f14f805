import Basics
import HLS
import Live
import Logging
import Media
import NIOCore

/// Packages one stream for HLS, on its hub's event loop.
///
/// `@unchecked Sendable`: all mutable state is touched on the hub's event loop alone, where the hub calls and where
/// answers of the store are brought back to.
final class HLSPackager: StreamPackager, @unchecked Sendable {
    private let output: StreamOutput
    private let configuration: SegmenterConfiguration
    private let memory: MemoryBudget
    private let accountID: AccountID
    private let logger: Logger
    /// Asks the store for the next block of media sequence numbers, and gives the first.
    private let reserve: @Sendable () async throws -> Int64
    /// The output has a new playlist or has ended: its table sees to what follows.
    private let onChange: @Sendable (StreamOutput) -> Void

    private var segmenter: Segmenter
    private var window: SegmentWindow
    /// The storage of the segment being written, as counted in the memory budget.
    private var openBytes = 0
    /// Unix milliseconds of the latest access unit.
    private var now: Int64 = 0

    /// - Parameters:
    ///   - plan: without numbers when the store could not give any; it is asked again while the stream runs.
    ///   - floor: the number of the last segment of the stream's publication before this one.
    ///   - storage: what parts and segments are kept in.
    init(
        output: StreamOutput, configuration: SegmenterConfiguration, above floor: Int64?,
        storage: CountedStorage, memory: MemoryBudget, accountID: AccountID, logger: Logger,
        reserve: @escaping @Sendable () async throws -> Int64, onChange: @escaping @Sendable (StreamOutput) -> Void
    ) {
        self.output = output
        self.configuration = configuration
        self.memory = memory
        self.accountID = accountID
        self.logger = logger
        self.reserve = reserve
        self.onChange = onChange
        segmenter = Segmenter(
            configuration: configuration, plan: output.plan, above: floor, storage: storage)
        window = SegmentWindow(configuration: configuration)
    }

    deinit {
        memory.change(by: -openBytes, account: accountID)
    }

    func tracksChanged(_ tracks: TrackSet) {
        do throws(SegmenterError) {
            try segmenter.setTracks(tracks)
        } catch {
            logger.warning("not packaged for HLS", metadata: ["stream": "\(output.address)", "error": "\(error)"])
        }
    }

    func receive(_ sample: StreamSample, wallClock: Int64) {
        if case .timedMetadata(let told) = sample.content { segmenter.append(told, at: sample.time) }
        if let labels = sample.audioLabels { output.labels = labels }
        // A segment holds one video track, the default one.
        guard case .accessUnit(let unit) = sample.content, unit.track.isDefault || unit.track.kind == .audio else {
            return
        }
        now = wallClock
        if !output.plan.hasNumbers { reserveNumbers() }
        let nextPart = segmenter.nextPart
        let finished = segmenter.append(unit, now: wallClock)
        countOpenSegment()
        if let finished {
            list(finished)
        } else if segmenter.nextPart != nextPart {
            publish()
        }
    }

    func discontinuity() {
        if let finished = segmenter.discontinuity() { list(finished) }
    }

    /// What there is goes out now; the publisher may be away for long.
    func publisherLost() {
        discontinuity()
    }

    func streamEnded() {
        if let last = segmenter.end() { window.append(last) }
        window.end()
        publish()
        output.end()
        if segmenter.discardedUnits > 0 {
            logger.info(
                "access units left out of HLS",
                metadata: ["stream": "\(output.address)", "count": "\(segmenter.discardedUnits)"])
        }
        if segmenter.discardedMetadata > 0 {
            logger.info(
                "timed metadata left out of HLS",
                metadata: ["stream": "\(output.address)", "count": "\(segmenter.discardedMetadata)"])
        }
        // Segments are the output's from here on; the packager's own copy would only keep them alive.
        window = SegmentWindow(configuration: configuration)
        countOpenSegment()
        onChange(output)
    }

    private func list(_ segment: Segment) {
        window.append(segment, keeping: extent)
        publish()
        onChange(output)
        reserveNumbers()
    }

    private func publish() {
        if let snapshot = window.snapshot(open: segmenter.openSegment) { output.publish(snapshot) }
    }

    /// How much of the stream may be kept with the memory there is.
    private var extent: SegmentWindow.Extent {
        switch memory.pressure(on: accountID) {
        case .none, .rings: .configured
        case .retainedSegments: .listed
        case .window, .viewers, .publishers: .shortest
        }
    }

    private func countOpenSegment() {
        let bytes = segmenter.openCapacity
        guard bytes != openBytes else { return }
        memory.change(by: bytes - openBytes, account: accountID)
        openBytes = bytes
    }

    /// Asks for the next numbers if it is time to.
    private func reserveNumbers() {
        let plan = output.plan
        guard plan.shouldReserve(now: now) else { return }
        Task { [reserve, logger, address = output.address] in
            do {
                plan.reserved(first: try await reserve())
            } catch {
                plan.reservationFailed()
                logger.error(
                    "no media sequence numbers reserved, tried again soon",
                    metadata: ["stream": "\(address)", "error": "\(error)"])
            }
        }
    }
}
