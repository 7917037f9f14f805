import HLS
import Live
import Media
import NIOCore

/// One track of the segment that is being written, given out part by part as its parts are finished (low-latency DASH). A client
/// that does not take them makes no queue: parts are taken from the stream when the connection takes more, and when the segment is
/// gone until then the response is cut.
///
/// `@unchecked Sendable`: everything mutable is touched on the connection's event loop alone.
final class OpenSegmentBody: StreamedBody, @unchecked Sendable {
    let isChunked = true
    private let output: StreamOutput
    private let track: TrackID
    private let sequence: Int64
    private let time: TimeAmount
    private let limit: Int
    /// Whether the viewer may still watch.
    private let isPermitted: @Sendable () -> Bool
    /// Counts what goes out.
    private let sent: @Sendable (Int) -> Void

    private var sink: HTTPBodySink?
    /// Parts of the segment that are written.
    private var written = 0
    private var wait: UInt64?
    /// When there was something new.
    private var lastNew = NIODeadline.now()
    /// The stream takes no one more who waits.
    private var isRefused = false

    /// Whether the viewer may still watch is looked at so often while nothing comes.
    private static let checkInterval = TimeAmount.seconds(1)

    /// - Parameters:
    ///   - time: how long one part may be waited for.
    ///   - limit: how many requests may wait for the stream at once.
    init(
        _ output: StreamOutput, _ track: TrackID, _ sequence: Int64, time: TimeAmount, limit: Int,
        isPermitted: @escaping @Sendable () -> Bool, sent: @escaping @Sendable (Int) -> Void
    ) {
        self.output = output
        self.track = track
        self.sequence = sequence
        self.time = time
        self.limit = limit
        self.isPermitted = isPermitted
        self.sent = sent
    }

    func start(_ sink: HTTPBodySink) {
        self.sink = sink
        // The response's beginning is written before its end may be.
        sink.channel.eventLoop.execute { self.goOn() }
    }

    func writabilityChanged() {
        if wait == nil { goOn() }
    }

    func cancel() {
        sink = nil
        if let wait { output.held.letGo(wait) }
        wait = nil
    }

    /// Writes the parts that are there, and waits for more.
    private func goOn() {
        guard let sink, sink.isWritable else { return }
        guard isPermitted(), let snapshot = output.current?.snapshot, let parts = snapshot.parts(of: sequence) else {
            sink.cut()
            return
        }
        let now = sink.channel.eventLoop.now
        let new = parts.list.dropFirst(written)
        if !new.isEmpty { lastNew = now }
        for part in new {
            guard sink.isWritable else {
                sink.flush()
                return
            }
            written += 1
            guard let bytes = part.fragment(track) else { continue }
            sink.write(bytes)
            sent(bytes.readableBytes)
        }
        if parts.isWhole {
            sink.end()
        } else if new.isEmpty, isRefused || now - lastNew >= time {
            // Too many wait, or the stream has stopped in mid-segment.
            sink.cut()
        } else {
            sink.flush()
            waitForMore(sink)
        }
    }

    private func waitForMore(_ sink: HTTPBodySink) {
        let output = output
        wait = output.held.add(
            .partOf(sequence, after: written), on: sink.channel.eventLoop, for: Self.checkInterval, limit: limit,
            current: { output.current }
        ) { [weak self] in
            self?.wait = nil
            self?.goOn()
        }
        isRefused = wait == nil
    }
}
