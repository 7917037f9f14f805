import Load
import NIOCore

/// One media playlist as it went on.
struct PlaylistHistory: Sendable {
    let name: String
    private let tolerance: TimeAmount
    private(set) var count = 0
    /// In whole, whatever came.
    private(set) var newest: ClientPlaylist?
    private var newestReceived = NIODeadline.uptimeNanoseconds(0)
    /// Every segment that was ever listed, and the newest one as it stands.
    private var segments: [Int: ClientPlaylist.Segment] = [:]
    /// Where the playlist was known to end, and since when.
    private var edges: [KnownEdge] = []
    /// Playlists that came in whole, by where they end.
    private var whole: [ClientPlaylist.Edge: ClientPlaylist] = [:]
    /// What this answer is found to have wrong.
    private var found: [StrictViolation] = []
    private var longest: Int64 = 0
    /// The least time between a part's end and its coming.
    private var pace: TimeAmount?
    private var firstPlace: (sequence: Int, now: NIODeadline)?
    /// Media that were compared with what is said of them.
    private var judged: Set<String> = []
    private var ends: [String: [UInt32: UInt64]] = [:]
    /// What others have said of it.
    var reported: [(edge: ClientPlaylist.Edge, at: NIODeadline)] = []

    private struct KnownEdge {
        var edge: ClientPlaylist.Edge
        var lastPart: ClientPlaylist.Edge
        var mediaSequence: Int
        var since: NIODeadline
    }

    init(name: String, tolerance: TimeAmount) {
        self.name = name
        self.tolerance = tolerance
    }

    private mutating func found(_ rule: StrictRule, _ text: String) {
        found.append(StrictViolation(rule: rule, text: "\(name): \(text)"))
    }

    /// Where it was known to end before a moment.
    func lastPart(before moment: NIODeadline) -> ClientPlaylist.Edge? {
        edges.last { $0.since < moment }?.lastPart
    }

    /// - Returns: the playlist, if there is one to go on with.
    mutating func take(
        _ exchange: StrictExchange, _ directives: StrictExchange.Directives, media: inout MediaHistory,
        violations: inout [StrictViolation]
    ) -> ClientPlaylist? {
        count += 1
        defer {
            violations += found
            found = []
        }
        guard checkStatus(exchange, directives) else { return nil }
        if !["application/vnd.apple.mpegurl", "audio/mpegurl"].contains(exchange.contentType.lowercased()) {
            found(.contentType, exchange.contentType)
        }
        let came: ClientPlaylist
        do {
            guard case .media(let playlist) = try ClientDocument(exchange.body) else {
                found(.syntax, "it is a master playlist")
                return nil
            }
            came = playlist
        } catch {
            found(.syntax, "\(error)")
            return nil
        }
        guard let playlist = assemble(came, directives) else { return nil }
        checkAlone(playlist, delta: came.skipped > 0)
        checkWaiting(playlist, exchange, directives, media)
        checkReported(playlist, exchange)
        checkChange(playlist, exchange)
        note(playlist, exchange, &media)
        judgeMedia(playlist, &media)
        return playlist
    }

    // MARK: Status

    /// - Returns: whether there is a playlist.
    private mutating func checkStatus(
        _ exchange: StrictExchange, _ directives: StrictExchange.Directives
    ) -> Bool {
        let held = exchange.received - exchange.sent
        if let target = newest?.targetDuration, held > .seconds(3 * Int64(target)) + tolerance {
            found(.heldTooLong, "an answer took \(held.shown)")
        }
        guard let sequence = directives.sequence else {
            if directives.part != nil {
                if exchange.status != 400 { found(.partWithoutSequence, "HTTP \(exchange.status)") }
                return false
            }
            if exchange.status != 200, newest != nil { found(.availability, "HTTP \(exchange.status)") }
            return exchange.status == 200
        }
        let asked = "_HLS_msn=\(sequence)" + (directives.part.map { "&_HLS_part=\($0)" } ?? "")
        if let newest, !newest.isEnded, let edge = newest.edge {
            let isOpen = edge.part != .max
            // Surely too far: beyond the segment that is being written by more than two; surely not: within two of the last whole one.
            let lastWhole = isOpen ? edge.sequence - 1 : edge.sequence
            let limit = advancePartLimit(newest)
            let partIsFar = isOpen && sequence == edge.sequence && (directives.part ?? 0) > edge.part + limit
            let knewIt = newestReceived <= exchange.sent
            if sequence > edge.sequence + 2 || partIsFar {
                if exchange.status != 400 { found(.tooFarAhead, "\(asked) at \(edge) is HTTP \(exchange.status)") }
                return false
            }
            if knewIt, exchange.status == 400, sequence <= lastWhole + 2, (directives.part ?? 0) <= limit {
                found(.refusedWrongly, "\(asked) at \(edge)")
                return false
            }
        }
        if exchange.status == 503, held >= .seconds(3 * Int64(newest?.targetDuration ?? 0)) { return false }
        if exchange.status != 200, exchange.status != 400 {
            found(.availability, "\(asked) is HTTP \(exchange.status)")
        }
        return exchange.status == 200
    }

    /// §6.2.5.2: three parts, or what lasts three seconds if parts are shorter than one.
    private func advancePartLimit(_ playlist: ClientPlaylist) -> Int {
        guard let target = playlist.partTarget, target > 0, target < 1_000_000 else { return 3 }
        return Int((3_000_000 + target - 1) / target)
    }

    // MARK: Deltas (§6.2.5.1)

    /// The playlist in whole.
    private mutating func assemble(
        _ came: ClientPlaylist, _ directives: StrictExchange.Directives
    ) -> ClientPlaylist? {
        guard came.skipped > 0 else { return came }
        guard directives.skips else {
            found(.skip, "segments are left out, and nobody had asked for that")
            return nil
        }
        var playlist = came
        playlist.skipped = 0
        var left: [ClientPlaylist.Segment] = []
        for sequence in came.mediaSequence..<came.mediaSequence + came.skipped {
            guard var known = segments[sequence], !known.isOpen else {
                found(.delta, "segment \(sequence) is left out, and was never there")
                return nil
            }
            // Parts of segments that are far from the end are not listed, and need not be remembered.
            known.parts = []
            left.append(known)
        }
        var map = left.last?.map
        var discontinuity = left.last?.discontinuity ?? came.discontinuitySequence
        for index in playlist.segments.indices {
            map = playlist.segments[index].map ?? map
            playlist.segments[index].map = map
            if playlist.segments[index].isDiscontinuity { discontinuity += 1 }
            playlist.segments[index].discontinuity = discontinuity
        }
        if let boundary = came.serverControl?.canSkipUntil {
            let behind = (left.last?.duration ?? 0) + came.duration(from: 0)
            if behind < boundary {
                found(
                    .skip, "segment \(left.last?.sequence ?? 0) is left out \(behind) µs from the end of the playlist")
            }
        } else {
            found(.skip, "segments are left out without CAN-SKIP-UNTIL")
        }
        playlist.segments = left + playlist.segments
        return playlist
    }

    /// What both have to be alike in.
    private static func comparable(_ playlist: ClientPlaylist) -> ClientPlaylist {
        var playlist = playlist
        // A delta is of a higher version; parts of what is left out are not compared; reports may have gone on.
        playlist.version = 0
        playlist.reports = []
        let last = playlist.segments.count - 1
        for index in playlist.segments.indices where index < last - 3 { playlist.segments[index].parts = [] }
        return playlist
    }

    // MARK: One playlist

    private mutating func checkAlone(_ playlist: ClientPlaylist, delta: Bool) {
        let target = Int64(playlist.targetDuration) * 1_000_000
        let hasParts = playlist.segments.contains { !$0.parts.isEmpty } || !playlist.hintedParts.isEmpty
        let needed = delta ? 9 : playlist.segments.contains { $0.map != nil } ? 6 : 3
        if playlist.version < needed { found(.version, "\(playlist.version) instead of \(needed)") }
        for segment in playlist.segments where !segment.isOpen {
            // Rounded to the nearest integer (§4.4.3.1).
            if (segment.duration + 500_000) / 1_000_000 * 1_000_000 > target {
                found(.targetDuration, "segment \(segment.sequence) has \(segment.duration) µs")
            }
            let parts = segment.parts.reduce(0) { $0 + $1.duration }
            // A part is out before the next frame says exactly when it ends, and many sources count in whole milliseconds.
            if !segment.parts.isEmpty, abs(parts - segment.duration) > 1_000 * Int64(segment.parts.count) {
                found(.partsAddUp, "segment \(segment.sequence): \(parts) µs of \(segment.duration)")
            }
        }
        if hasParts { checkParts(playlist) }
        checkControl(playlist, hasParts: hasParts)
        for segment in playlist.segments {
            let names = [segment.uri].compactMap { $0 } + segment.parts.map(\.uri)
            if segment.map == nil, names.contains(where: { $0.hasSuffix(".m4s") || $0.hasSuffix(".mp4") }) {
                found(.map, "segment \(segment.sequence) has none")
            }
        }
        if playlist.hintedParts.count > 1 { found(.hint, "there are \(playlist.hintedParts.count)") }
        if playlist.isEnded, !playlist.hintedParts.isEmpty { found(.hint, "there is one behind the end") }
        let names = Set(playlist.segments.flatMap { $0.parts.map(\.uri) })
        for hint in playlist.hintedParts where names.contains(hint) { found(.hint, "\(hint) is listed already") }
        for (one, next) in zip(playlist.segments, playlist.segments.dropFirst()) where !next.isDiscontinuity {
            guard let first = one.date, let second = next.date else { continue }
            if abs(second - first - one.duration) > 2_000 {
                found(.programDateTime, "segment \(next.sequence): \(second - first) µs after \(one.duration) µs")
            }
        }
    }

    private mutating func checkParts(_ playlist: ClientPlaylist) {
        guard let target = playlist.partTarget else { return found(.partInformation, "there is none") }
        for segment in playlist.segments {
            for (index, part) in segment.parts.enumerated() {
                if part.duration > target { found(.partTooLong, "\(part.uri): \(part.duration) µs") }
                let isLast = index == segment.parts.count - 1
                // The last one of an open segment need not be its last.
                let mayBeShort = part.isIndependent || (isLast && !segment.isOpen) || part.isGap
                if !mayBeShort, !(isLast && segment.isOpen), part.duration * 100 < target * 85 {
                    found(.partTooShort, "\(part.uri): \(part.duration) µs of \(target)")
                }
            }
        }
    }

    private mutating func checkControl(_ playlist: ClientPlaylist, hasParts: Bool) {
        let target = Int64(playlist.targetDuration) * 1_000_000
        if let holdBack = playlist.serverControl?.holdBack, holdBack < 3 * target {
            found(.serverControl, "HOLD-BACK is \(holdBack) µs")
        }
        if let boundary = playlist.serverControl?.canSkipUntil, boundary < 6 * target {
            found(.serverControl, "CAN-SKIP-UNTIL is \(boundary) µs")
        }
        guard hasParts, let partTarget = playlist.partTarget else { return }
        guard let control = playlist.serverControl, control.canBlockReload || playlist.isEnded else {
            return found(.serverControl, "there is no CAN-BLOCK-RELOAD")
        }
        guard let holdBack = control.partHoldBack else { return found(.serverControl, "there is no PART-HOLD-BACK") }
        // Twice is a must, three times what players want.
        if holdBack < 3 * partTarget { found(.serverControl, "PART-HOLD-BACK is \(holdBack) µs") }
    }

    // MARK: Waiting (§6.2.5.2)

    private mutating func checkWaiting(
        _ playlist: ClientPlaylist, _ exchange: StrictExchange, _ directives: StrictExchange.Directives,
        _ media: MediaHistory
    ) {
        var since: NIODeadline?
        if let sequence = directives.sequence {
            if !playlist.isEnded, !playlist.contains(sequence: sequence, part: directives.part) {
                found(
                    .answeredEarly,
                    "msn \(sequence), part \(directives.part ?? -1), and it ends at \(String(describing: playlist.edge))"
                )
            }
            let wanted = ClientPlaylist.Edge(sequence: sequence, part: directives.part ?? .max)
            since = edges.first { $0.edge >= wanted }?.since
            // Who has the part knows that it is there.
            if let number = directives.part,
                let parts = playlist.segments.first(where: { $0.sequence == sequence })?.parts,
                parts.indices.contains(number), let came = media.bodies[parts[number].uri]?.received
            {
                since = min(since ?? came, came)
            }
            if newest?.isEnded == true { since = newestReceived }
        } else if newest != nil {
            since = exchange.sent
        }
        guard let since else { return }
        let late = exchange.received - max(since, exchange.sent)
        if late > tolerance { found(.answeredLate, "\(late.shown)") }
    }

    private mutating func checkReported(
        _ playlist: ClientPlaylist, _ exchange: StrictExchange
    ) {
        guard let last = playlist.lastPart else { return }
        for report in reported where report.at <= exchange.sent && report.edge > last {
            found(.renditionReport, "it was reported at \(report.edge), and ends at \(last)")
        }
        reported.removeAll { $0.at <= exchange.sent }
    }

    // MARK: From one to the next (§6.2.1, §6.2.2)

    private mutating func checkChange(
        _ playlist: ClientPlaylist, _ exchange: StrictExchange
    ) {
        guard let old = newest else { return }
        if playlist.targetDuration != old.targetDuration {
            found(.targetChanged, "from \(old.targetDuration) to \(playlist.targetDuration)")
        }
        if let before = old.partTarget, let after = playlist.partTarget, before != after {
            found(.targetChanged, "of parts, from \(before) to \(after)")
        }
        for segment in playlist.segments {
            if let before = segments[segment.sequence] {
                checkSegment(segment, before, playlist)
            } else if segment.sequence < old.mediaSequence {
                found(.wentBack, "segment \(segment.sequence) is there again")
            }
        }
        checkHint(playlist, old)
        if playlist.mediaSequence > old.mediaSequence, !playlist.isEnded,
            playlist.duration(from: 0) < 3 * Int64(playlist.targetDuration) * 1_000_000
        {
            found(.window, "it has \(playlist.duration(from: 0)) µs and has lost segments")
        }
        if old.isEnded, exchange.sent >= newestReceived, Self.comparable(playlist) != Self.comparable(old) {
            found(.afterEnd, "it has changed")
        }
        // What was asked for before the newest one came may be older than that.
        guard let known = edges.last(where: { $0.since <= exchange.sent }) else { return }
        if playlist.mediaSequence < known.mediaSequence {
            found(.wentBack, "from \(known.mediaSequence) to \(playlist.mediaSequence)")
        }
        if playlist.edge.map({ $0 < known.edge }) ?? true { found(.wentBack, "its end did") }
    }

    private mutating func checkSegment(
        _ segment: ClientPlaylist.Segment, _ before: ClientPlaylist.Segment, _ playlist: ClientPlaylist
    ) {
        let number = segment.sequence
        if segment.discontinuity != before.discontinuity {
            found(.discontinuity, "of segment \(number), from \(before.discontinuity) to \(segment.discontinuity)")
        }
        // An older playlist may come behind a newer one; where it may not, `wentBack` is found.
        let isOlder = segment.isOpen && !before.isOpen
        let isSame =
            segment.isDiscontinuity == before.isDiscontinuity && segment.map == before.map
            && segment.date == before.date
            && (before.isOpen || isOlder || (segment.uri == before.uri && segment.duration == before.duration))
        if !isSame { found(.segmentChanged, "segment \(number)") }
        if segment.parts.isEmpty, !before.parts.isEmpty {
            guard let index = playlist.segments.firstIndex(where: { $0.sequence == number }) else { return }
            let behind = playlist.duration(from: index) - segment.length
            if behind < 3 * Int64(playlist.targetDuration) * 1_000_000 {
                found(.partsRemoved, "of segment \(number), which ends \(behind) µs from the end of the playlist")
            }
            return
        }
        let shared = min(segment.parts.count, before.parts.count)
        if segment.parts.prefix(shared) != before.parts.prefix(shared)
            || (!segment.isOpen && segment.parts.count < shared)
        {
            found(.partChanged, "of segment \(number)")
        }
        if !before.isOpen, !isOlder, !before.parts.isEmpty, segment.parts.count != before.parts.count {
            found(.partChanged, "segment \(number) had \(before.parts.count) and has \(segment.parts.count)")
        }
    }

    /// What was announced is what came next.
    private mutating func checkHint(_ playlist: ClientPlaylist, _ old: ClientPlaylist) {
        guard let hint = old.hintedParts.first, let edge = old.edge else { return }
        let all = playlist.segments.flatMap { segment in
            segment.parts.enumerated().map {
                (ClientPlaylist.Edge(sequence: segment.sequence, part: $0.offset), $0.element.uri)
            }
        }
        guard let next = all.first(where: { $0.0 > edge }) else { return }
        // Only if no segment whose parts are not listed any more lies between.
        guard next.0.sequence == edge.sequence || (next.0.sequence == edge.sequence + 1 && next.0.part == 0) else {
            return
        }
        if next.1 != hint { found(.hint, "\(hint) was announced, and \(next.1) came") }
    }

    // MARK: What is remembered

    private mutating func note(
        _ playlist: ClientPlaylist, _ exchange: StrictExchange, _ media: inout MediaHistory
    ) {
        let now = exchange.received
        for segment in playlist.segments {
            // What is said to be missing is not there.
            if let uri = segment.uri, !segment.isGap { media.list(uri, at: now) }
            for part in segment.parts where !part.isGap { media.list(part.uri, at: now) }
            if let map = segment.map { media.list(map, at: now) }
            if let before = segments[segment.sequence] {
                guard before.isOpen, !segment.isOpen || segment.parts.count > before.parts.count else { continue }
            }
            segments[segment.sequence] = segment
        }
        for hint in playlist.hintedParts { media.hint(hint, of: name) }
        guard let edge = playlist.edge, let lastPart = playlist.lastPart else { return }
        checkWhole(playlist, at: edge)
        longest = max(longest, playlist.duration(from: 0))
        let isNewer = newest?.edge.map { edge > $0 } ?? true
        guard isNewer || (newest?.isEnded == false && playlist.isEnded) || newest == nil else { return }
        if let old = newest {
            for segment in old.segments where segment.sequence < playlist.mediaSequence {
                guard let uri = segment.uri else { continue }
                media.unlist(uri, until: now + .microseconds(segment.duration + longest))
            }
            for segment in old.segments {
                let isThere = playlist.segments.first { $0.sequence == segment.sequence }?.parts.isEmpty == false
                if !isThere { for part in segment.parts { media.unlist(part.uri, until: now) } }
            }
        }
        newest = playlist
        newestReceived = now
        if isNewer {
            edges.append(KnownEdge(edge: edge, lastPart: lastPart, mediaSequence: playlist.mediaSequence, since: now))
        }
        checkPace(playlist, at: now)
    }

    /// A playlist that came in whole and one that was put together are alike when they end alike.
    private mutating func checkWhole(
        _ playlist: ClientPlaylist, at edge: ClientPlaylist.Edge
    ) {
        let comparable = Self.comparable(playlist)
        if let other = whole[edge], other.isEnded == playlist.isEnded, other.mediaSequence == playlist.mediaSequence {
            if other != comparable { found(.delta, "two playlists that end at \(edge) are not alike") }
            return
        }
        whole[edge] = comparable
        if whole.count > 200, let oldest = whole.keys.min() { whole[oldest] = nil }
    }

    /// Parts come as fast as they play.
    private mutating func checkPace(
        _ playlist: ClientPlaylist, at now: NIODeadline
    ) {
        guard let last = playlist.segments.last, !playlist.isEnded, playlist.partTarget != nil else { return }
        guard let first = firstPlace else {
            firstPlace = (playlist.mediaSequence, now)
            return checkPace(playlist, at: now)
        }
        var media: Int64 = 0
        for sequence in first.sequence..<last.sequence {
            // Something was missed in between.
            guard let segment = segments[sequence], !segment.isOpen else { return }
            media += segment.duration
        }
        media += last.length
        let offset = (now - first.now) - .microseconds(media)
        let best = min(pace ?? offset, offset)
        if offset - best > tolerance {
            found(
                .partLate, "the end \(String(describing: playlist.edge)) came \((offset - best).shown) after its time")
        } else if let pace, pace - offset > tolerance {
            found(
                .partEarly, "the end \(String(describing: playlist.edge)) came \((pace - offset).shown) before its time"
            )
        }
        pace = best
    }
}

// MARK: Media

extension PlaylistHistory {
    /// Compares what is said of media with their bytes, as far as they have come.
    fileprivate mutating func judgeMedia(
        _ playlist: ClientPlaylist, _ media: inout MediaHistory
    ) {
        for segment in playlist.segments {
            guard let map = segment.map, let facts = media.facts(ofMap: map, violations: &found) else { continue }
            let begins = segment.isDiscontinuity || segment.sequence == playlist.segments.first?.sequence
            for (index, part) in segment.parts.enumerated() {
                judge(
                    part.uri, duration: part.duration, index == 0 && playlist.hasIndependentSegments,
                    said: part.isIndependent, after: previous(of: index, in: segment, playlist),
                    begins: begins && index == 0, facts, media)
            }
            guard let uri = segment.uri else { continue }
            judge(
                uri, duration: segment.duration, playlist.hasIndependentSegments, said: nil, after: nil, begins: begins,
                facts, media)
            let listed = segment.parts.filter { !$0.isGap }
            let parts = listed.compactMap { media.bodies[$0.uri]?.body }
            if let body = media.bodies[uri]?.body, !parts.isEmpty, parts.count == listed.count,
                judged.insert("\(uri) and its parts").inserted
            {
                var all = ByteBuffer()
                for part in parts { all.writeImmutableBuffer(part) }
                if all != body {
                    found(
                        .bytes,
                        "\(uri) has \(body.readableBytes) bytes, and its parts have \(all.readableBytes), not alike")
                }
            }
        }
    }

    /// The part before; nil behind a discontinuity.
    private func previous(of index: Int, in segment: ClientPlaylist.Segment, _ playlist: ClientPlaylist) -> String? {
        if index > 0 { return segment.parts[index - 1].uri }
        guard !segment.isDiscontinuity else { return nil }
        return playlist.segments.first { $0.sequence == segment.sequence - 1 }?.parts.last?.uri
    }

    /// - Parameters:
    ///   - mustBegin: whether it has to begin with a picture that can be decoded alone.
    ///   - said: `INDEPENDENT`; nil of segments.
    ///   - begins: the stream, or another timeline, begins with it.
    private mutating func judge(
        _ uri: String, duration: Int64, _ mustBegin: Bool, said: Bool?, after: String?, begins: Bool,
        _ map: MapFacts, _ media: MediaHistory
    ) {
        guard let body = media.bodies[uri]?.body, judged.insert(uri).inserted else { return }
        let facts: FragmentFacts
        do {
            facts = try FragmentFacts(body, map: map)
        } catch {
            return found(.bytes, "\(uri): \(error)")
        }
        let videos = facts.runs.filter { map.tracks[$0.key]?.isVideo == true }
        let hasVideo = map.tracks.values.contains(where: \.isVideo)
        // Without pictures everything can be decoded alone.
        let isIndependent = hasVideo ? videos.values.contains(where: \.hasSync) : true
        if let said, said != isIndependent {
            found(.independent, "\(uri): INDEPENDENT is \(said ? "YES" : "left out")")
        }
        if videos.values.contains(where: { $0.falseSyncs > 0 }) {
            found(.independent, "\(uri): a sync sample holds no keyframe")
        }
        if mustBegin, hasVideo, !videos.values.contains(where: \.beginsWithSync) {
            found(.independentSegments, "\(uri): it does not begin with a keyframe")
        }
        // As long as one of its tracks, and a frame more or less: at the end of a stream one may be longer than the other.
        let lengths = facts.runs.map { id, run in
            Double(run.end - run.start) / Double(map.tracks[id]?.timescale ?? 1) * 1e6
        }
        // Audio alone may begin later than the video that it belongs to.
        let isLate = begins && !hasVideo
        if !lengths.contains(where: { abs($0 - Double(duration)) <= 50_000 || isLate && $0 < Double(duration) }) {
            found(.mediaDuration, "\(uri): \(lengths.map { Int($0) }) µs, and \(duration) are said")
        }
        ends[uri] = facts.runs.mapValues(\.end)
        guard let after, let before = ends[after] else { return }
        for (id, run) in facts.runs {
            let millisecond = UInt64(map.tracks[id]?.timescale ?? 0) / 1_000
            guard let end = before[id], max(end, run.start) - min(end, run.start) > millisecond else { continue }
            found(.mediaTimeline, "\(uri): track \(id) goes on at \(run.start) after \(end)")
        }
    }
}
