import Basics
import NIOCore
import Usher

/// Session ids that stand in master playlists given out and were not used yet: one for each viewer, however often the playlist
/// is asked for. Bounded in number and time; nothing that is not due is looked at.
struct PendingTable: Sendable {
    private var viewers: [String: ViewingSessions.Viewer] = [:]
    private var ids: [ViewingSessions.Viewer: String] = [:]
    private var due = DueQueue<String, NIODeadline>()
    private let maximum: Int
    private let timeout: TimeAmount

    /// - Parameter timeout: in seconds.
    init(maximum: Int, timeout: Double) {
        self.maximum = maximum
        self.timeout = .nanoseconds(Int64(max(0, min(timeout, 1e9)) * 1e9))
    }

    var count: Int { viewers.count }

    /// The id for the viewer's playlist, good for the time-out from now. When there are too many it is not remembered: its
    /// viewer will be admitted as one with an unknown id is, one redirect later.
    mutating func id(for viewer: ViewingSessions.Viewer, now: NIODeadline) -> String {
        removeExpired(now: now)
        let id = ids[viewer] ?? SessionID.make()
        guard viewers[id] != nil || viewers.count < maximum else { return id }
        viewers[id] = viewer
        ids[viewer] = id
        due.set(id, now + timeout)
        return id
    }

    /// The stream that `id` was made for, if this viewer may be admitted under it: the same ticket and app, the stream or a
    /// rendition of it, from the same address.
    func video(of id: String, for viewer: ViewingSessions.Viewer, now: NIODeadline) -> String? {
        guard let pending = viewers[id], let until = due.time(of: id), now < until,
            VideoName.isSame(viewer.video, orFormOf: pending.video)
        else { return nil }
        var viewer = viewer
        viewer.video = pending.video
        return viewer == pending ? pending.video : nil
    }

    mutating func remove(_ id: String) {
        due.remove(id)
        if let viewer = viewers.removeValue(forKey: id) { ids[viewer] = nil }
    }

    /// Some at a time: each call adds at most one id, so what has run out is soon gone.
    private mutating func removeExpired(now: NIODeadline) {
        for _ in 0..<16 {
            guard let id = due.popFirst(notAfter: now) else { return }
            remove(id)
        }
    }
}
