import Basics
import FragmentedMP4
import Media
import NIOCore

/// The text of an MPD (ISO/IEC 23009-1): the listed segments for players of MPEG-DASH, each track by itself.
///
/// `SegmentTimeline` says how long each segment is, since they differ, and `$Number$` names it by its sequence number. Times count
/// from 1970 (`availabilityStartTime`), so a stream that is published again goes on in the same MPD with another `Period`. All
/// addresses are relative, so a session in the path of the MPD's own address is inherited by everything it names.
public struct MediaPresentation {
    private let snapshot: PlaylistSnapshot
    /// Listed segments that belong together, in order.
    private let periods: [ArraySlice<Segment>]
    /// The segment that is being written, once something of it can be played.
    private let open: PlaylistSnapshot.OpenSegment?

    init(_ snapshot: PlaylistSnapshot) {
        self.snapshot = snapshot
        let last = snapshot.listed.last
        open = snapshot.open.flatMap { open in
            guard let last, open.sequence == last.sequence + 1, !open.isDiscontinuity,
                open.initialization?.name == last.initialization.name,
                [TrackID.Kind.video, .audio].allSatisfy({ (open.span($0) == nil) == (last.span($0) == nil) }),
                [TrackID.Kind.video, .audio].allSatisfy({ kind in
                    guard let span = open.span(kind), let before = last.span(kind) else { return true }
                    return span.presentationStart > before.presentationStart
                })
            else { return nil }
            return open
        }
        var periods: [ArraySlice<Segment>] = []
        for (index, segment) in snapshot.listed.enumerated() {
            if let last = periods.last?.last, last.period == segment.period {
                periods[periods.count - 1] = snapshot.listed[(periods.last?.startIndex ?? index)...index]
            } else {
                periods.append(snapshot.listed[index...index])
            }
        }
        self.periods = periods
    }

    func rendered() -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(2_048 + snapshot.listed.count * 32)
        text.writeString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        write("MPD", mpd, closes: false, &text)
        if !snapshot.isEnded {
            write("ServiceDescription", [("id", "0")], closes: false, &text)
            write("Latency", latency, &text)
            write("PlaybackRate", [("min", "0.96"), ("max", "1.04")], &text)
            text.writeString("</ServiceDescription>\n")
        }
        for segments in periods { write(segments, &text) }
        // For players whose clock is wrong; the address is relative as all others are.
        write("UTCTiming", [("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014"), ("value", "time")], &text)
        text.writeString("</MPD>\n")
        return text
    }

    /// An MPD for a player that has it from elsewhere than the folder it is of, and reads it again at another address: players that
    /// know `Location` do (ISO/IEC 23009-1 §5.3.1.2), others come back to where they had it from.
    ///
    /// - Parameters:
    ///   - text: as `PlaylistSnapshot.mediaPlaylist` makes it.
    ///   - folder: with a slash at its end; relative to where the player has the MPD from, as `location` is.
    public static func pointing(_ text: ByteBuffer, to folder: String, readAgainAt location: String) -> ByteBuffer {
        let view = text.readableBytesView
        guard let start = view.firstRange(of: "<MPD".utf8)?.upperBound,
            let end = view[start...].firstRange(of: ">\n".utf8)?.upperBound
        else { return text }
        let lines =
            "<BaseURL>\(escaped(folder))</BaseURL>\n<Location>\(escaped(location))</Location>\n"
        var pointing = ByteBuffer()
        pointing.reserveCapacity(text.readableBytes + lines.utf8.count)
        pointing.writeBytes(view[..<end])
        pointing.writeString(lines)
        pointing.writeBytes(view[end...])
        return pointing
    }

    /// Text between tags.
    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private var mpd: [(String, String)] {
        let length = snapshot.listed.reduce(MediaTime.zero) { $0 + $1.duration }
        let target = MediaTime(milliseconds: Int64(snapshot.targetDuration) * 1_000)
        let longest = snapshot.listed.map(\.duration).max() ?? target
        let last = snapshot.listed.last
        let published = last.map { $0.programDateTime.addingSaturated($0.duration.milliseconds) } ?? 0
        var attributes = [
            ("xmlns", "urn:mpeg:dash:schema:mpd:2011"), ("profiles", "urn:mpeg:dash:profile:isoff-live:2011"),
            ("type", snapshot.isEnded ? "static" : "dynamic"),
            ("publishTime", PlaylistText.date(published)),
            ("minBufferTime", Self.duration(min(target, MediaTime(milliseconds: 2_000)))),
            ("maxSegmentDuration", Self.duration(max(longest, target))),
        ]
        if snapshot.isEnded {
            attributes.append(("mediaPresentationDuration", Self.duration(end)))
        } else {
            let average = MediaTime(nanoseconds: length.nanoseconds / Int64(max(1, snapshot.listed.count)))
            let half = MediaTime(nanoseconds: average.nanoseconds / 2)
            attributes += [
                ("availabilityStartTime", "1970-01-01T00:00:00Z"),
                ("minimumUpdatePeriod", Self.duration(max(half, MediaTime(milliseconds: 500)))),
                ("timeShiftBufferDepth", Self.duration(length)),
                ("suggestedPresentationDelay", Self.duration(MediaTime(nanoseconds: target.nanoseconds * 3))),
            ]
        }
        return attributes
    }

    /// What a player that takes the segment being written can hold, in milliseconds: a few parts, and what the network needs.
    private var latency: [(String, String)] {
        let part = snapshot.partTarget.milliseconds
        let target = part * 3 + 1_000
        return [("target", String(target)), ("min", String(part * 3)), ("max", String(target * 3))]
    }

    /// When the last segment ends, since 1970.
    private var end: MediaTime {
        guard let segment = snapshot.listed.last else { return .zero }
        let ends = [TrackID.Kind.video, .audio].compactMap { kind -> MediaTime? in
            guard let span = segment.span(kind), let origin = segment.period.origin(kind) else { return nil }
            let ticks = span.presentationStart.addingSaturated(span.duration).addingSaturated(-origin)
            return MediaTime(ticks: ticks, timescale: span.timescale)
        }
        return MediaTime(milliseconds: segment.period.start) + (ends.max() ?? segment.duration)
    }

    private func write(_ segments: ArraySlice<Segment>, _ text: inout ByteBuffer) {
        guard let first = segments.first else { return }
        let start = MediaTime(milliseconds: first.period.start)
        var attributes = [("id", "p\(first.period.firstSequence)"), ("start", Self.duration(start))]
        if snapshot.isEnded, segments.endIndex == snapshot.listed.endIndex {
            attributes.append(("duration", Self.duration(max(end - start, MediaTime(milliseconds: 1)))))
        }
        write("Period", attributes, closes: false, &text)
        for kind in [TrackID.Kind.video, .audio] {
            let configuration = kind == .video ? first.tracks.video : first.tracks.audio
            guard let configuration, let origin = first.period.origin(kind), first.span(kind) != nil else { continue }
            write(configuration, kind, origin: origin, segments, &text)
        }
        text.writeString("</Period>\n")
    }

    /// One track.
    private func write(
        _ configuration: CodecConfiguration, _ kind: TrackID.Kind, origin: Int64, _ segments: ArraySlice<Segment>,
        _ text: inout ByteBuffer
    ) {
        guard let first = segments.first, let timescale = first.span(kind)?.timescale else { return }
        var attributes = [
            ("id", kind == .video ? "1" : "2"), ("contentType", "\(kind)"), ("mimeType", "\(kind)/mp4"),
            ("segmentAlignment", "true"),
        ]
        if kind == .audio || segments.allSatisfy(\.startsWithKeyframe) { attributes.append(("startWithSAP", "1")) }
        write("AdaptationSet", attributes, closes: false, &text)
        var template = [
            ("timescale", String(timescale)), ("presentationTimeOffset", String(origin)),
            ("initialization", first.initialization.name(of: kind)), ("media", "\(kind)_$Number$.m4s"),
            ("startNumber", String(first.sequence)),
        ]
        if snapshot.open != nil, segments.endIndex == snapshot.listed.endIndex, let last = segments.last {
            // A segment may be asked for when its first part is there, and comes as it is written.
            let offset = last.duration - snapshot.partTarget
            template.append(("availabilityTimeOffset", PlaylistText.seconds(offset)))
            template.append(("availabilityTimeComplete", "false"))
        }
        write("SegmentTemplate", template, closes: false, &text)
        writeTimeline(of: kind, segments, &text)
        text.writeString("</SegmentTemplate>\n")
        writeRepresentation(configuration, kind, Array(segments), &text)
        text.writeString("</AdaptationSet>\n")
    }

    private func writeTimeline(of kind: TrackID.Kind, _ segments: ArraySlice<Segment>, _ text: inout ByteBuffer) {
        var entries: [(start: Int64, duration: Int64, count: Int)] = []
        var end: Int64?
        var spans = segments.compactMap { $0.span(kind) }
        if segments.endIndex == snapshot.listed.endIndex, let last = spans.last, let span = open?.span(kind) {
            // How long it becomes nobody knows: as long as the one before it, as far as is known.
            let end = span.decodeStart.addingSaturated(max(last.duration, span.duration))
            spans.append(
                TrackSpan(
                    timescale: span.timescale, decodeStart: span.decodeStart,
                    presentationStart: span.presentationStart, decodeEnd: end))
        }
        for (index, span) in spans.enumerated() {
            var duration = span.duration
            // The last frame of a segment may be thought longer than the next one lets it be.
            if index + 1 < spans.count {
                let distance = spans[index + 1].presentationStart - span.presentationStart
                if distance > 0, distance < duration { duration = distance }
            }
            duration = max(1, duration)
            if end == span.presentationStart, entries.last?.duration == duration {
                entries[entries.count - 1].count += 1
            } else {
                entries.append((span.presentationStart, duration, 1))
            }
            end = span.presentationStart.addingSaturated(duration)
        }
        text.writeString("<SegmentTimeline>\n")
        for entry in entries {
            var attributes = [("t", String(entry.start)), ("d", String(entry.duration))]
            if entry.count > 1 { attributes.append(("r", String(entry.count - 1))) }
            write("S", attributes, &text)
        }
        text.writeString("</SegmentTimeline>\n")
    }

    private func writeRepresentation(
        _ configuration: CodecConfiguration, _ kind: TrackID.Kind, _ segments: [Segment], _ text: inout ByteBuffer
    ) {
        let bandwidth = BandwidthMeter.peak(of: segments, targetDuration: snapshot.targetDuration) {
            $0.length(kind)
        }
        var attributes = [
            ("id", "\(kind)"), ("codecs", configuration.codecString), ("bandwidth", String(max(1, bandwidth))),
        ]
        if let size = configuration.resolution, size.width > 0, size.height > 0 {
            attributes += [("width", String(size.width)), ("height", String(size.height))]
        }
        if kind == .video, let rate = BandwidthMeter.frameRate(of: segments) {
            attributes.append(("frameRate", Self.rate(rate)))
        }
        guard kind == .audio, let (sampleRate, channels) = configuration.sound else {
            write("Representation", attributes, &text)
            return
        }
        attributes.append(("audioSamplingRate", String(sampleRate)))
        write("Representation", attributes, closes: false, &text)
        write(
            "AudioChannelConfiguration",
            [
                ("schemeIdUri", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"), ("value", String(channels)),
            ], &text)
        text.writeString("</Representation>\n")
    }

    /// An element. None of the values here has a character that XML reads as anything else.
    private func write(
        _ name: String, _ attributes: [(String, String)], closes: Bool = true, _ text: inout ByteBuffer
    ) {
        text.writeString("<\(name)")
        for (name, value) in attributes { text.writeString(" \(name)=\"\(value)\"") }
        text.writeString(closes ? "/>\n" : ">\n")
    }

    /// `xs:duration`, in seconds with three decimals.
    private static func duration(_ time: MediaTime) -> String {
        let (seconds, rest) = max(0, time.milliseconds).quotientAndRemainder(dividingBy: 1_000)
        return rest == 0 ? "PT\(seconds)S" : "PT\(seconds).\(rest.padded(to: 3))S"
    }

    /// A fraction, as `frameRate` wants it: the rates of television have a denominator of 1,001.
    private static func rate(_ rate: Double) -> String {
        let bounded = min(max(rate, 0.001), 1e6)
        if abs(bounded - bounded.rounded()) < 1e-6 { return String(Int64(bounded.rounded())) }
        let thousands = (bounded * 1.001).rounded()
        if abs(thousands / 1.001 - bounded) < 1e-6 { return "\(Int64(thousands) * 1_000)/1001" }
        return "\(Int64((bounded * 1_000).rounded()))/1000"
    }
}

extension InitializationFile {
    /// The name of the file of one track.
    fileprivate func name(of kind: TrackID.Kind) -> String {
        let file = ofTracks.first {
            if case .trackInitialization(kind, _) = $0.name { true } else { false }
        }
        return (file ?? self).name.description
    }
}

extension CodecConfiguration {
    /// Sample rate and number of channels.
    fileprivate var sound: (rate: Int, channels: Int)? {
        switch self {
        case .aac(let value): (value.outputSampleRate, value.channels)
        case .mp3(let value): (value.sampleRate, value.channels)
        case .opus(let value): (OpusConfiguration.sampleRate, value.channels)
        case .ac3(let value): (value.sampleRate, value.channels)
        case .eac3(let value): (value.sampleRate, value.channels)
        case .flac(let value): (value.sampleRate, value.channels)
        case .avc, .hevc, .av1, .vp9: nil
        }
    }
}
