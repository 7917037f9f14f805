extension HLSOutput {
    /// The newest segment's media sequence number; nil before the first segment.
    public var lastSequence: Int64? {
        current?.snapshot.listed.last?.sequence
    }
}
