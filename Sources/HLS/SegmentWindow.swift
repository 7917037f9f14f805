import Media

/// The segments a playlist lists, and those that have left it but may still be asked for (RFC 8216 §6.2.2).
public struct SegmentWindow: Sendable {
    /// Oldest first.
    public private(set) var listed: [Segment] = []
    /// `EXT-X-TARGETDURATION` in seconds: the configured duration rounded up, or the longest segment's rounded to the
    /// nearest second. It may not change in a playlist's life, so it grows only when a longer segment leaves no choice
    /// (a GOP longer than the target must play), and never shrinks.
    public private(set) var targetDuration: Int
    /// `EXT-X-ENDLIST`: nothing will follow.
    public private(set) var isEnded = false

    /// How much is kept.
    public enum Extent: Sendable {
        /// What the configuration says.
        case configured
        /// Segments go as soon as they have left the playlist.
        case listed
        /// That, and the playlist is as short as RFC 8216 §6.2.2 allows: three target durations.
        case shortest
    }

    private let configuration: SegmenterConfiguration
    /// Parallel to `listed`: the duration of the longest playlist that listed the segment.
    private var longestPlaylists: [MediaTime] = []
    private var retired: [Retired] = []
    private var listedDuration = MediaTime.zero
    /// All segments' durations so far: the clock that segments are retired by.
    private var publishedDuration = MediaTime.zero
    private var bytes = 0

    private struct Retired {
        var segment: Segment
        /// On the clock of `publishedDuration`.
        var expiry: MediaTime
    }

    public init(configuration: SegmenterConfiguration) {
        self.configuration = configuration
        targetDuration = Int(configuration.segmentDuration.seconds.rounded(.up))
    }

    /// Those that have left the playlist, oldest first.
    public var retained: [Segment] {
        retired.map(\.segment)
    }

    /// All bytes held; of finished segments that is their storage too.
    public var totalBytes: Int { bytes }

    /// Lists a finished segment, and lets go of what has become too old or too much.
    public mutating func append(_ segment: Segment, keeping extent: Extent = .configured) {
        guard !isEnded else { return }
        // Durations are bounded by the segmenter; the clamp keeps the conversion safe whatever comes.
        targetDuration = max(targetDuration, Int(min(segment.duration.seconds, 1e6).rounded()))
        listed.append(segment)
        longestPlaylists.append(.zero)
        bytes += segment.bytes.readableBytes
        listedDuration += segment.duration
        publishedDuration += segment.duration
        while let first = listed.first, mayRemove(first, keeping: extent) { retireFirst() }
        for index in longestPlaylists.indices {
            longestPlaylists[index] = max(longestPlaylists[index], listedDuration)
        }
        dropExpired(keeping: extent)
        while bytes > configuration.maximumTotalBytes, dropOldest() {}
    }

    /// Ends the playlist.
    public mutating func end() {
        isEnded = true
    }

    /// The playlist and its files as they are now; nil before the first segment.
    ///
    /// - Parameter modified: Unix milliseconds.
    public func snapshot(modified: Int64) -> PlaylistSnapshot? {
        listed.isEmpty ? nil : PlaylistSnapshot(window: self, modified: modified)
    }

    /// RFC 8216 §6.2.2: what is left has to last three target durations.
    private func mayRemove(_ first: Segment, keeping extent: Extent) -> Bool {
        guard extent == .shortest || listed.count > configuration.window else { return false }
        return (listedDuration - first.duration).seconds >= Double(targetDuration * 3)
    }

    private mutating func retireFirst() {
        let segment = listed.removeFirst()
        let longest = longestPlaylists.removeFirst()
        listedDuration = listedDuration - segment.duration
        retired.append(Retired(segment: segment, expiry: publishedDuration + segment.duration + longest))
    }

    private mutating func dropExpired(keeping extent: Extent) {
        while let first = retired.first {
            let isExpired = retired.count > configuration.retainedSegments && first.expiry <= publishedDuration
            guard isExpired || extent != .configured else { return }
            bytes -= first.segment.bytes.readableBytes
            retired.removeFirst()
        }
    }

    /// Returns whether anything could be dropped: the newest segment stays.
    private mutating func dropOldest() -> Bool {
        if retired.isEmpty {
            guard listed.count > 1 else { return false }
            retireFirst()
        }
        bytes -= retired.removeFirst().segment.bytes.readableBytes
        return true
    }
}
