import Media
import Testing

@testable import HLS

@Suite struct SegmentWindowTests {
    private func window(_ configuration: SegmenterConfiguration, _ segments: [Segment]) -> SegmentWindow {
        var window = SegmentWindow(configuration: configuration)
        for segment in segments { window.append(segment) }
        return window
    }

    @Test("The window lists the newest segments and keeps what players may still ask for")
    func listsTheNewestAndKeepsWhatPlayersMayStillAskFor() {
        let window = window(
            SegmenterConfiguration(window: 3, retainedSegments: 0), (0..<20).map { SyntheticStream.segment($0) })
        #expect(window.listed.map(\.sequence) == [17, 18, 19])
        // Each for its own 2 s and the playlist's 6 s after it has left: four segments' time.
        #expect(window.retained.map(\.sequence) == [13, 14, 15, 16])
        #expect(window.totalBytes == 7_000)
    }

    @Test("The window keeps at least the configured number of segments")
    func keepsAtLeastTheConfiguredNumber() {
        let window = window(
            SegmenterConfiguration(window: 3, retainedSegments: 9), (0..<20).map { SyntheticStream.segment($0) })
        #expect(window.retained.map(\.sequence) == Array(8..<17))
    }

    @Test("The window never lists less than three target durations")
    func neverListsLessThanThreeTargetDurations() {
        let segments = [SyntheticStream.segment(0, milliseconds: 10_000, target: 10)]
        let window = window(
            SegmenterConfiguration(window: 3), segments + (1..<30).map { SyntheticStream.segment($0, target: 10) })
        #expect(window.targetDuration == 10)
        #expect(window.listed.map(\.sequence) == Array(15..<30))
    }

    @Test("Discontinuities that have left the playlist are counted")
    func countsDiscontinuitiesThatHaveLeft() {
        var window = SegmentWindow(configuration: SegmenterConfiguration(window: 3))
        var numbers = SequenceNumbers(first: 5)
        var seen: [Int64?] = []
        for sequence: Int64 in 0..<7 {
            let isDiscontinuity = sequence == 1 || sequence == 2
            let position = numbers.take(isDiscontinuity: isDiscontinuity)
            window.append(
                SyntheticStream.segment(
                    sequence, discontinuity: isDiscontinuity, discontinuitySequence: position?.discontinuity ?? 0))
            let text = window.snapshot().map { String(buffer: $0.mediaPlaylist()) }
            seen.append(
                text?.split(separator: "\n").first { $0.hasPrefix("#EXT-X-DISCONTINUITY-SEQUENCE:") }
                    .flatMap { Int64($0.split(separator: ":")[1]) })
        }
        // Segment 1 leaves with the fifth one, segment 2 with the sixth.
        #expect(seen == [5, 5, 5, 5, 6, 7, 7])
        #expect(numbers.next == SequenceNumbers.Position(media: 12, discontinuity: 7))
    }

    @Test("The window's bytes are bounded, whatever the durations")
    func bytesAreBoundedWhateverTheDurations() {
        let configuration = SegmenterConfiguration(
            window: 6, maximumSegmentBytes: 64 << 10, maximumTotalBytes: 100_000)
        let window = window(configuration, (0..<20).map { SyntheticStream.segment($0, bytes: 30_000) })
        #expect(window.retained.isEmpty)
        #expect(window.listed.map(\.sequence) == [17, 18, 19])
        #expect(window.totalBytes == 90_000)
    }

    @Test("The window takes nothing after its end")
    func takesNothingAfterItsEnd() {
        var window = window(SegmenterConfiguration(), [SyntheticStream.segment(0)])
        window.end()
        window.append(SyntheticStream.segment(1))
        #expect(window.listed.map(\.sequence) == [0])
    }

    @Test("With little memory nothing is kept behind the playlist; with less the playlist is as short as it may be")
    func extents() {
        let configuration = SegmenterConfiguration(window: 10, retainedSegments: 9)
        var window = window(configuration, (0..<20).map { SyntheticStream.segment($0) })
        #expect(window.retained.map(\.sequence) == Array(0..<10))
        window.append(SyntheticStream.segment(20), keeping: .listed)
        #expect(window.listed.map(\.sequence) == Array(11...20))
        #expect(window.retained.isEmpty)
        #expect(window.totalBytes == 10_000)
        window.append(SyntheticStream.segment(21), keeping: .shortest)
        // Three target durations of 2 s.
        #expect(window.listed.map(\.sequence) == [19, 20, 21])
        #expect(window.totalBytes == 3_000)
        // Once there is memory again the playlist grows to its length, and what leaves it is kept.
        for sequence: Int64 in 22..<32 { window.append(SyntheticStream.segment(sequence)) }
        #expect(window.listed.map(\.sequence) == Array(22..<32))
        #expect(window.retained.map(\.sequence) == [19, 20, 21])
    }
}
