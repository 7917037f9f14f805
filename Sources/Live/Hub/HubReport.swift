import Foundation
import Media
import RTMP

/// A stream as it stands, for `stream.active` and the control room.
public struct HubReport: Sendable {
    public enum State: String, Sendable, Hashable {
        case live
        /// The encoder dropped and may still return.
        case recovering
    }

    public var address: StreamAddress
    public var state: State
    /// The publisher, or the last one while recovering.
    public var publisher: PublisherInfo
    public var published: Date
    public var tracks: TrackSet
    /// The encoder's own metadata.
    public var metadata: AMFValue?
    /// Measured, bits per second.
    public var bitrate: Int
    /// Measured, pictures per second.
    public var frameRate: Double
    /// RTMP viewers.
    public var viewers: Int
    public var bytesReceived: Int64
}

/// What a hub is made with.
public struct HubSettings: Sendable, Hashable {
    /// Seconds a dropped encoder has to return; 0: none.
    public var reconnectWindow: Int
    /// Whether an orderly unpublish ends the stream at once.
    public var endsOnUnpublish: Bool
    /// Seconds of silence after which another publisher may take over.
    public var takeoverAfter: Int
    /// `live.latency`, milliseconds: the most that messages are gathered for many readers.
    public var latency: Int
    public var ring: BatchRing.Limits
    /// Seconds a reader may stay behind.
    public var slowViewerTimeout: Int

    public init(
        reconnectWindow: Int = 30, endsOnUnpublish: Bool = true, takeoverAfter: Int = 5, latency: Int = 100,
        ring: BatchRing.Limits = BatchRing.Limits(), slowViewerTimeout: Int = 20
    ) {
        self.reconnectWindow = reconnectWindow
        self.endsOnUnpublish = endsOnUnpublish
        self.takeoverAfter = takeoverAfter
        self.latency = latency
        self.ring = ring
        self.slowViewerTimeout = slowViewerTimeout
    }
}
