import Media

/// What `EXT-X-STREAM-INF` says about a playlist's bit rates, measured.
enum BandwidthMeter {
    /// Rounded up; 0 for a duration that is not above zero.
    static func bitsPerSecond(bytes: Int, duration: MediaTime) -> Int {
        guard duration > .zero, bytes > 0 else { return 0 }
        let rate = Double(bytes) * 8 / duration.seconds
        return rate < 1e15 ? Int(rate.rounded(.up)) : 1_000_000_000_000_000
    }

    /// All segments together.
    static func average(of segments: [Segment]) -> Int {
        var bytes = 0
        var duration = MediaTime.zero
        for segment in segments {
            bytes += segment.bytes.readableBytes
            duration += segment.duration
        }
        return bitsPerSecond(bytes: bytes, duration: duration)
    }

    /// The peak segment bit rate (RFC 8216 §4.3.4.2): the largest of any run of segments that together last between
    /// half and one and a half target durations; the average when there is no such run.
    static func peak(of segments: [Segment], targetDuration: Int) -> Int {
        let target = Double(targetDuration)
        var peak = 0
        for start in segments.indices {
            var bytes = 0
            var duration = MediaTime.zero
            for segment in segments[start...] {
                bytes += segment.bytes.readableBytes
                duration += segment.duration
                if duration.seconds > target * 1.5 { break }
                if duration.seconds >= target * 0.5 {
                    peak = max(peak, bitsPerSecond(bytes: bytes, duration: duration))
                }
            }
        }
        return max(peak, average(of: segments))
    }

    /// Pictures per second, moved to the nearest customary rate within half a percent; nil without two pictures in a segment.
    static func frameRate(of segments: [Segment]) -> Double? {
        var steps = 0
        var span = MediaTime.zero
        for segment in segments where segment.pictures > 1 {
            steps += segment.pictures - 1
            span += segment.pictureSpan
        }
        guard steps > 0, span > .zero else { return nil }
        let measured = Double(steps) / span.seconds
        let customary = [24_000 / 1_001.0, 24, 25, 30_000 / 1_001.0, 30, 48, 50, 60_000 / 1_001.0, 60, 120]
        let nearest = customary.min { abs($0 - measured) < abs($1 - measured) }
        if let nearest, abs(nearest - measured) <= nearest * 0.005 { return nearest }
        return measured
    }
}
