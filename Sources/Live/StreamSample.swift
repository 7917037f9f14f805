import Media
import NIOCore
import RTMP

/// One message of a live stream on its way from the publisher to every subscriber.
///
/// The body is the one that was received; everybody shares it.
public struct StreamSample: Sendable {
    /// What the message means to those who look inside. RTMP viewers and pushes get `body` whatever it is.
    public enum Content: Sendable {
        /// A sequence header; nil when its codec's configuration cannot be read (it still passes through).
        case configuration(CodecConfiguration?)
        case accessUnit(AccessUnit)
        /// The encoder's `onMetaData`, members in the order they came.
        case metadata(AMFValue)
        /// Other data, command frames, ends of sequence, codecs unknown to us.
        case other
    }

    public var kind: TrackID.Kind
    /// Decode time on the stream's own timeline.
    public var timestamp: MediaTime
    public var body: ByteBuffer
    public var content: Content

    public init(kind: TrackID.Kind, timestamp: MediaTime, body: ByteBuffer, content: Content) {
        self.kind = kind
        self.timestamp = timestamp
        self.body = body
        self.content = content
    }

    /// A picture that a viewer may start on.
    public var isVideoKeyframe: Bool {
        guard kind == .video, case .accessUnit(let unit) = content else { return false }
        return unit.isKeyframe
    }

    public var isConfiguration: Bool {
        if case .configuration = content { true } else { false }
    }

    /// RTMP's message type (§7.1).
    public var type: RTMPMessageType {
        switch kind {
        case .audio: .audio
        case .video: .video
        case .data: .dataAMF0
        }
    }
}

extension StreamSample.Content {
    /// What a video message's tag means at `time`. Only the default track of a multitrack message is looked into.
    init(_ tag: VideoTag, time: MediaTime) throws {
        if let unit = tag.accessUnit(decodeTime: time) {
            self = tag.trackID == 0 ? .accessUnit(unit) : .other
        } else if case .sequenceHeader = tag.content, tag.trackID == 0 {
            self = .configuration(try tag.codecConfiguration())
        } else {
            self = .other
        }
    }

    /// What an audio message's tag means at `time`.
    init(_ tag: AudioTag, time: MediaTime) throws {
        if let unit = tag.accessUnit(decodeTime: time) {
            self = tag.trackID == 0 ? .accessUnit(unit) : .other
        } else if case .sequenceHeader = tag.content, tag.trackID == 0 {
            self = .configuration(try tag.codecConfiguration())
        } else {
            self = .other
        }
    }
}
