extension FixedWidthInteger {
    /// The sum, or the nearest end of the type's range where the sum lies beyond it.
    @inlinable
    public func addingSaturated(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        guard overflow else { return sum }
        return other < 0 ? .min : .max
    }
}
