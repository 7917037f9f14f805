import Media
import NIOCore

/// The segment that is being written.
struct OpenSegment {
    let sequence: Int64
    let firstTime: MediaTime
    let programDateTime: Int64
    let isDiscontinuity: Bool
    let startsWithKeyframe: Bool
    let initialization: InitializationFile?
    var bytes: ByteBuffer

    private var video: Tail?
    private var audio: Tail?
    private(set) var lastTime: MediaTime
    private(set) var pictures = 0
    /// Access units of both tracks.
    private(set) var units = 0

    /// The end of a track so far.
    private struct Tail {
        let start: MediaTime
        var time: MediaTime
        /// From the access unit before to the latest one.
        var step = MediaTime.zero
    }

    init(
        sequence: Int64, firstTime: MediaTime, programDateTime: Int64, isDiscontinuity: Bool,
        startsWithKeyframe: Bool, initialization: InitializationFile?, bytes: ByteBuffer
    ) {
        self.sequence = sequence
        self.firstTime = firstTime
        self.programDateTime = programDateTime
        self.isDiscontinuity = isDiscontinuity
        self.startsWithKeyframe = startsWithKeyframe
        self.initialization = initialization
        self.bytes = bytes
        self.lastTime = firstTime
    }

    /// Takes note of an access unit that has been written.
    mutating func count(_ unit: AccessUnit) {
        lastTime = unit.decodeTime
        units += 1
        if unit.codec.isVideo {
            pictures += 1
            Self.extend(&video, to: unit.decodeTime)
        } else {
            Self.extend(&audio, to: unit.decodeTime)
        }
    }

    /// When the latest picture is decoded; the segment's start before there is one.
    var lastPictureTime: MediaTime {
        video?.time ?? firstTime
    }

    /// From the first picture to the latest one.
    var pictureSpan: MediaTime {
        video.map { $0.time - $0.start } ?? .zero
    }

    /// Where the segment ends if nothing follows: the latest access unit of either track and as long again as the one
    /// before it lasted.
    var endTime: MediaTime {
        var end = firstTime
        for tail in [video, audio] {
            if let tail { end = max(end, tail.time + tail.step) }
        }
        return end
    }

    private static func extend(_ tail: inout Tail?, to time: MediaTime) {
        guard let previous = tail else {
            tail = Tail(start: time, time: time)
            return
        }
        let step = time - previous.time
        tail = Tail(start: previous.start, time: time, step: step > .zero ? step : previous.step)
    }
}
