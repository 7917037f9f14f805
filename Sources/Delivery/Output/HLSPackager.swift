import Basics
import HLS
import Live
import Logging
import Media
import NIOCore

/// Packages one stream for HLS, on its hub's event loop.
///
/// `@unchecked Sendable`: all mutable state is touched on the hub's event loop alone, where the hub calls and where
/// answers of the store are brought back to. One that goes on with what another process has begun has no hub until the publisher
/// is back; until then nobody calls it, or its output's event loop alone, to end it (`OutputTable` sees to it that it is one of the
/// two).
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
    /// Whether another process will go on with what ends now.
    private let isContinued: @Sendable () -> Bool

    private var segmenter: Segmenter
    private var window: SegmentWindow
    /// The storage of the segment being written, as counted in the memory budget.
    private var openBytes = 0
    /// Unix milliseconds of the latest access unit.
    private var now: Int64 = 0

    /// - Parameters:
    ///   - segmenter: of the output's plan, which has no numbers when the store could not give any; it is asked again while the
    ///     stream runs.
    ///   - window: of segments that there are already.
    init(
        output: StreamOutput, segmenter: Segmenter, window: SegmentWindow? = nil, memory: MemoryBudget, logger: Logger,
        reserve: @escaping @Sendable () async throws -> Int64, isContinued: @escaping @Sendable () -> Bool,
        onChange: @escaping @Sendable (StreamOutput) -> Void
    ) {
        self.output = output
        self.memory = memory
        accountID = output.accountID
        self.logger = logger
        self.reserve = reserve
        self.isContinued = isContinued
        self.onChange = onChange
        configuration = segmenter.configuration
        self.segmenter = segmenter
        self.window = window ?? SegmentWindow(configuration: configuration)
        if window != nil { publish() }
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
        if isContinued() {
            discontinuity()
            publish()
            output.leave(segmenter.saved)
            return
        }
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
