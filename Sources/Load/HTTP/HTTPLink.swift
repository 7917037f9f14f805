import Basics
import NIOCore

/// What was asked for over a connection, and what has come of it.
struct HTTPExchange {
    enum Subject {
        case master
        case playlist(HLSPlayer.Reload)
        /// Of one of the players.
        case media(HLSPlayer.Item, player: Int)

        /// A playlist is read, and a segment is only counted.
        var isKept: Bool {
            if case .media = self { false } else { true }
        }
    }

    var subject: Subject
    var sent: NIODeadline
    /// When something of the answer came last.
    var progress: NIODeadline
    var status = 0
    var location: String?
    var bytes = 0
    var body: ByteBuffer?
    /// What went wrong instead of an answer.
    var problem: String?
    /// The server ended a connection that it had answered over before, and nothing of this answer had come: it may never have seen
    /// the request, which is to be sent over another one (RFC 9112 §9.3.1).
    var mayBeAskedAgain = false
    /// It has been.
    var isAskedAgain = false
}

/// One connection of an HLS or DASH viewer: requests go out, answers come back in their order.
///
/// `@unchecked Sendable`: touched on its channel's event loop alone.
final class HTTPLink: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A playlist is no longer than this.
    static let maximumBody = 4 << 20

    private unowned let viewer: HTTPViewer
    private var reader = ResponseReader()
    private var left: ByteBuffer?
    /// In the order of the requests; never more than one of each subject.
    private var asked: [HTTPExchange] = []
    private var isKeptAlive = true
    private var waiting = ByteBuffer()
    private var context: ChannelHandlerContext?
    private(set) var isClosed = false
    /// An answer has come.
    private var hasAnswered = false

    init(viewer: HTTPViewer) {
        self.viewer = viewer
    }

    /// Sends a request, or keeps it until the connection is there.
    func ask(_ exchange: HTTPExchange, _ request: ByteBuffer) {
        asked.append(exchange)
        guard let context else {
            waiting.writeImmutableBuffer(request)
            return
        }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    /// The oldest request that nothing has come for since.
    func isOverdue(_ now: NIODeadline, patience: TimeAmount) -> Bool {
        asked.first.map { now - max($0.sent, $0.progress) > patience } ?? false
    }

    /// Ends the connection; what was asked for fails with this problem.
    /// - Parameter isOrderly: the server ended it between two answers.
    func fail(_ problem: String, isOrderly: Bool = false) {
        guard !isClosed else { return }
        isClosed = true
        context?.close(promise: nil)
        context = nil
        let open = asked
        asked = []
        for var exchange in open {
            exchange.problem = problem
            exchange.mayBeAskedAgain = isOrderly && hasAnswered && !exchange.isAskedAgain
            viewer.run.completed(exchange, of: viewer)
        }
    }

    private var isBetweenAnswers: Bool {
        left == nil && asked.first.map { $0.status == 0 } ?? true
    }

    func channelActive(context: ChannelHandlerContext) {
        guard !isClosed else {
            context.close(promise: nil)
            return
        }
        self.context = context
        if waiting.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(waiting), promise: nil) }
        waiting = ByteBuffer()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        var bytes = unwrapInboundIn(data)
        let now = viewer.run.clock()
        viewer.meter.bytes += bytes.readableBytes
        if var left {
            left.writeBuffer(&bytes)
            bytes = left
            self.left = nil
        }
        do {
            while let piece = try reader.next(&bytes) {
                guard !asked.isEmpty else { return fail("an answer came that nobody had asked for") }
                asked[0].progress = now
                switch piece {
                case .head(let head):
                    asked[0].status = head.status
                    asked[0].location = head.location
                    isKeptAlive = head.isKeptAlive
                case .body(var slice):
                    asked[0].bytes += slice.readableBytes
                    guard asked[0].subject.isKept else { break }
                    guard asked[0].bytes <= Self.maximumBody else { return fail("a playlist is too long") }
                    if asked[0].body == nil {
                        asked[0].body = slice
                    } else {
                        asked[0].body?.writeBuffer(&slice)
                    }
                case .end:
                    let exchange = asked.removeFirst()
                    hasAnswered = true
                    viewer.run.completed(exchange, of: viewer)
                    if !isKeptAlive { return fail("the connection was closed", isOrderly: true) }
                }
            }
        } catch {
            return fail("\(error)")
        }
        if bytes.readableBytes > 0 { left = bytes }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if reader.closed(), !asked.isEmpty {
            let exchange = asked.removeFirst()
            viewer.run.completed(exchange, of: viewer)
        }
        fail("the connection was closed", isOrderly: isBetweenAnswers)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A request that meets a connection which is being closed is answered with a reset.
        fail(SystemError.text(of: error), isOrderly: isBetweenAnswers)
        context.close(promise: nil)
    }
}
