import Live
import NIOCore

/// The body of a reply that is written as it comes. All of it is called on the connection's event loop, but `cancel` when the reply
/// was never begun.
protocol StreamedBody: Sendable {
    /// Whether its end is told apart from a connection that broke; otherwise it ends with the connection.
    var isChunked: Bool { get }

    /// The head has been written: the body may begin.
    func start(_ sink: HTTPBodySink)

    /// The connection takes more again.
    func writabilityChanged()

    /// It goes on no more: the connection is gone, or the body has ended. Called once or more.
    func cancel()
}

/// Where a streamed body goes: one response of a connection, on whose event loop it stays.
///
/// `@unchecked Sendable`: everything is called on that event loop, which all who hold it go back to.
final class HTTPBodySink: SubscriberOutput, @unchecked Sendable {
    let channel: any Channel
    private weak var connection: HTTPConnectionHandler?
    private let isChunked: Bool

    init(_ connection: HTTPConnectionHandler, channel: any Channel, isChunked: Bool) {
        self.connection = connection
        self.channel = channel
        self.isChunked = isChunked
    }

    var isWritable: Bool { connection?.takesStreamed ?? false }

    /// - Parameter bytes: whoever made their storage counts it for as long as anybody holds it.
    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let connection else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard isChunked, bytes.readableBytes > 0 else {
            connection.streamedWrite(bytes, promise: promise)
            return
        }
        // RFC 9112 §7.1.
        connection.streamedWrite(
            ByteBuffer(string: "\(String(bytes.readableBytes, radix: 16))\r\n"), promise: nil)
        connection.streamedWrite(bytes, promise: promise)
        connection.streamedWrite(ByteBuffer(staticString: "\r\n"), promise: nil)
    }

    func flush() {
        connection?.streamedFlush()
    }

    /// The body is complete.
    func end() {
        if isChunked { connection?.streamedWrite(ByteBuffer(staticString: "0\r\n\r\n"), promise: nil) }
        connection?.streamedEnded(isWhole: true)
    }

    /// The body is not complete, and nothing more comes: the client is to notice.
    func cut() {
        connection?.streamedEnded(isWhole: false)
    }
}
