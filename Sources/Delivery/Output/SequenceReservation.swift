import HLS
import Live
import Storage

/// Reserves a stream's media sequence numbers in the store, so that they never go back over republish and restart.
struct SequenceReservation: Sendable {
    let store: any SequenceStore
    let name: String
    /// Numbers at a time.
    let count: Int64

    init(store: any SequenceStore, address: StreamAddress, count: Int64) {
        self.store = store
        self.name = "hls/\(address)"
        self.count = count
    }

    func reserve() async throws -> Int64 {
        try await store.reserveSequence(name: name, count: count)
    }

    /// Where a life of the stream starts that was given a block beginning at `first`.
    ///
    /// If nobody reserved between the life before and this one, it goes on just where that one stopped. Otherwise the
    /// discontinuity sequence starts at the same number as the media sequence: discontinuities stand before segments,
    /// so there were never more of them than segments, and it does not go back either.
    func start(first: Int64, after previous: HLSOutput.Numbering?) -> HLSOutput.Numbering {
        let first = max(0, first)
        let (limit, overflow) = first.addingReportingOverflow(count)
        if let previous, previous.limit == first {
            return HLSOutput.Numbering(resume: previous.resume, limit: overflow ? .max : limit)
        }
        return HLSOutput.Numbering(
            resume: ResumePoint(sequence: first, discontinuitySequence: first), limit: overflow ? .max : limit)
    }
}
