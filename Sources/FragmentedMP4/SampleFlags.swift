/// The sample flags used here (ISO/IEC 14496-12 §8.8.3.1).
enum SampleFlags {
    /// Depends on no other sample.
    static let sync: UInt32 = 0x0200_0000
    /// Depends on others, and is no sync sample.
    static let nonSync: UInt32 = 0x0101_0000
}
