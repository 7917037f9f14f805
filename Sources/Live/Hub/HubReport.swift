import Basics
import Foundation
import Media
import NIOCore
import RTMP

/// A stream as it stands, for `stream.active` and the control room.
public struct HubReport: Sendable {
    public enum State: String, Sendable, Hashable {
        case live
        /// The encoder dropped and may still return.
        case recovering
    }

    /// One of the stream's encoders that is connected.
    public struct Encoder: Sendable {
        public var role: EncoderRole
        public var info: PublisherInfo
        /// Viewers get what it sends; the other one is kept ready.
        public var isOnAir: Bool
    }

    public var address: StreamAddress
    public var state: State
    /// The publisher, or the last one while recovering.
    public var publisher: PublisherInfo
    public var published: Date
    /// The one on air first. Empty while recovering.
    public var encoders: [Encoder]
    public var tracks: TrackSet
    /// The encoder's own metadata.
    public var metadata: AMFValue?
    /// The message it came in, for those who pass it on: AMF0 from `onMetaData` on.
    public var metadataBody: ByteBuffer?
    /// Measured, bits per second.
    public var bitrate: Int
    /// Measured, pictures per second.
    public var frameRate: Double
    /// RTMP viewers.
    public var viewers: Int
    /// Of both encoders.
    public var bytesReceived: Int64
}
