import NIOCore

/// A player of one HLS stream, or of one track of a DASH presentation, without I/O and clock: playlists and what was fetched go in with the time, requests come out.
///
/// It asks for one thing at a time on each of two ways, playlists and media. Where a server offers low latency, a reload waits at the
/// server for the next part, and the part that is announced is asked for before it is there (RFC 8216bis §6.2.5.2, §4.4.5.3).
struct HLSPlayer: Sendable {
    /// What a reload says to the server.
    struct Reload: Sendable, Hashable {
        /// `_HLS_msn` and `_HLS_part`.
        var sequence: Int?
        var part: Int?
        /// `_HLS_skip`.
        var skips = false

        var isBlocking: Bool { sequence != nil }
    }

    /// Something to fetch.
    struct Item: Sendable, Hashable {
        enum Kind: Sendable { case map, segment, part, hint }

        var uri: String
        var kind: Kind
        var sequence = 0
        var part = 0
        /// Microseconds; 0 of a hint, whose length is not known yet.
        var duration: Int64 = 0
        /// When its media ends, in microseconds since 1970, as far as the playlist says.
        var end: Int64?
    }

    /// Something that a player has reason to complain of.
    enum Complaint: String, Sendable, CaseIterable {
        /// The announced part is not the one that came.
        case hintMissed = "the announced part did not come"
        /// What is wanted next has left the playlist.
        case leftBehind = "what comes next has left the playlist"
        /// The playlist has not what was waited for.
        case answeredEarly = "a playlist that was waited for came without what was waited for"
        case wentBack = "the playlist went back"
        case noUpdate = "the playlist has not changed for three target durations"
    }

    private let wantsLowLatency: Bool
    private var playlist: ClientPlaylist?
    /// What is wanted next: a whole segment, or its parts from this one on.
    private var sequence = 0
    private var part = 0
    private var hasBegun = false
    private var isFetching: Item?
    private var isReloading = false
    private var lastReload = Reload()
    private var reloadDue: NIODeadline
    private var lastChange: NIODeadline
    private var reloadSent: NIODeadline
    private var map: String?
    /// A hint that has come before the playlist has named it.
    private var fetchedHint: Item?
    /// One that was refused, and is not asked for again as a hint.
    private var failedHint: String?
    private(set) var buffer = PlaybackBuffer()
    /// Taken by whoever counts them.
    var complaints: [Complaint] = []

    /// - Parameter wantsLowLatency: false: as a player that knows nothing of parts.
    init(wantsLowLatency: Bool, now: NIODeadline) {
        self.wantsLowLatency = wantsLowLatency
        reloadDue = now
        lastChange = now
        reloadSent = now
    }

    /// Whether it plays at low latency; known with the first playlist.
    var isLowLatency: Bool {
        guard wantsLowLatency, let playlist else { return false }
        return playlist.partTarget != nil && playlist.serverControl?.canBlockReload == true
    }

    /// The playlist is over and everything is fetched.
    var isFinished: Bool {
        guard let playlist, playlist.isEnded, isFetching == nil else { return false }
        return playlist.edge.map { sequence > $0.sequence } ?? true
    }

    /// When ``nextReload(now:)`` is to be asked again; nil while a reload is under way or none will be.
    var deadline: NIODeadline? {
        isReloading || playlist?.isEnded == true ? nil : reloadDue
    }

    /// How long a server may leave a playlist unanswered: three target durations (§6.2.5.2), and some seconds.
    var patience: TimeAmount {
        .seconds(3 * Int64(playlist?.targetDuration ?? 2) + 5)
    }

    // MARK: Playlists

    /// The reload that is due, if one is.
    mutating func nextReload(now: NIODeadline) -> Reload? {
        guard let deadline, deadline <= now else { return nil }
        isReloading = true
        reloadSent = now
        lastReload = Reload()
        if isLowLatency, let playlist, let edge = playlist.edge {
            // Parts of a segment that is whole are complete; the next one is the first of the next segment.
            lastReload.sequence = edge.part == .max ? edge.sequence + 1 : edge.sequence
            lastReload.part = edge.part == .max ? 0 : edge.part + 1
            lastReload.skips = playlist.serverControl?.canSkipUntil != nil
        }
        return lastReload
    }

    /// A playlist has come.
    mutating func received(_ new: ClientPlaylist, now: NIODeadline) {
        isReloading = false
        let old = playlist
        let isNew = old?.edge != new.edge || old?.isEnded != new.isEnded
        if isNew { lastChange = now }
        if let before = old?.edge, let edge = new.edge, edge < before { complaints.append(.wentBack) }
        if let wanted = lastReload.sequence, !new.isEnded,
            new.edge.map({ $0 < ClientPlaylist.Edge(sequence: wanted, part: lastReload.part ?? .max) }) ?? true
        {
            complaints.append(.answeredEarly)
        }
        let target = TimeAmount.seconds(Int64(max(1, new.targetDuration)))
        if old != nil, !isNew, now - lastChange > target * 3 {
            complaints.append(.noUpdate)
            lastChange = now
        }
        playlist = new
        if isLowLatency {
            // The server holds the answer back. If it has nothing new, it is not asked at once again.
            reloadDue = isNew ? now : now + .milliseconds(100)
        } else {
            // §6.3.4: a target duration after the last time, or half of it when nothing had changed.
            let pause =
                new.reloadPeriod.map { .microseconds($0) }
                ?? (isNew ? target : TimeAmount.nanoseconds(target.nanoseconds / 2))
            reloadDue = max(now, reloadSent + pause)
        }
        if !hasBegun { begin(new) }
        settleHint(now)
    }

    /// A reload has failed; it is tried again in a second.
    mutating func reloadFailed(now: NIODeadline) {
        isReloading = false
        reloadDue = now + .seconds(1)
    }

    /// The playlist is somewhere else, and asked for there at once.
    mutating func redirected(now: NIODeadline) {
        isReloading = false
        reloadDue = now
    }

    /// Chooses the place to begin at: the hold-back from the end (§4.4.3.8), at a part or segment that can be played alone.
    private mutating func begin(_ new: ClientPlaylist) {
        guard let last = new.segments.indices.last else { return }
        hasBegun = true
        let target = Int64(new.targetDuration) * 1_000_000
        var behind: Int64 = 0
        if isLowLatency, let partTarget = new.partTarget {
            let holdBack = new.serverControl?.partHoldBack ?? 3 * partTarget
            buffer.begin(with: .microseconds(min(holdBack, new.duration(from: 0))))
            for index in new.segments.indices.reversed() {
                let segment = new.segments[index]
                for (number, part) in segment.parts.enumerated().reversed() {
                    behind += part.duration
                    guard behind >= holdBack, part.isIndependent else { continue }
                    (sequence, self.part) = (segment.sequence, number)
                    return
                }
                if segment.parts.isEmpty { behind += segment.length }
                if behind >= holdBack || index == 0 {
                    (sequence, self.part) = (segment.sequence, 0)
                    return
                }
            }
            return
        }
        let holdBack = new.serverControl?.holdBack ?? 3 * target
        for index in (0...last).reversed() where !new.segments[index].isOpen {
            behind += new.segments[index].duration
            sequence = new.segments[index].sequence
            if behind >= holdBack { break }
        }
        if new.segments[last].isOpen, last == 0 { sequence = new.segments[0].sequence }
        // A player begins with the first whole segment; the hold-back is then in its buffer at once.
        buffer.begin(with: .microseconds(1))
    }

    // MARK: Media

    /// What is to be fetched next; nil while something is under way or nothing is known to be next.
    mutating func nextItem(now: NIODeadline) -> Item? {
        guard isFetching == nil, fetchedHint == nil, hasBegun else { return nil }
        let item = isLowLatency ? nextPart() : nextSegment()
        if let item, item.kind != .map, let wanted = wantedMap, wanted != map {
            isFetching = Item(uri: wanted, kind: .map)
        } else {
            isFetching = item
        }
        if isFinished { buffer.complete(now: now) }
        return isFetching
    }

    /// The map of what is wanted next.
    private var wantedMap: String? {
        guard let playlist, let last = playlist.segments.last else { return nil }
        return playlist.segments.first { $0.sequence == sequence }?.map ?? last.map
    }

    private mutating func nextSegment() -> Item? {
        guard let playlist, let segment = catchUp(playlist), let uri = segment.uri else { return nil }
        return Item(
            uri: uri, kind: .segment, sequence: sequence, duration: segment.duration,
            end: segment.date.map { $0 + segment.duration })
    }

    private mutating func nextPart() -> Item? {
        guard let playlist else { return nil }
        while let segment = catchUp(playlist) {
            if part < segment.parts.count {
                let next = segment.parts[part]
                let end = segment.date.map { $0 + segment.parts[...part].reduce(0) { $0 + $1.duration } }
                return Item(
                    uri: next.uri, kind: .part, sequence: sequence, part: part, duration: next.duration, end: end)
            }
            if let uri = segment.uri, segment.parts.isEmpty, part == 0 {
                return Item(
                    uri: uri, kind: .segment, sequence: sequence, duration: segment.duration,
                    end: segment.date.map { $0 + segment.duration })
            }
            guard !segment.isOpen else { break }
            (sequence, part) = (sequence + 1, 0)
        }
        guard !playlist.isEnded else { return nil }
        guard let uri = playlist.hintedParts.first, uri != failedHint else { return nil }
        return Item(uri: uri, kind: .hint, sequence: sequence, part: part)
    }

    /// The segment that is wanted next. One that has gone is left out.
    private mutating func catchUp(_ playlist: ClientPlaylist) -> ClientPlaylist.Segment? {
        guard let first = playlist.segments.first else { return nil }
        // What a delta update leaves out is still there, but its address is not known any more.
        if sequence < first.sequence {
            complaints.append(.leftBehind)
            (sequence, part) = (first.sequence, 0)
        }
        let index = sequence - first.sequence
        return playlist.segments.indices.contains(index) ? playlist.segments[index] : nil
    }

    /// What ``nextItem(now:)`` gave has come in whole.
    mutating func fetched(now: NIODeadline) {
        guard let item = isFetching else { return }
        isFetching = nil
        switch item.kind {
        case .map:
            map = item.uri
        case .segment, .part:
            advance(past: item, now: now)
        case .hint:
            fetchedHint = item
            settleHint(now)
        }
    }

    /// What ``nextItem(now:)`` gave does not come; it is left out.
    mutating func fetchFailed(now: NIODeadline) {
        guard let item = isFetching else { return }
        isFetching = nil
        switch item.kind {
        case .map:
            map = item.uri
        case .segment, .part:
            advance(past: item, now: now, isThere: false)
        case .hint:
            // The playlist will say what became of it.
            failedHint = item.uri
        }
    }

    private mutating func advance(past item: Item, now: NIODeadline, isThere: Bool = true) {
        if isThere { buffer.append(.microseconds(item.duration), now: now) }
        (sequence, part) = item.kind == .segment ? (item.sequence + 1, 0) : (item.sequence, item.part + 1)
    }

    /// Finds the place of a part that had come before the playlist named it.
    private mutating func settleHint(_ now: NIODeadline) {
        guard let hint = fetchedHint, let playlist else { return }
        for segment in playlist.segments {
            guard let number = segment.parts.firstIndex(where: { $0.uri == hint.uri }) else { continue }
            (sequence, part) = (segment.sequence, number + 1)
            fetchedHint = nil
            buffer.append(.microseconds(segment.parts[number].duration), now: now)
            return
        }
        // The playlist goes on with something else than what it had announced.
        if playlist.isEnded || playlist.hintedParts.first != hint.uri {
            fetchedHint = nil
            // Parts that are far from the end are not listed any more.
            if playlist.segments.contains(where: { $0.sequence == sequence && !$0.parts.isEmpty }) {
                complaints.append(.hintMissed)
            }
        }
    }

    /// Lets the time go by in the buffer.
    mutating func look(_ now: NIODeadline) {
        buffer.look(now)
    }
}
