import NIOCore
import RTMP

/// One RTMP publisher that sends a recording in real time, over and over.
///
/// `@unchecked Sendable`: touched on its channel's event loop alone.
final class PublisherHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var session: ClientSession
    private let recording: Recording
    private let counts: Counts
    private var next = 0
    /// What is added to the recording's times: it grows with every round.
    private var base: UInt32 = 0
    private var begin = NIODeadline.now()
    private var isPublishing = false

    init(url: RTMPURL, recording: Recording, counts: Counts) {
        session = ClientSession(configuration: ClientConfiguration(purpose: .publish, url: url), now: .now())
        self.recording = recording
        self.counts = counts
    }

    func channelActive(context: ChannelHandlerContext) {
        write(context)
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try session.receive(unwrapInboundIn(data), now: .now())
            while let event = try session.nextEvent() {
                switch event {
                case .publishing:
                    isPublishing = true
                    counts.start()
                    begin = .now()
                    sendWhatIsDue(context)
                case .refused, .closed: context.close(promise: nil)
                default: break
                }
            }
        } catch {
            context.close(promise: nil)
        }
        write(context)
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isPublishing { counts.stop() }
        isPublishing = false
    }

    private func sendWhatIsDue(_ context: ChannelHandlerContext) {
        guard isPublishing else { return }
        let elapsed = UInt32(clamping: (NIODeadline.now() - begin).nanoseconds / 1_000_000)
        while true {
            let message = recording.messages[next]
            let timestamp = base &+ message.timestamp
            guard timestamp <= elapsed else { break }
            session.send(message.type, timestamp: timestamp, body: message.body)
            write(context)
            next += 1
            if next == recording.messages.count {
                next = 0
                base &+= recording.duration
            }
        }
        context.flush()
        let wait = Int64(base &+ recording.messages[next].timestamp) - Int64(elapsed)
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(max(10, wait))) {
            self.sendWhatIsDue(context)
        }
    }

    private func write(_ context: ChannelHandlerContext) {
        if let output = session.takeOutput() {
            counts.add(bytes: output.readableBytes)
            context.write(wrapOutboundOut(output), promise: nil)
        }
    }
}
