import Media
import NIOCore
import RTMP

/// What flows through a hub: one timed sample of one track, on its way from the publisher to every subscriber.
///
/// A body that came as an RTMP message is kept and shared. Where there is none it is made when the first RTMP subscriber
/// needs it.
public struct StreamSample: Sendable {
    /// What the sample means to those who look inside. RTMP subscribers get its body whatever it is.
    public enum Content: Sendable {
        /// A sequence header; nil when its codec's configuration cannot be read (it still passes through).
        case configuration(CodecConfiguration?)
        case accessUnit(AccessUnit)
        /// What else a decoder needs before the first access unit: HDR's `colorInfo`, the order of audio channels.
        case trackMetadata
        /// The encoder's `onMetaData`, members in the order they came.
        case metadata(AMFValue)
        /// Other data, command frames, ends of sequence, codecs unknown to us.
        case other
    }

    public var track: TrackID
    /// Decode time on the stream's own timeline.
    public var time: MediaTime
    public var content: Content
    /// The RTMP message's body, when it came as one.
    public var body: ByteBuffer?

    public init(track: TrackID, time: MediaTime, content: Content, body: ByteBuffer? = nil) {
        self.track = track
        self.time = time
        self.content = content
        self.body = body
    }

    /// A frame that a viewer may start on.
    public var isVideoKeyframe: Bool {
        guard track.kind == .video, case .accessUnit(let unit) = content else { return false }
        return unit.isKeyframe
    }

    /// A video frame (not a header or an end of sequence).
    var isVideoFrame: Bool {
        guard track.kind == .video, case .accessUnit = content else { return false }
        return true
    }

    /// What it holds in memory: the capacity behind its bytes, and itself. Parts of one aggregate share their storage, so at
    /// most twice the bytes count, which is what the chunk decoder lets a body hold.
    var heldBytes: Int {
        let bytes =
            if let body { body } else if case .accessUnit(let unit) = content { unit.payload } else { ByteBuffer() }
        return min(bytes.storageCapacity, 2 * bytes.readableBytes) + MemoryLayout<StreamSample>.stride
    }

    /// The body for RTMP subscribers; nil for what RTMP has no message for.
    func rtmpBody() -> ByteBuffer? {
        if let body { return body }
        // FLV's plain messages carry one track of a kind.
        guard track.isDefault else { return nil }
        switch content {
        case .accessUnit(let unit): return TagBuilder.codedFrames(unit)
        case .configuration(.avc(let value)): return TagBuilder.sequenceHeader(.avc, record: value.record)
        case .configuration(.hevc(let value)): return TagBuilder.sequenceHeader(.hevc, record: value.record)
        case .configuration(.av1(let value)): return TagBuilder.sequenceHeader(.av1, record: value.record)
        case .configuration(.aac(let value)): return TagBuilder.sequenceHeader(.aac, record: value.record)
        case .configuration, .trackMetadata, .metadata, .other: return nil
        }
    }

    /// RTMP's timestamp. `onMetaData` always carries 0, as nginx-rtmp sends it: libavformat makes a subtitle track of one
    /// that carries another, and VLC waits seconds for its first line.
    func rtmpTimestamp(at time: MediaTime) -> UInt32 {
        if case .metadata = content { return 0 }
        return UInt32(truncatingIfNeeded: time.milliseconds)
    }

    /// RTMP's message type (§7.1).
    var rtmpType: RTMPMessageType {
        switch track.kind {
        case .audio: .audio
        case .video: .video
        case .data: .dataAMF0
        }
    }
}

/// An RTMP message taken apart: what its sample will be, before it has a place on the stream's timeline.
struct SampleReading {
    var track: TrackID
    var content: StreamSample.Content
    /// Why the message was not understood; it passes through all the same.
    var failure: String?

    /// The default track of a message of several is looked into; the others pass through with it.
    init(_ message: ReceivedMessage) {
        track = TrackID(message.kind)
        content = .other
        do {
            switch message.kind {
            case .data:
                if let value = message.metadata { content = .metadata(value) }
            case .video:
                let tag = try VideoTag.parse(message.body)
                track.number = tag.trackID
                if var unit = tag.accessUnit(decodeTime: .zero) {
                    unit.track = track
                    content = .accessUnit(unit)
                } else {
                    switch tag.content {
                    case .sequenceHeader:
                        content = .configuration(nil)
                        content = .configuration(try tag.codecConfiguration())
                    case .mpeg2TSSequenceHeader: content = .configuration(nil)
                    case .metadata: content = .trackMetadata
                    case .codedFrames, .endOfSequence, .command: break
                    }
                }
            case .audio:
                let tag = try AudioTag.parse(message.body)
                track.number = tag.trackID
                if var unit = tag.accessUnit(decodeTime: .zero) {
                    unit.track = track
                    content = .accessUnit(unit)
                } else {
                    switch tag.content {
                    case .sequenceHeader:
                        content = .configuration(nil)
                        content = .configuration(try tag.codecConfiguration())
                    case .multichannelConfiguration: content = .trackMetadata
                    case .codedFrames, .endOfSequence: break
                    }
                }
            }
        } catch {
            failure = "\(error)"
        }
    }

    /// The sample at its place. An access unit keeps its tag's nanoseconds, which are its decode time so far.
    func placed(at time: MediaTime, body: ByteBuffer) -> StreamSample {
        guard case .accessUnit(var unit) = content else {
            return StreamSample(track: track, time: time, content: content, body: body)
        }
        unit.decodeTime += time
        return StreamSample(track: track, time: time, content: .accessUnit(unit), body: body)
    }
}
