import Media
import NIOCore

/// One track that is being read: the continuity counter of its packets, the PES packet that is being put together, and the
/// reader of its codec.
struct ElementaryStream: Sendable {
    private enum Reader: Sendable {
        case video(VideoTrackReader)
        case audio(AudioTrackReader)
    }

    let pid: UInt16
    let codec: Codec
    /// The last packet's continuity counter; nil before the first and after a discontinuity.
    var counter: UInt8?
    var assembler = PESAssembler()
    private var reader: Reader

    /// - Parameter opus: the configuration that the program map has for Opus.
    init(pid: UInt16, codec: Codec, opus: OpusConfiguration?) {
        self.pid = pid
        self.codec = codec
        switch codec {
        case .video(let codec): reader = .video(VideoTrackReader(isHEVC: codec == .hevc))
        case .audio(let codec):
            reader = .audio(AudioTrackReader(codec == .aac ? .adts : opus.map { .opus($0) } ?? .mp3))
        }
    }

    /// Says that bytes of the track are missing before those that come next.
    mutating func lose() {
        if case .audio(var audio) = reader {
            audio.lose()
            reader = .audio(audio)
        }
    }

    /// Reads a PES packet's payload.
    /// - Returns: false when nothing of the payload could be used.
    mutating func read(
        _ payload: ByteBuffer, decode: MediaTime?, presentation: MediaTime?,
        statistics: inout TransportStreamDemuxer.Statistics,
        into events: inout [TransportStreamDemuxer.Event]
    ) -> Bool {
        switch reader {
        case .video(var video):
            guard let decode, let presentation else { return false }
            video.read(
                payload, decode: decode, compositionOffset: presentation - decode, dropped: &statistics.droppedUnits,
                into: &events)
            reader = .video(video)
        case .audio(var audio):
            audio.read(payload, time: presentation, statistics: &statistics, into: &events)
            reader = .audio(audio)
        }
        return true
    }
}
