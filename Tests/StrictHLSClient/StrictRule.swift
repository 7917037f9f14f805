/// What a server of low-latency HLS must do, as far as a client can see it (RFC 8216bis; the section stands behind each).
public enum StrictRule: String, Sendable, Hashable, CaseIterable {
    /// A playlist reads as §4 has it.
    case syntax
    /// A playlist's media type, §4.
    case contentType
    /// `EXT-X-VERSION` is high enough, §8.
    case version
    /// No segment is longer than `EXT-X-TARGETDURATION`, §4.4.3.1.
    case targetDuration
    /// `EXT-X-TARGETDURATION` and `PART-TARGET` stay what they are, §6.2.1.
    case targetChanged
    /// Parts come with `EXT-X-PART-INF`, §4.4.3.7.
    case partInformation
    /// No part is longer than `PART-TARGET`, §4.4.4.9.
    case partTooLong
    /// None is shorter than 85 % of it, but the last of a segment and independent ones, §4.4.4.9.
    case partTooShort
    /// Parts add up to their segment, §4.4.4.9.
    case partsAddUp
    /// `CAN-BLOCK-RELOAD`, and the bounds of `HOLD-BACK`, `PART-HOLD-BACK` and `CAN-SKIP-UNTIL`, §4.4.3.8.
    case serverControl
    /// Fragmented MP4 stands behind an `EXT-X-MAP`, which can be fetched and read, §4.4.4.5.
    case map
    /// One hint at most, none behind the end, and what it names comes next, §4.4.5.3.
    case hint
    /// `EXT-X-PROGRAM-DATE-TIME` goes on by `EXTINF`, §4.4.4.6.
    case programDateTime
    /// What a segment's tags say does not change, nor its number, §6.2.1, §6.2.2.
    case segmentChanged
    /// Nor does what the tags of its parts say, §6.2.1.
    case partChanged
    /// Parts are listed for three target durations, §6.2.2.
    case partsRemoved
    /// A segment's discontinuity sequence number stays what it is, §6.2.2.
    case discontinuity
    /// Playlists do not go back, §6.2.1.
    case wentBack
    /// Nothing follows `EXT-X-ENDLIST`, §4.4.3.4.
    case afterEnd
    /// A list that has lost segments is three target durations long, §6.2.2.
    case window
    /// What is listed can be had, and so can a segment for a while after, §6.2.2.
    case availability
    /// A blocked request is not answered without what it waits for, §6.2.5.2.
    case answeredEarly
    /// Nor is it held when that is there, §6.2.5.2.
    case answeredLate
    /// Nor longer than three target durations, §6.2.5.2.
    case heldTooLong
    /// What is too far ahead is refused with 400, §6.2.5.2.
    case tooFarAhead
    /// What is not is no bad request, §6.2.5.2.
    case refusedWrongly
    /// `_HLS_part` without `_HLS_msn` is refused with 400, §6.2.5.2.
    case partWithoutSequence
    /// A delta update comes when it is asked for, and leaves out what is beyond the skip boundary, §6.2.5.1.
    case skip
    /// With what the client has it makes the whole playlist, §6.2.5.1.
    case delta
    /// Playlists of one master playlist have the same numbers for the same time, and one target duration, §6.2.4.
    case alignment
    /// A report says where another rendition is, §4.4.5.4.
    case renditionReport
    /// A part comes when it is there, and is there when its time has come, §6.2.2.
    case partLate
    /// No part is there before its time has come.
    case partEarly
    /// A segment is its parts, byte for byte, §4.4.4.9.
    case bytes
    /// What is called independent is, and what is not called so is not, §4.4.4.9.
    case independent
    /// As `EXT-X-INDEPENDENT-SEGMENTS` has it, §4.4.2.1.
    case independentSegments
    /// Media last as long as their tags say, §4.4.4.1.
    case mediaDuration
    /// Media go on without a gap where no discontinuity is said, §4.4.4.3.
    case mediaTimeline
}

/// Something that a server did and must not do.
public struct StrictViolation: Sendable, Hashable, CustomStringConvertible {
    public var rule: StrictRule
    public var text: String

    public var description: String { "\(rule.rawValue): \(text)" }
}
