import HLS

/// How many bytes the segments of a stream hold: those listed and those kept for players that are behind.
struct SegmentLedger {
    private var segments: [(name: String, bytes: Int)] = []
    private var newest: Int64 = -1

    /// - Returns: the bytes after `snapshot` was made.
    mutating func total(after snapshot: PlaylistSnapshot) -> Int {
        for segment in snapshot.listed where segment.sequence > newest {
            newest = segment.sequence
            segments.append((segment.name, segment.bytes.readableBytes))
        }
        // They are let go of oldest first.
        let kept = segments.firstIndex { snapshot.file(named: $0.name) != nil } ?? segments.endIndex
        segments.removeSubrange(..<kept)
        return segments.reduce(0) { $0 + $1.bytes }
    }
}
