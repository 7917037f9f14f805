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

/// A response whose body is written as it comes.
protocol StreamedResponse: AnyObject {
    /// More may be written for the client.
    var takesStreamed: Bool { get }
    func streamedWrite(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?)
    func streamedFlush()
    /// Nothing more comes.
    func streamedEnded(isWhole: Bool)
}

/// Where a streamed body goes: one response of a connection, on whose event loop it stays.
///
/// `@unchecked Sendable`: everything is called on that event loop, which all who hold it go back to.
final class HTTPBodySink: SubscriberOutput, @unchecked Sendable {
    let channel: any Channel
    private weak var response: (any StreamedResponse)?
    private let isChunked: Bool

    /// - Parameter isChunked: the body goes out in chunks of HTTP/1.1, which tell its end.
    init(_ response: any StreamedResponse, channel: any Channel, isChunked: Bool) {
        self.response = response
        self.channel = channel
        self.isChunked = isChunked
    }

    var isWritable: Bool { response?.takesStreamed ?? false }

    /// - Parameter bytes: whoever made their storage counts it for as long as anybody holds it.
    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let response else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard isChunked, bytes.readableBytes > 0 else {
            response.streamedWrite(bytes, promise: promise)
            return
        }
        // RFC 9112 §7.1.
        response.streamedWrite(
            ByteBuffer(string: "\(String(bytes.readableBytes, radix: 16))\r\n"), promise: nil)
        response.streamedWrite(bytes, promise: promise)
        response.streamedWrite(ByteBuffer(staticString: "\r\n"), promise: nil)
    }

    func flush() {
        response?.streamedFlush()
    }

    /// The body is complete.
    func end() {
        if isChunked { response?.streamedWrite(ByteBuffer(staticString: "0\r\n\r\n"), promise: nil) }
        response?.streamedEnded(isWhole: true)
    }

    /// The body is not complete, and nothing more comes: the client is to notice.
    func cut() {
        response?.streamedEnded(isWhole: false)
    }
}
