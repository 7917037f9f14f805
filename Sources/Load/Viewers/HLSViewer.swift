import Basics
import NIOCore

/// An HLS viewer: the player's state machine, with connections.
///
/// Playlists and media go over connections of their own at low latency, where a reload waits at the server; else over one.
///
/// `@unchecked Sendable`: touched on the load's event loop alone.
final class HLSViewer: LoadMember, @unchecked Sendable {
    unowned let run: LoadRun
    let meter: LoadMeter
    private let sight: SharedSight
    /// Of the playlist, as soon as that is known the media playlist's.
    private var address: HTTPAddress
    private let wantsLowLatency: Bool
    private var player: HLSPlayer
    private let begun: NIODeadline
    /// When it had its first playlist: what was there before is not waited for.
    private var watchingSince: NIODeadline?
    private var links: (playlist: HTTPLink?, media: HTTPLink?)
    private(set) var state = MemberState.starting
    private var isInMaster = true
    private var masterDue: NIODeadline?
    private var failures = 0
    private var redirects = 0

    static let mostRedirects = 5
    /// So many playlists in a row that fail, and a viewer gives up.
    static let mostFailures = 5
    /// How long a master playlist, or media that is not waited for, may take without a byte.
    static let patience = TimeAmount.seconds(10)

    init(address: HTTPAddress, wantsLowLatency: Bool, sight: SharedSight, run: LoadRun, meter: LoadMeter) {
        self.run = run
        self.meter = meter
        self.sight = sight
        self.address = address
        self.wantsLowLatency = wantsLowLatency
        begun = run.clock()
        player = HLSPlayer(wantsLowLatency: wantsLowLatency, now: begun)
        masterDue = begun
    }

    var isLowLatency: Bool { player.isLowLatency }
    var stalls: Int { player.buffer.stalls }
    var stalledTime: TimeAmount { player.buffer.stalledTime }
    var isStalled: Bool { player.buffer.isStalled }

    func sweep(_ now: NIODeadline) {
        guard !state.isOver else { return }
        player.look(now)
        for link in [links.playlist, links.media] {
            let patience = isInMaster ? Self.patience : max(Self.patience, player.patience)
            if let link, link.isOverdue(now, patience: patience) {
                link.fail("no answer in \(patience.nanoseconds / 1_000_000_000) s")
            }
        }
        pump(now)
    }

    func leave() {
        state = state.isOver ? state : .gone
        links.playlist?.fail("")
        links.media?.fail("")
    }

    private func end(_ problem: String) {
        guard !state.isOver else { return }
        state = .gone
        run.ended(self, problem: problem, meter: meter)
        leave()
    }

    // MARK: Requests

    /// Sends what is due.
    func pump(_ now: NIODeadline) {
        guard !state.isOver else { return }
        if isInMaster {
            guard let due = masterDue, due <= now else { return }
            masterDue = nil
            ask(.master, at: address.path, over: link(forMedia: false), now: now)
            return
        }
        if let reload = player.nextReload(now: now) {
            let path = address.adding(query: reload.query).path
            ask(.playlist(reload), at: path, over: link(forMedia: false), now: now)
        }
        if let item = player.nextItem(now: now) {
            guard let path = address.path(of: item.uri) else { return end("the playlist leads to another server") }
            ask(.media(item), at: path, over: link(forMedia: player.isLowLatency), now: now)
        }
        if player.isFinished {
            state = .finished
            run.ended(self, problem: nil, meter: meter)
            leave()
        }
    }

    private func link(forMedia: Bool) -> HTTPLink {
        let known = forMedia ? links.media : links.playlist
        if let known, !known.isClosed { return known }
        let link = HTTPLink(viewer: self)
        if forMedia { links.media = link } else { links.playlist = link }
        run.connect(to: address.host, address.port, tls: address.isTLS, handler: link) { problem in
            link.fail(problem)
            // Nobody is there, or nothing is left here to go there with: to try again at once would only add to it.
            self.end(problem)
        }
        return link
    }

    private func ask(_ subject: HTTPExchange.Subject, at path: String, over link: HTTPLink, now: NIODeadline) {
        var request = ByteBuffer()
        request.reserveCapacity(96 + path.utf8.count)
        request.writeString("GET ")
        request.writeString(path)
        request.writeString(" HTTP/1.1\r\nHost: ")
        request.writeString(address.authority)
        request.writeString("\r\nUser-Agent: playhouse-load\r\n\r\n")
        link.ask(HTTPExchange(subject: subject, sent: now, progress: now), request)
    }

    // MARK: Answers

    /// An answer is whole: what others compare themselves with is noted at once, the rest is done with `finish`.
    func note(_ exchange: HTTPExchange) {
        guard exchange.problem == nil, exchange.status == 200, case .media(let item) = exchange.subject,
            item.kind != .map
        else { return }
        sight.note(item.uri, at: exchange.progress)
    }

    /// Goes on with an answer, or with what there was instead.
    func finish(_ exchange: HTTPExchange, now: NIODeadline) {
        guard !state.isOver else { return }
        if isRedirected(exchange, now: now) { return pump(now) }
        if let problem = exchange.problem {
            if !problem.isEmpty { meter.count(error: "\(problem) (\(exchange.subject.name))") }
        } else {
            meter.answers += 1
            if exchange.status != 200 { meter.count(error: "HTTP \(exchange.status) (\(exchange.subject.name))") }
        }
        let isGood = exchange.problem == nil && exchange.status == 200
        switch exchange.subject {
        case .master: finishMaster(exchange, isGood: isGood, now: now)
        case .playlist(let reload): finishPlaylist(exchange, reload, isGood: isGood, now: now)
        case .media(let item): finishMedia(exchange, item, isGood: isGood, now: now)
        }
        for complaint in player.complaints { meter.count(error: complaint.rawValue) }
        player.complaints.removeAll(keepingCapacity: true)
        pump(now)
    }

    /// A playlist is somewhere else.
    private func isRedirected(_ exchange: HTTPExchange, now: NIODeadline) -> Bool {
        guard exchange.problem == nil, exchange.subject.isKept, let location = exchange.location,
            redirects < Self.mostRedirects, let path = address.path(of: location)
        else { return false }
        redirects += 1
        meter.answers += 1
        address.path = path
        if isInMaster { masterDue = now } else { player.redirected(now: now) }
        return true
    }

    private func finishMaster(_ exchange: HTTPExchange, isGood: Bool, now: NIODeadline) {
        guard isGood else { return playlistFailed(exchange, now: now) }
        guard let document = read(exchange) else { return }
        meter.request.add(exchange.progress - exchange.sent)
        isInMaster = false
        switch document {
        case .master(let variants):
            guard let first = variants.first, let path = address.path(of: first) else {
                return end("the master playlist leads nowhere")
            }
            address.path = path
        case .media(let playlist):
            // It need not be asked for again: the first reload has come already.
            _ = player.nextReload(now: exchange.sent)
            take(playlist, exchange)
        }
    }

    private func finishPlaylist(_ exchange: HTTPExchange, _ reload: HLSPlayer.Reload, isGood: Bool, now: NIODeadline) {
        guard isGood else {
            player.reloadFailed(now: now)
            return playlistFailed(exchange, now: now)
        }
        guard let document = read(exchange) else { return player.reloadFailed(now: now) }
        guard case .media(let playlist) = document else { return end("a media playlist became a master playlist") }
        if !reload.isBlocking { meter.request.add(exchange.progress - exchange.sent) }
        take(playlist, exchange)
    }

    private func take(_ playlist: ClientPlaylist, _ exchange: HTTPExchange) {
        failures = 0
        if watchingSince == nil { watchingSince = exchange.progress }
        player.received(playlist, now: exchange.progress)
    }

    private func read(_ exchange: HTTPExchange) -> ClientDocument? {
        do {
            return try sight.document(exchange.body ?? ByteBuffer(), at: exchange.progress)
        } catch {
            meter.count(error: "a playlist cannot be read: \(error)")
            playlistFailed(exchange, now: exchange.progress)
            return nil
        }
    }

    /// A refusal ends it; anything else is tried again some times.
    private func playlistFailed(_ exchange: HTTPExchange, now: NIODeadline) {
        failures += 1
        if (400..<500).contains(exchange.status), exchange.status != 404, exchange.status != 429 {
            return end("refused: HTTP \(exchange.status)")
        }
        if failures >= Self.mostFailures { return end("gave up after \(failures) playlists that did not come") }
        if isInMaster { masterDue = now + .seconds(1) }
    }

    private func finishMedia(_ exchange: HTTPExchange, _ item: HLSPlayer.Item, isGood: Bool, now: NIODeadline) {
        guard isGood else { return player.fetchFailed(now: now) }
        let done = exchange.progress
        player.fetched(now: done)
        guard item.kind != .map else { return }
        if state == .starting {
            state = .running
            meter.start.add(done - begun)
        }
        if item.kind != .hint { meter.request.add(done - exchange.sent) }
        if let ready = sight.readiness(of: item.uri), let watchingSince, ready > watchingSince {
            meter.wait.add(done - ready)
            if let end = item.end {
                let now = run.date(done)
                meter.behind.add(.microseconds(max(0, now - end)))
            }
        }
    }
}

extension HTTPExchange.Subject {
    /// For reports.
    var name: String {
        switch self {
        case .master: "master playlist"
        case .playlist: "playlist"
        case .media(let item):
            switch item.kind {
            case .map: "map"
            case .segment: "segment"
            case .part: "part"
            case .hint: "announced part"
            }
        }
    }
}
