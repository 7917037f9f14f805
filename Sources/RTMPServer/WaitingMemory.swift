import Basics
import Live

/// What waits for one peer, and of it, as the memory budget knows it.
struct WaitingMemory {
    private let budget: MemoryBudget
    private var replies = 0
    /// Received, and no whole message yet or not dealt with.
    private var input = 0
    /// Media, and whose.
    private var media: (bytes: Int, account: AccountID)?
    /// At the last check.
    private var waitingMedia = 0

    init(budget: MemoryBudget) {
        self.budget = budget
    }

    /// Counts so many bytes of replies instead of those counted before.
    mutating func hold(replies bytes: Int) {
        guard bytes != replies else { return }
        budget.change(by: bytes - replies)
        replies = bytes
    }

    /// Counts so many bytes of what was received instead of those counted before.
    mutating func hold(input bytes: Int) {
        guard bytes != input else { return }
        budget.change(by: bytes - input)
        input = bytes
    }

    /// Counts the media that was waiting at the last check as well as now.
    mutating func check(media bytes: Int, of account: AccountID) {
        let stuck = min(bytes, waitingMedia)
        waitingMedia = bytes
        guard stuck != media?.bytes ?? 0 || media.map({ $0.account != account }) == true else { return }
        releaseMedia()
        guard stuck > 0 else { return }
        budget.change(by: stuck, account: account)
        media = (stuck, account)
    }

    /// Counts nothing any more.
    mutating func release() {
        hold(replies: 0)
        hold(input: 0)
        releaseMedia()
        waitingMedia = 0
    }

    private mutating func releaseMedia() {
        if let media { budget.change(by: -media.bytes, account: media.account) }
        media = nil
    }
}
