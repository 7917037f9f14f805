import Basics
import FragmentedMP4
import Media
import NIOCore

/// The text of an MPD (ISO/IEC 23009-1): the listed segments for players of MPEG-DASH, each track by itself.
///
/// `SegmentTimeline` says how long each segment is, since they differ, and `$Number$` names it by its sequence number. Times count
/// from 1970 (`availabilityStartTime`), so a stream that is published again goes on in the same MPD with another `Period`. All
/// addresses are relative, so a session in the path of the MPD's own address is inherited by everything it names.
///
/// Of a program all renditions are listed, those with video as `Representation`s of one `AdaptationSet`, for players to go from one to
/// another. Periods, numbers and times are those of the first one; another is listed in a period as far as it has the same segments at
/// the same times.
public struct MediaPresentation {
    private let snapshot: PlaylistSnapshot
    /// Listed segments of the first rendition that belong together, in order.
    private let periods: [ArraySlice<Segment>]
    private let members: [PresentationMember]

    /// - Parameter members: the first one first; never empty.
    init?(_ members: [PresentationMember]) {
        guard let snapshot = members.first?.snapshot else { return nil }
        self.snapshot = snapshot
        self.members = members
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
        let ends = [TrackID.video, .audio].compactMap { track -> MediaTime? in
            guard let span = segment.span(track), let origin = segment.period.origin(track) else { return nil }
            let ticks = span.presentationStart.addingSaturated(span.duration).addingSaturated(-origin)
            return MediaTime(ticks: ticks, timescale: span.timescale)
        }
        return MediaTime(milliseconds: segment.period.start) + (ends.max() ?? segment.duration)
    }

    private func write(_ segments: ArraySlice<Segment>, _ text: inout ByteBuffer) {
        guard let first = segments.first else { return }
        let start = MediaTime(milliseconds: first.period.start)
        let isNewest = segments.endIndex == snapshot.listed.endIndex
        var attributes = [("id", "p\(first.period.firstSequence)"), ("start", Self.duration(start))]
        if snapshot.isEnded, isNewest {
            attributes.append(("duration", Self.duration(max(end - start, MediaTime(milliseconds: 1)))))
        }
        write("Period", attributes, closes: false, &text)
        let shown = members.filter { !$0.isAudioAlone }
        let video = shown.compactMap { PresentedTrack(.video, of: $0, beside: segments, isNewest: isNewest) }
        if !video.isEmpty { write(video, set: 1, &text) }
        // Audio is listed once, whichever rendition of the video is played.
        let audio =
            shown.lazy.map { member in
                (member.snapshot.listed.last?.tracks.list ?? []).map(\.id).filter { $0.kind == .audio }.compactMap {
                    PresentedTrack($0, of: member, beside: segments, isNewest: isNewest)
                }
            }.first { !$0.isEmpty } ?? []
        for track in audio { write([track], set: 2 + Int(track.id.number), &text) }
        for (index, member) in members.enumerated() where member.isAudioAlone {
            guard let track = PresentedTrack(.audio, of: member, beside: segments, isNewest: isNewest) else { continue }
            write([track], set: 300 + index, &text)
        }
        text.writeString("</Period>\n")
    }

    /// What a player chooses one of.
    private func write(_ tracks: [PresentedTrack], set: Int, _ text: inout ByteBuffer) {
        guard let track = tracks.first else { return }
        var attributes = [
            ("id", String(set)), ("contentType", "\(track.id.kind)"), ("mimeType", "\(track.id.kind)/mp4"),
            ("segmentAlignment", "true"),
        ]
        if let language = track.language { attributes.append(("lang", language)) }
        if tracks.allSatisfy(\.beginsWithKeyframes) { attributes.append(("startWithSAP", "1")) }
        write("AdaptationSet", attributes, closes: false, &text)
        // Where there are several, each says all of its own: players take what stands above in different ways.
        if members.count == 1 { writeTemplate(of: track, &text) }
        for track in tracks { writeRepresentation(track, &text) }
        text.writeString("</AdaptationSet>\n")
    }

    private func writeTemplate(of track: PresentedTrack, _ text: inout ByteBuffer) {
        var template = [
            ("timescale", String(track.timescale)), ("presentationTimeOffset", String(track.origin)),
            ("initialization", track.folder + track.initialization),
            ("media", "\(track.folder)\(track.id.fileName)_$Number$.m4s"), ("startNumber", String(track.first)),
        ]
        if let offset = track.availability {
            // A segment may be asked for when its first part is there, and comes as it is written.
            template.append(("availabilityTimeOffset", PlaylistText.seconds(offset)))
            template.append(("availabilityTimeComplete", "false"))
        }
        write("SegmentTemplate", template, closes: false, &text)
        text.writeString("<SegmentTimeline>\n")
        for entry in track.timeline {
            var attributes = [("t", String(entry.start)), ("d", String(entry.duration))]
            if entry.count > 1 { attributes.append(("r", String(entry.count - 1))) }
            write("S", attributes, &text)
        }
        text.writeString("</SegmentTimeline>\n</SegmentTemplate>\n")
    }

    private func writeRepresentation(_ track: PresentedTrack, _ text: inout ByteBuffer) {
        var attributes = [
            ("id", track.name), ("codecs", track.configuration.codecString),
            ("bandwidth", String(max(1, track.bandwidth))),
        ]
        if let size = track.configuration.resolution, size.width > 0, size.height > 0 {
            attributes += [("width", String(size.width)), ("height", String(size.height))]
        }
        if track.id.kind == .video, let rate = BandwidthMeter.frameRate(of: track.segments) {
            attributes.append(("frameRate", Self.rate(rate)))
        }
        let isAudio = track.id.kind == .audio
        if isAudio, let rate = track.configuration.outputSampleRate {
            attributes.append(("audioSamplingRate", String(rate)))
        }
        let channels = isAudio ? track.configuration.channels : nil
        guard channels != nil || members.count > 1 else { return write("Representation", attributes, &text) }
        write("Representation", attributes, closes: false, &text)
        if let channels {
            let scheme = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
            write("AudioChannelConfiguration", [("schemeIdUri", scheme), ("value", String(channels))], &text)
        }
        if members.count > 1 { writeTemplate(of: track, &text) }
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
