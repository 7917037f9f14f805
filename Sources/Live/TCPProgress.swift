import NIOCore

/// How far the peer's kernel has acknowledged a connection's bytes, from Linux's `TCP_INFO`.
///
/// Not RTMP's Acknowledgement messages: many peers send them rarely or never, while TCP acknowledges within a round
/// trip and stops to when the peer reads no more.
public enum TCPProgress {
    /// `struct tcp_info` of `linux/tcp.h` up to `tcpi_min_rtt` (kernel 4.6), as 64-bit words: the kernel fills what it
    /// has and what fits. glibc's own declaration ends before the fields needed here.
    private struct Info {
        typealias Words8 = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        var words0: Words8 = (0, 0, 0, 0, 0, 0, 0, 0)
        var words8: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
        /// Offset 120.
        var bytesAcknowledged: UInt64 = 0
        var words16: (UInt64, UInt64, UInt64) = (0, 0, 0)
    }

    private static let option = NIOBSDSocket.Option(rawValue: 11)  // TCP_INFO

    /// Bytes acknowledged since the connection began, on the channel's event loop; nil when the channel is closed.
    public static func acknowledged(_ channel: any Channel) -> EventLoopFuture<Int64?> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(nil)
        }
        let info: EventLoopFuture<Info> = provider.unsafeGetSocketOption(level: .tcp, name: option)
        // The kernel counts our SYN as a byte.
        return info.map { Optional(max(0, Int64(clamping: $0.bytesAcknowledged) - 1)) }.recover { _ in nil }
    }
}
