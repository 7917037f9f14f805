import Foundation
import Usher

/// Session ids that stand in master playlists given out and were not used yet. Bounded in number and time.
struct PendingTable {
    private struct Pending {
        var viewer: SessionTable.Viewer
        var until: Date
    }

    private var entries: [String: Pending] = [:]
    private let maximum: Int
    private let timeout: TimeInterval

    init(maximum: Int, timeout: TimeInterval) {
        self.maximum = maximum
        self.timeout = timeout
    }

    var count: Int { entries.count }

    /// Remembers `id`. When there are too many it is not remembered: its viewer will enter as one with an unknown id does,
    /// one redirect later.
    mutating func add(_ id: String, _ facts: ViewerFacts, now: Date) {
        if entries.count >= maximum { removeExpired(now: now) }
        guard entries.count < maximum else { return }
        entries[id] = Pending(viewer: SessionTable.Viewer(facts), until: now.addingTimeInterval(timeout))
    }

    /// The stream that `id` was made for, if this viewer may enter under it: the same ticket and app, the stream or a
    /// rendition of it, from the same address.
    func video(of id: String, for facts: ViewerFacts, now: Date) -> String? {
        guard let pending = entries[id], now < pending.until else { return nil }
        var viewer = SessionTable.Viewer(facts)
        guard VideoName.isSame(viewer.video, orFormOf: pending.viewer.video) else { return nil }
        viewer.video = pending.viewer.video
        return viewer == pending.viewer ? pending.viewer.video : nil
    }

    mutating func remove(_ id: String) {
        entries[id] = nil
    }

    mutating func removeExpired(now: Date) {
        entries = entries.filter { now < $0.value.until }
    }
}
