import Live
import NIOCore

/// Counts the bodies that a connection sends as delivered to viewers.
///
/// A body counts when it is written. When the connection ends before the socket has taken all, what was left does not: that is
/// known for what is more than the channel holds before it says that it is full, since it says so again when there is less.
struct DeliveredBodies {
    /// NIO's own (`ChannelOptions.Types.WriteBufferWaterMark`), which the listener leaves as it is.
    private static let highWatermark = 64 << 10

    private let stripe: Int
    private var last: (meter: DeliveryMeter, bytes: Int)?

    init(on loop: any EventLoop) {
        stripe = DeliveryMeter.stripe(of: loop)
    }

    mutating func sent(_ bytes: Int, counting meter: DeliveryMeter) {
        meter.count(hls: bytes, stripe: stripe)
        last = (meter, bytes)
    }

    /// - Parameter waiting: bytes that the socket had not taken when it was last looked at.
    mutating func ended(waiting: Int) {
        guard let last, waiting > Self.highWatermark else { return }
        last.meter.count(hls: -min(waiting, last.bytes), stripe: stripe)
        self.last = nil
    }
}
