import Basics
import NIOCore
import Synchronization

/// What viewers of one stream were sent by this node since it was last asked, and how many connections play it all the time they
/// last. Counting takes no lock and may be done on any thread.
public final class DeliveryMeter: Sendable {
    /// Connections that play a stream.
    public struct Connections: Sendable, Hashable {
        public var rtmp: Int
        /// HTTP-FLV.
        public var http: Int

        public init(rtmp: Int = 0, http: Int = 0) {
            self.rtmp = rtmp
            self.http = http
        }

        public var all: Int { rtmp + http }
    }

    /// A counter on a cache line of its own, so that event loops that deliver the same stream do not wait for each other.
    private struct Stripe: ~Copyable, Sendable {
        let bytes = Atomic<Int64>(0)
        private let padding: (Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0, 0)
    }

    private let stripe0 = Stripe()
    private let stripe1 = Stripe()
    private let stripe2 = Stripe()
    private let stripe3 = Stripe()
    private let rtmp = Atomic<Int64>(0)
    private let playingRTMP = Atomic<Int>(0)
    private let playingHTTP = Atomic<Int>(0)

    public init() {}

    /// The counter that an event loop's connections use.
    public static func stripe(of loop: any EventLoop) -> Int {
        // Objects lie at multiples of 16, often of much more: the upper bits of the product depend on all of the address.
        let address = UInt64(UInt(bitPattern: ObjectIdentifier(loop)))
        return Int((address &* 0x9E37_79B9_7F4A_7C15) >> 62)
    }

    /// Bytes of playlists and segments, and of HTTP-FLV; less than 0 for what was counted and not taken after all.
    public func count(hls bytes: Int, stripe: Int) {
        let bytes = Int64(bytes)
        switch stripe {
        case 0: stripe0.bytes.wrappingAdd(bytes, ordering: .relaxed)
        case 1: stripe1.bytes.wrappingAdd(bytes, ordering: .relaxed)
        case 2: stripe2.bytes.wrappingAdd(bytes, ordering: .relaxed)
        default: stripe3.bytes.wrappingAdd(bytes, ordering: .relaxed)
        }
    }

    public func count(rtmp bytes: Int64) {
        rtmp.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// RTMP connections that begin or stop to play.
    public func countConnections(rtmp change: Int) {
        playingRTMP.wrappingAdd(change, ordering: .relaxed)
    }

    /// HTTP connections that begin or stop to play.
    public func countConnections(http change: Int) {
        playingHTTP.wrappingAdd(change, ordering: .relaxed)
    }

    public var connections: Connections {
        Connections(rtmp: playingRTMP.load(ordering: .relaxed), http: playingHTTP.load(ordering: .relaxed))
    }

    /// Bytes that were counted since the last call.
    fileprivate func take() -> (hls: Int64, rtmp: Int64) {
        var hls = stripe0.bytes.exchange(0, ordering: .relaxed)
        hls &+= stripe1.bytes.exchange(0, ordering: .relaxed)
        hls &+= stripe2.bytes.exchange(0, ordering: .relaxed)
        hls &+= stripe3.bytes.exchange(0, ordering: .relaxed)
        return (hls, rtmp.exchange(0, ordering: .relaxed))
    }
}

/// The meters of all streams, each for as long as anybody may count with it.
public final class DeliveryMeters: Sendable {
    public struct Stream: Sendable, Hashable {
        public var accountID: AccountID
        public var address: StreamAddress

        public init(accountID: AccountID, address: StreamAddress) {
            self.accountID = accountID
            self.address = address
        }
    }

    private let meters = Mutex<[Stream: DeliveryMeter]>([:])

    public init() {}

    /// The stream's meter, the same for all who ask while one of them keeps it.
    public func meter(of stream: Stream) -> DeliveryMeter {
        meters.withLock { meters in
            if let meter = meters[stream] { return meter }
            let meter = DeliveryMeter()
            meters[stream] = meter
            return meter
        }
    }

    /// Streams that are delivered, and how many connections play each.
    public var connections: [Stream: DeliveryMeter.Connections] {
        meters.withLock { $0.mapValues(\.connections) }
    }

    /// Takes out what was counted since the last call. Meters that nobody else holds are let go of.
    public func take(_ each: (Stream, _ hls: Int64, _ rtmp: Int64) -> Void) {
        meters.withLock { meters in
            for stream in Array(meters.keys) {
                // Looked at before the counters: who lets go of a meter has counted before.
                let isAlone = isKnownUniquelyReferenced(&meters[stream])
                guard let meter = meters[stream] else { continue }
                let taken = meter.take()
                if taken.hls != 0 || taken.rtmp != 0 { each(stream, taken.hls, taken.rtmp) }
                if isAlone { meters[stream] = nil }
            }
        }
    }
}
