import Media
import NIOCore
import RTMP

/// What flows through a hub: one timed sample of one track, on its way from the publisher to every subscriber.
///
/// A body that came as an RTMP message is kept and shared. What came by another protocol has none: it is made once, when
/// the first RTMP subscriber needs it.
public struct StreamSample: Sendable {
    /// What the sample means to those who look inside. RTMP subscribers get its body whatever it is.
    public enum Content: Sendable {
        /// What a decoder must know from here on; nil when the codec is passed through without a look at it.
        case configuration(CodecConfiguration?)
        case accessUnit(AccessUnit)
        /// What else a decoder needs before the first access unit: HDR's `colorInfo`, the order of audio channels. With what it
        /// says of colors: empty takes back what was said before, nil says nothing.
        case trackMetadata(VideoColor?)
        /// The encoder's `onMetaData`, members in the order they came.
        case metadata(AMFValue)
        /// What the encoder tells viewers at this moment.
        case timedMetadata(TimedMetadata)
        /// An RTMP message that could not be read, and why; it passes through all the same.
        case unreadable(reason: String, isHeader: Bool)
        /// Other data, among them what is too long for viewers; command frames, ends of sequence.
        case other
    }

    public private(set) var track: TrackID
    /// Decode time: the publisher's own when it sends the sample, and on the stream's own timeline when subscribers get it.
    public private(set) var time: MediaTime
    public private(set) var content: Content
    /// The RTMP message's body, when it came as one or was made.
    public private(set) var body: ByteBuffer?

    /// - Parameter body: of an RTMP message with this content.
    init(track: TrackID, time: MediaTime, content: Content, body: ByteBuffer? = nil) {
        self.track = track
        self.time = time
        self.content = content
        self.body = body
    }

    /// One access unit of its track, at its decode time. Units of a track are told to be of one codec before, by its
    /// configuration.
    public init(_ unit: AccessUnit) {
        self.init(track: unit.track, time: unit.decodeTime, content: .accessUnit(unit))
    }

    /// What a decoder must know of a track from here on. To be sent before the first access unit, and again at a keyframe
    /// when it changes.
    public init(_ configuration: CodecConfiguration, of track: TrackID, time: MediaTime) {
        self.init(track: track, time: time, content: .configuration(configuration))
    }

    /// What an encoder says of its stream, member by member, as RTMP's `onMetaData` does.
    public init(metadata: AMFObject, time: MediaTime) {
        self.init(track: .data, time: time, content: .metadata(.object(metadata)))
    }

    /// A data message.
    /// - Parameter timestamp: unwrapped, in milliseconds.
    public init(_ message: RTMPDataMessage, timestamp: Int64) {
        self.init(
            .data, timestamp: timestamp, body: message.body, metadata: message.metadata.map { .object($0) })
        if let told = message.timedMetadata { content = .timedMetadata(told) }
    }

    /// An RTMP message of one track.
    /// - Parameters:
    ///   - timestamp: unwrapped, in milliseconds.
    ///   - metadata: for data messages that are `onMetaData`, its value.
    public init(_ kind: TrackID.Kind, timestamp: Int64, body: ByteBuffer, metadata: AMFValue? = nil) {
        self.init(
            track: TrackID(kind), time: MediaTime(milliseconds: timestamp),
            content: metadata.map(Content.metadata) ?? .other,
            body: body)
        do throws(RTMPError) {
            switch kind {
            case .data: break
            case .video: read(try VideoTag.parse(body))
            case .audio: read(try AudioTag.parse(body))
            }
        } catch {
            content = .unreadable(reason: "\(error)", isHeader: false)
        }
    }

    private mutating func read(_ tag: some MediaTag) {
        track.number = tag.trackID
        if let unit = tag.accessUnit(decodeTime: time) {
            content = .accessUnit(unit)
            return
        }
        switch tag.role {
        case .header:
            do throws(MediaParseError) {
                content = .configuration(try tag.codecConfiguration())
            } catch {
                content = .unreadable(reason: "\(error)", isHeader: true)
            }
        case .metadata: content = .trackMetadata(tag.announcedColor)
        case .frames, .other: break
        }
    }

    /// Moves it to its place on the stream's timeline. An access unit keeps what its decode time is finer than RTMP's
    /// milliseconds.
    mutating func move(to place: MediaTime) {
        guard place != time else { return }
        if case .accessUnit(var unit) = content {
            unit.decodeTime += place - time
            content = .accessUnit(unit)
        }
        time = place
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

    /// The bytes that the publisher sent of it: an RTMP body, or coded media.
    private var bytes: ByteBuffer? {
        if let body { return body }
        return switch content {
        case .accessUnit(let unit): unit.payload
        case .configuration(let configuration): configuration?.record
        case .trackMetadata, .metadata, .timedMetadata, .unreadable, .other: nil
        }
    }

    var byteCount: Int { body?.readableBytes ?? bytes?.readableBytes ?? 0 }

    /// What it holds in memory: the capacity behind its bytes, and itself. Parts of one aggregate share their storage, so at
    /// most twice the bytes count, which is what the chunk decoder lets a body hold.
    var heldBytes: Int {
        let held = bytes.map { min($0.storageCapacity, 2 * $0.readableBytes) } ?? 0
        return held + MemoryLayout<StreamSample>.stride + textBytes
    }

    private var textBytes: Int {
        guard case .timedMetadata(let told) = content else { return 0 }
        return told.name.utf8.count + told.json.utf8.count
    }

    /// Makes the body for RTMP subscribers if there is none; there stays none for what RTMP has no message for.
    mutating func makeBody() {
        guard body == nil else { return }
        switch content {
        case .accessUnit(let unit):
            body = TagBuilder.codedFrames(unit)
        case .configuration(let configuration?):
            guard let record = configuration.record else { return }
            switch configuration.codec {
            case .video(let codec): body = TagBuilder.sequenceHeader(codec, record: record, track: track.number)
            case .audio(let codec): body = TagBuilder.sequenceHeader(codec, record: record, track: track.number)
            }
        case .metadata(let value):
            body = RTMPDataMessage(streamID: 0, name: "onMetaData", values: [value]).body
        case .configuration(nil), .trackMetadata, .timedMetadata, .unreadable, .other:
            return
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
