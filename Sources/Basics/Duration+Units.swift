import Foundation

extension Duration {
    /// Seconds, for Foundation's dates.
    public var timeInterval: TimeInterval {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    /// Whole milliseconds, rounded down.
    public var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        return overflow
            ? .max : Int(clamping: product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue)
    }
}
