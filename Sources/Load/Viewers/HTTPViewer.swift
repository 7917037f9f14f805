import Basics
import NIOCore

/// An HLS or DASH viewer: the player's state machine, of DASH one for each track, with connections.
///
/// Playlists and media go over connections of their own at low latency, where a reload waits at the server; else over one. With DASH
/// each track has one of its own, since a segment may come as slowly as it is written.
///
/// `@unchecked Sendable`: touched on the load's event loop alone.
final class HTTPViewer: LoadMember, @unchecked Sendable {
    unowned let run: LoadRun
    let meter: LoadMeter
    private let sight: SharedSight
    /// Of the playlist, as soon as that is known the media playlist's.
    private var address: HTTPAddress
    private let wantsLowLatency: Bool
    private let isDASH: Bool
    /// The first one reloads for all.
    private var players: [HLSPlayer]
    /// Where the next reload goes; nil: to the address.
    private var location: String?
    private let begun: NIODeadline
    /// When it had its first playlist: what was there before is not waited for.
    private var watchingSince: NIODeadline?
    private var links: (playlist: HTTPLink?, media: [HTTPLink?])
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

    init(address: HTTPAddress, isDASH: Bool, wantsLowLatency: Bool, sight: SharedSight, run: LoadRun, meter: LoadMeter)
    {
        self.run = run
        self.meter = meter
        self.sight = sight
        self.address = address
        self.wantsLowLatency = wantsLowLatency
        self.isDASH = isDASH
        begun = run.clock()
        players = [HLSPlayer(wantsLowLatency: wantsLowLatency, now: begun)]
        links = (nil, [nil])
        masterDue = begun
    }

    var isLowLatency: Bool { players[0].isLowLatency }
    // A picture without sound waits for it, and the other way round.
    var stalls: Int { players.reduce(0) { max($0, $1.buffer.stalls) } }
    var stalledTime: TimeAmount { players.reduce(.zero) { max($0, $1.buffer.stalledTime) } }
    var isStalled: Bool { players.contains { $0.buffer.isStalled } }

    func sweep(_ now: NIODeadline) {
        guard !state.isOver else { return }
        for index in players.indices { players[index].look(now) }
        let patience = isInMaster ? Self.patience : max(Self.patience, players[0].patience)
        for link in [links.playlist] + links.media {
            if let link, link.isOverdue(now, patience: patience) {
                link.fail("no answer in \(patience.nanoseconds / 1_000_000_000) s")
            }
        }
        pump(now)
    }

    func leave() {
        state = state.isOver ? state : .gone
        for link in [links.playlist] + links.media { link?.fail("") }
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
            ask(.master, at: address.path, over: link(forMedia: nil), now: now)
            return
        }
        if let reload = players[0].nextReload(now: now) {
            let path = location ?? address.adding(query: reload.query).path
            ask(.playlist(reload), at: path, over: link(forMedia: nil), now: now)
        }
        for index in players.indices {
            guard let item = players[index].nextItem(now: now) else { continue }
            askForMedia(item, of: index, now: now)
            if state.isOver { return }
        }
        if players.allSatisfy(\.isFinished) {
            state = .finished
            run.ended(self, problem: nil, meter: meter)
            leave()
        }
    }

    /// - Parameter player: whose media it is for; nil: it is for playlists.
    private func link(forMedia player: Int?) -> HTTPLink {
        let known = player.map { links.media[$0] } ?? links.playlist
        if let known, !known.isClosed { return known }
        let link = HTTPLink(viewer: self)
        if let player { links.media[player] = link } else { links.playlist = link }
        run.connect(to: address.host, address.port, tls: address.isTLS, handler: link) { problem in
            link.fail(problem)
            // Nobody is there, or nothing is left here to go there with: to try again at once would only add to it.
            self.end(problem)
        }
        return link
    }

    private func ask(
        _ subject: HTTPExchange.Subject, at path: String, over link: HTTPLink, now: NIODeadline, again: Bool = false
    ) {
        var request = ByteBuffer()
        request.reserveCapacity(96 + path.utf8.count)
        request.writeString("GET ")
        request.writeString(path)
        request.writeString(" HTTP/1.1\r\nHost: ")
        request.writeString(address.authority)
        request.writeString("\r\nUser-Agent: playhouse-load\r\n\r\n")
        link.ask(HTTPExchange(subject: subject, sent: now, progress: now, isAskedAgain: again), request)
    }

    /// Sends a request once more, over another connection.
    private func askAgain(_ exchange: HTTPExchange, now: NIODeadline) {
        switch exchange.subject {
        case .master:
            ask(exchange.subject, at: address.path, over: link(forMedia: nil), now: now, again: true)
        case .playlist(let reload):
            let path = location ?? address.adding(query: reload.query).path
            ask(exchange.subject, at: path, over: link(forMedia: nil), now: now, again: true)
        case .media(let item, let player):
            askForMedia(item, of: player, now: now, again: true)
        }
    }

    private func askForMedia(_ item: HLSPlayer.Item, of player: Int, now: NIODeadline, again: Bool = false) {
        guard let path = address.path(of: item.uri) else { return end("the playlist leads to another server") }
        let hasOwnLink = players.count > 1 || players[player].isLowLatency
        ask(
            .media(item, player: player), at: path, over: link(forMedia: hasOwnLink ? player : nil), now: now,
            again: again)
    }

    // MARK: Answers

    /// An answer is whole: what others compare themselves with is noted at once, the rest is done with `finish`.
    func note(_ exchange: HTTPExchange) {
        guard exchange.problem == nil, exchange.status == 200, case .media(let item, _) = exchange.subject,
            item.kind != .map
        else { return }
        sight.note(item.uri, at: exchange.progress)
    }

    /// Goes on with an answer, or with what there was instead.
    func finish(_ exchange: HTTPExchange, now: NIODeadline) {
        guard !state.isOver else { return }
        if exchange.mayBeAskedAgain { return askAgain(exchange, now: now) }
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
        case .media(let item, let player):
            finishMedia(exchange, item, isGood: isGood, now: now, player: &players[player])
        }
        for index in players.indices {
            for complaint in players[index].complaints { meter.count(error: complaint.rawValue) }
            players[index].complaints.removeAll(keepingCapacity: true)
        }
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
        self.location = nil
        if isInMaster { masterDue = now } else { players[0].redirected(now: now) }
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
            _ = players[0].nextReload(now: exchange.sent)
            take([playlist], exchange)
        case .presentation(let tracks, let location):
            let player = HLSPlayer(wantsLowLatency: false, now: begun)
            players = Array(repeating: player, count: tracks.count)
            links.media = Array(repeating: nil, count: tracks.count)
            _ = players[0].nextReload(now: exchange.sent)
            self.location = location.flatMap { address.path(of: $0) }
            take(tracks, exchange)
        }
    }

    private func finishPlaylist(_ exchange: HTTPExchange, _ reload: HLSPlayer.Reload, isGood: Bool, now: NIODeadline) {
        guard isGood, let document = read(exchange) else {
            players[0].reloadFailed(now: now)
            if !isGood { playlistFailed(exchange, now: now) }
            return
        }
        if !reload.isBlocking { meter.request.add(exchange.progress - exchange.sent) }
        switch document {
        case .master: end("a media playlist became a master playlist")
        case .media(let playlist): take([playlist], exchange)
        case .presentation(let tracks, let next):
            // What it names lies where it came from.
            if let location { address.path = location }
            location = next.flatMap { address.path(of: $0) }
            take(tracks, exchange)
        }
    }

    private func take(_ playlists: [ClientPlaylist], _ exchange: HTTPExchange) {
        failures = 0
        if watchingSince == nil { watchingSince = exchange.progress }
        // Whoever began with sound alone goes on so.
        guard playlists.count >= players.count else { return end("a track is gone") }
        for index in players.indices { players[index].received(playlists[index], now: exchange.progress) }
    }

    private func read(_ exchange: HTTPExchange) -> ClientDocument? {
        do {
            return try sight.document(exchange.body ?? ByteBuffer(), at: exchange.progress) { bytes in
                guard isDASH else { return try ClientDocument(bytes) }
                return try PresentationReader(now: run.date(exchange.progress), wantsLowLatency: wantsLowLatency)
                    .read(bytes)
            }
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

    private func finishMedia(
        _ exchange: HTTPExchange, _ item: HLSPlayer.Item, isGood: Bool, now: NIODeadline, player: inout HLSPlayer
    ) {
        guard isGood else { return player.fetchFailed(now: now) }
        let done = exchange.progress
        player.fetched(now: done)
        guard item.kind != .map else { return }
        if state == .starting {
            state = .running
            meter.start.add(done - begun)
        }
        if item.kind != .hint { meter.request.add(done - exchange.sent) }
        guard let ready = sight.readiness(of: item.uri), let watchingSince, ready > watchingSince else { return }
        let behind = item.end.map { TimeAmount.microseconds(max(0, run.date(done) - $0)) }
        // An MPD names a segment while that is being written; nobody waits for what is not there.
        meter.wait.add(isDASH ? min(done - ready, behind ?? done - ready) : done - ready)
        if let behind { meter.behind.add(behind) }
    }
}

extension HTTPExchange.Subject {
    /// For reports.
    var name: String {
        switch self {
        case .master: "master playlist"
        case .playlist: "playlist"
        case .media(let item, _):
            switch item.kind {
            case .map: "map"
            case .segment: "segment"
            case .part: "part"
            case .hint: "announced part"
            }
        }
    }
}
