import Basics
import FragmentedMP4
import Media

/// A stretch of segments that have one timeline and the same tracks: a `Period` of an MPD (ISO/IEC 23009-1 §5.3.2).
///
/// It never changes once its first segment is finished, so that players who read the MPD again find it as it was.
public struct Period: Sendable, Hashable, Codable {
    /// The sequence number of its first segment.
    public let firstSequence: Int64
    /// `Period@start`: when its first moment happened, in Unix milliseconds, since MPDs here count from 1970.
    public let start: Int64
    /// What each track's times are at that moment, in its ticks (`presentationTimeOffset`); nil for a track it has not.
    let videoOrigin: Int64?
    let audioOrigin: Int64?

    func origin(_ track: TrackID) -> Int64? {
        switch track {
        case .video: videoOrigin
        case .audio: audioOrigin
        default: nil
        }
    }
}

/// Decides which segments make up a period.
struct PeriodRule: Sendable {
    private var period: Period?
    /// When it ends as far as is known, in Unix milliseconds.
    private(set) var end: Int64
    /// Of its latest segment.
    private var sequence: Int64?
    private var video: TrackSpan?
    private var audio: TrackSpan?

    /// - Parameter end: of the latest period, when there was one before.
    init(after end: Int64 = 0) {
        self.end = end
    }

    /// Takes note of a finished segment.
    ///
    /// - Parameters:
    ///   - date: when its first access unit happened, in Unix milliseconds.
    ///   - isDiscontinuity: it does not continue the timeline of the one before.
    /// - Returns: the period it belongs to.
    mutating func period(
        of sequence: Int64, date: Int64, isDiscontinuity: Bool, video: TrackSpan?, audio: TrackSpan?
    ) -> Period {
        let period: Period
        if let current = self.period, !isDiscontinuity, self.sequence == sequence - 1,
            continues(current, date: date, video: video, audio: audio)
        {
            period = current
        } else {
            // Periods follow one another: one that begins before the end of the last would cut it short.
            period = Self.begin(sequence, at: max(date, end), video: video, audio: audio)
        }
        self.period = period
        (self.sequence, self.video, self.audio) = (sequence, video, audio)
        for (track, span) in [(TrackID.video, video), (.audio, audio)] {
            guard let span else { continue }
            end = max(end, Self.date(of: span.decodeEnd, track, span.timescale, in: period) ?? end)
        }
        return period
    }

    /// Whether a segment has the tracks of the period, comes after the one before it, and happened when the period's clock says:
    /// the encoder's may be slower or faster than the world's.
    private func continues(_ period: Period, date: Int64, video: TrackSpan?, audio: TrackSpan?) -> Bool {
        guard (period.videoOrigin == nil) == (video == nil), (period.audioOrigin == nil) == (audio == nil),
            Self.follows(video, self.video), Self.follows(audio, self.audio), let span = video ?? audio,
            let expected = Self.date(of: span.decodeStart, video == nil ? .audio : .video, span.timescale, in: period)
        else { return false }
        let drift = date.addingSaturated(-expected)
        return drift <= Self.tolerance && drift >= -Self.tolerance
    }

    private static func follows(_ span: TrackSpan?, _ last: TrackSpan?) -> Bool {
        guard let span, let last else { return true }
        return span.presentationStart > last.presentationStart
    }

    /// The date that `ProgramClock` gives moves when it has been off by a second; half of one more is for tracks that do not begin
    /// at once.
    private static let tolerance: Int64 = 1_500

    private static func begin(_ sequence: Int64, at start: Int64, video: TrackSpan?, audio: TrackSpan?) -> Period {
        guard let video, let audio else {
            return Period(
                firstSequence: sequence, start: start, videoOrigin: video?.presentationStart,
                audioOrigin: audio?.presentationStart)
        }
        // The first frame of either track, in the ticks of both.
        let videoStart = MediaTime(ticks: video.presentationStart, timescale: video.timescale)
        let audioStart = MediaTime(ticks: audio.presentationStart, timescale: audio.timescale)
        return Period(
            firstSequence: sequence, start: start,
            videoOrigin: videoStart <= audioStart
                ? video.presentationStart : audioStart.ticks(timescale: video.timescale),
            audioOrigin: videoStart <= audioStart
                ? videoStart.ticks(timescale: audio.timescale) : audio.presentationStart)
    }

    /// When a moment of a track happened by the period's clock.
    private static func date(
        of ticks: Int64, _ track: TrackID, _ timescale: Int64, in period: Period
    ) -> Int64? {
        guard let origin = period.origin(track) else { return nil }
        let position = MediaTime(ticks: ticks.addingSaturated(-origin), timescale: timescale)
        return period.start.addingSaturated(position.milliseconds)
    }
}
