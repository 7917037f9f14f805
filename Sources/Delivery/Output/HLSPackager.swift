import HLS
import Live
import Logging
import Media
import NIOCore
import Storage

/// Packages one stream for HLS, on its hub's event loop.
///
/// `@unchecked Sendable`: all mutable state is touched on the hub's event loop alone, where the hub calls and where
/// answers of the store are brought back to.
final class HLSPackager: StreamPackager, @unchecked Sendable {
    private let output: HLSOutput
    private let configuration: SegmenterConfiguration
    private let numbers: SequenceReservation
    private let logger: Logger
    /// The output has ended, or memory is short: its registry sees to it.
    private let onChange: @Sendable (HLSOutput) -> Void

    /// nil until there are numbers for the segments, and after the end.
    private var segmenter: Segmenter?
    private var window: SegmentWindow
    private var block: SequenceBlock?
    private var ledger = SegmentLedger()
    private var tracks = TrackSet()
    /// Unix milliseconds of the latest access unit.
    private var now: Int64 = 0
    /// When the store was last asked for the first numbers.
    private var lastAsked: Int64 = 0

    /// Milliseconds between two attempts to get the first numbers.
    private static let retryInterval: Int64 = 2_000

    /// - Parameter start: where to begin; nil when the store could not say: it is asked again while the stream runs.
    init(
        output: HLSOutput, configuration: SegmenterConfiguration, numbers: SequenceReservation,
        start: HLSOutput.Numbering?, logger: Logger, onChange: @escaping @Sendable (HLSOutput) -> Void
    ) {
        self.output = output
        self.configuration = configuration
        self.numbers = numbers
        self.logger = logger
        self.onChange = onChange
        window = SegmentWindow(configuration: configuration)
        if let start { begin(start) }
    }

    private func begin(_ start: HLSOutput.Numbering) {
        segmenter = Segmenter(configuration: configuration, resume: start.resume)
        window = SegmentWindow(
            configuration: configuration, discontinuitySequence: start.resume.discontinuitySequence)
        block = SequenceBlock(count: numbers.count, first: start.limit - numbers.count)
        applyTracks()
    }

    func tracksChanged(_ tracks: TrackSet) {
        self.tracks = tracks
        applyTracks()
    }

    private func applyTracks() {
        do throws(SegmenterError) {
            try segmenter?.setTracks(tracks)
        } catch {
            logger.warning("not packaged for HLS", metadata: ["stream": "\(output.address)", "error": "\(error)"])
        }
    }

    func receive(_ unit: AccessUnit, wallClock: Int64) {
        now = wallClock
        guard segmenter != nil else {
            askForStart()
            return
        }
        // Optional chaining keeps the value in place; a copy here would copy the open segment.
        if let segment = segmenter?.append(unit, now: wallClock) { publish(segment) }
    }

    func discontinuity() {
        if let segment = segmenter?.discontinuity() { publish(segment) }
    }

    /// What there is goes out now; the publisher may be away for long.
    func publisherLost() {
        discontinuity()
    }

    func streamEnded() {
        if let last = segmenter?.end() { window.append(last) }
        window.end()
        if let last = window.snapshot(modified: now) { publish(last) }
        var numbering: HLSOutput.Numbering?
        if let resumePoint, let block {
            numbering = HLSOutput.Numbering(resume: resumePoint, limit: block.limit)
        }
        output.end(numbering: numbering)
        // Segments are the output's from here on; the packager's own copy would only keep them alive.
        segmenter = nil
        window = SegmentWindow(configuration: configuration)
        onChange(output)
    }

    /// Where another life of the stream goes on; nil without numbers.
    private var resumePoint: ResumePoint? {
        segmenter.map {
            ResumePoint(sequence: $0.upcomingSequence, discontinuitySequence: window.discontinuities)
        }
    }

    private func publish(_ segment: Segment) {
        window.append(segment)
        if let snapshot = window.snapshot(modified: now) { publish(snapshot) }
    }

    private func publish(_ snapshot: PlaylistSnapshot) {
        output.publish(snapshot, bytes: ledger.total(after: snapshot))
        onChange(output)
        if let next = segmenter?.upcomingSequence, block?.shouldReserve(next: next) == true {
            reserve { $0.block?.reserved(first: $1) }
        }
    }

    /// The store did not give numbers when the stream began.
    private func askForStart() {
        guard block == nil, now - lastAsked >= Self.retryInterval else { return }
        lastAsked = now
        reserve { packager, first in
            guard packager.segmenter == nil, !packager.output.isEnded else { return }
            packager.begin(packager.numbers.start(first: first, after: nil))
        }
    }

    private func reserve(_ body: @escaping @Sendable (HLSPackager, Int64) -> Void) {
        let loop = output.eventLoop
        // The packager itself is held meanwhile: a write of the store is short.
        Task { [numbers] in
            do {
                let first = try await numbers.reserve()
                loop.execute { body(self, first) }
            } catch {
                loop.execute { self.reservationFailed(error) }
            }
        }
    }

    private func reservationFailed(_ error: any Error) {
        block?.failed()
        logger.error(
            "no media sequence numbers reserved, tried again soon",
            metadata: ["stream": "\(output.address)", "error": "\(error)"])
    }
}
