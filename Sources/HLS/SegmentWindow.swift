import Media

/// The segments a playlist lists, and those that have left it but may still be asked for (RFC 8216 §6.2.2).
public struct SegmentWindow: Sendable {
    /// Oldest first.
    public private(set) var listed: [Segment] = []
    /// `EXT-X-TARGETDURATION` in seconds, which the first segment brings and which never changes; 0 before it.
    public private(set) var targetDuration = 0
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
    /// Those that have left the playlist, oldest first.
    public private(set) var retained: [Segment] = []
    /// Parallel to `retained`: when each may go, on the clock of `publishedDuration`.
    private var expiries: [MediaTime] = []
    private var listedDuration = MediaTime.zero
    /// All segments' durations so far: the clock that segments are retired by.
    private var publishedDuration = MediaTime.zero
    private var bytes = 0

    public init(configuration: SegmenterConfiguration) {
        self.configuration = configuration
    }

    /// The window of a publication that goes on. Those that may be asked for stay for as long as if they were listed until now.
    init(configuration: SegmenterConfiguration, listed: [Segment], retained: [Segment]) {
        self.configuration = configuration
        self.listed = listed
        self.retained = retained
        targetDuration = listed.last?.targetDuration ?? 0
        listedDuration = listed.reduce(.zero) { $0 + $1.duration }
        longestPlaylists = listed.map { [listedDuration] _ in listedDuration }
        expiries = retained.map { [listedDuration] in $0.duration + listedDuration }
        bytes = (listed + retained).reduce(0) { $0 + $1.totalLength }
    }

    /// All bytes held; of finished segments that is their storage too.
    public var totalBytes: Int { bytes }

    /// Lists a finished segment, and lets go of what has become too old or too much.
    public mutating func append(_ segment: Segment, keeping extent: Extent = .configured) {
        guard !isEnded else { return }
        if listed.isEmpty { targetDuration = segment.targetDuration }
        listed.append(segment)
        longestPlaylists.append(.zero)
        bytes += segment.totalLength
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
    /// - Parameter open: the segment that is being written.
    public func snapshot(open: PlaylistSnapshot.OpenSegment? = nil) -> PlaylistSnapshot? {
        listed.isEmpty
            ? nil : PlaylistSnapshot(listed: listed, retained: retained, open: isEnded ? nil : open, isEnded: isEnded)
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
        retained.append(segment)
        expiries.append(publishedDuration + segment.duration + longest)
    }

    private mutating func dropExpired(keeping extent: Extent) {
        while let expiry = expiries.first {
            let isExpired = retained.count > configuration.retainedSegments && expiry <= publishedDuration
            guard isExpired || extent != .configured else { return }
            dropFirstRetained()
        }
    }

    /// Returns whether anything could be dropped: the newest segment stays.
    private mutating func dropOldest() -> Bool {
        if retained.isEmpty {
            guard listed.count > 1 else { return false }
            retireFirst()
        }
        dropFirstRetained()
        return true
    }

    private mutating func dropFirstRetained() {
        bytes -= retained.removeFirst().totalLength
        expiries.removeFirst()
    }
}
