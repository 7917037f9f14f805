import NIOCore
import Testing

@testable import Load

@Suite struct HistogramTests {
    @Test("Quantiles are within two per cent, and the worst is exact")
    func quantilesAreCloseAndTheWorstIsExact() throws {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        for milliseconds in 1...1_000 { histogram.add(.milliseconds(Int64(milliseconds))) }
        for (part, expected) in [(0.5, 500.0), (0.9, 900), (0.99, 990)] {
            let found = try #require(histogram.quantile(part)).milliseconds
            #expect(found >= expected && found < expected * 1.02, "\(part): \(found)")
        }
        #expect(histogram.worst == .milliseconds(1_000))
        #expect(histogram.quantile(1) == .milliseconds(1_000))
        #expect(histogram.count == 1_000)
    }

    @Test("Short times have a bucket for each microsecond, and times beyond all buckets count as well")
    func endsOfTheScale() {
        var histogram = Histogram()
        histogram.add(.microseconds(3))
        #expect(histogram.quantile(0.5) == .microseconds(3))
        histogram.add(.hours(100_000))
        #expect(histogram.worst == .hours(100_000))
        #expect(histogram.count == 2)
    }
}
