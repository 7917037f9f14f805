import NIOCore
import Testing

@testable import Load

/// What a player asks for, and when, with playlists of a server that does everything right.
@Suite struct HLSPlayerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func playlist(_ parts: Int, isEnded: Bool = false, skips: Bool = false) throws -> ClientPlaylist {
        guard
            case .media(let playlist) = try ClientDocument(
                SyntheticServer().text(parts, isEnded: isEnded, skips: skips))
        else { throw LoadProblem("no media playlist") }
        return playlist
    }

    /// What it asks for when everything comes at once.
    private func items(_ player: inout HLSPlayer, now: NIODeadline, upTo count: Int = 100) -> [String] {
        var names: [String] = []
        while names.count < count, let item = player.nextItem(now: now) {
            names.append(item.uri)
            if item.kind == .hint { break }
            player.fetched(now: now)
        }
        return names
    }

    @Test("At low latency it begins at an independent part behind the hold-back, and asks for what is announced")
    func beginsBehindTheHoldBack() throws {
        var player = HLSPlayer(wantsLowLatency: true, now: start)
        #expect(player.nextReload(now: start) == HLSPlayer.Reload())
        #expect(player.nextReload(now: start) == nil)
        // Parts 40 and 41 are of an open segment: the hold-back of 1.5 s leads into the segment before.
        player.received(try playlist(42), now: start)
        #expect(player.isLowLatency)
        #expect(items(&player, now: start) == ["init_0.mp4"] + (36...42).map { "part_\($0).m4s" })
        #expect(player.nextReload(now: start) == HLSPlayer.Reload(sequence: 10, part: 2, skips: true))
        #expect(player.nextItem(now: start) == nil)
        #expect(player.buffer.stalls == 0)
    }

    @Test("It goes on from part to part over the end of a segment, whichever of playlist and part comes first")
    func goesOnOverSegments() throws {
        var player = HLSPlayer(wantsLowLatency: true, now: start)
        _ = player.nextReload(now: start)
        player.received(try playlist(42), now: start)
        _ = items(&player, now: start)
        var asked: [String] = []
        for parts in 43...50 {
            let now = start + .milliseconds(Int64(parts - 42) * 500)
            let reload = player.nextReload(now: now)
            let wanted = (parts - 1).quotientAndRemainder(dividingBy: 4)
            // Behind a whole segment the first part of the next one is waited for.
            #expect(reload == HLSPlayer.Reload(sequence: wanted.quotient, part: wanted.remainder, skips: true))
            if parts % 2 == 0 {
                player.fetched(now: now)
                player.received(try playlist(parts, skips: true), now: now)
            } else {
                player.received(try playlist(parts, skips: true), now: now)
                player.fetched(now: now)
            }
            asked += items(&player, now: now)
        }
        #expect(asked == (43...50).map { "part_\($0).m4s" })
        #expect(player.complaints == [])
        player.look(start + .seconds(4))
        #expect(player.buffer.stalls == 0)
    }

    @Test("Without low latency it begins three target durations from the end and reloads by the clock")
    func plain() throws {
        var player = HLSPlayer(wantsLowLatency: false, now: start)
        #expect(player.nextReload(now: start) == HLSPlayer.Reload())
        player.received(try playlist(42), now: start + .milliseconds(100))
        #expect(!player.isLowLatency)
        #expect(items(&player, now: start) == ["init_0.mp4", "media_7.m4s", "media_8.m4s", "media_9.m4s"])
        // A target duration after the last one was asked for; half of it when nothing was new.
        #expect(player.nextReload(now: start + .milliseconds(1_999)) == nil)
        #expect(player.nextReload(now: start + .seconds(2)) == HLSPlayer.Reload())
        player.received(try playlist(42), now: start + .seconds(2))
        #expect(player.deadline == start + .seconds(3))
        #expect(player.nextReload(now: start + .seconds(3)) != nil)
        player.received(try playlist(44), now: start + .seconds(3))
        #expect(items(&player, now: start + .seconds(3)) == ["media_10.m4s"])
        #expect(player.deadline == start + .seconds(5))
    }

    @Test("A player whose media do not come stalls when its buffer is empty, and goes on when enough is there")
    func stalls() throws {
        var player = HLSPlayer(wantsLowLatency: false, now: start)
        _ = player.nextReload(now: start)
        player.received(try playlist(40), now: start)
        _ = items(&player, now: start)
        // Six seconds are there; at the tenth the next two come.
        player.look(start + .seconds(6))
        #expect(player.buffer.stalls == 0)
        player.look(start + .seconds(9))
        #expect(player.buffer.stalls == 1 && player.buffer.isStalled)
        #expect(player.buffer.stalledTime == .seconds(3))
        _ = player.nextReload(now: start + .seconds(9))
        player.received(try playlist(44), now: start + .seconds(10))
        _ = items(&player, now: start + .seconds(10))
        #expect(player.buffer.stalledTime == .seconds(4) && !player.buffer.isStalled)
        player.look(start + .seconds(12))
        #expect(player.buffer.stalls == 1)
    }

    @Test("At the end of the playlist it is done, and what runs dry then is no stall")
    func ends() throws {
        for wantsLowLatency in [true, false] {
            var player = HLSPlayer(wantsLowLatency: wantsLowLatency, now: start)
            _ = player.nextReload(now: start)
            player.received(try playlist(44, isEnded: true), now: start)
            #expect(!player.isFinished)
            #expect(items(&player, now: start).last == (wantsLowLatency ? "part_43.m4s" : "media_10.m4s"))
            #expect(player.isFinished)
            #expect(player.deadline == nil && player.nextReload(now: start + .seconds(60)) == nil)
            player.look(start + .seconds(60))
            #expect(player.buffer.stalls == 0)
        }
    }

    @Test("What a server does wrong is complained of")
    func complaints() throws {
        var player = HLSPlayer(wantsLowLatency: true, now: start)
        func reload(_ playlist: ClientPlaylist, after seconds: Int64) -> [HLSPlayer.Complaint] {
            let now = start + .seconds(seconds)
            _ = player.nextReload(now: now)
            player.received(playlist, now: now)
            _ = items(&player, now: now)
            defer { player.complaints = [] }
            return player.complaints
        }
        #expect(reload(try playlist(42), after: 0) == [])
        #expect(reload(try playlist(42), after: 1) == [.answeredEarly])
        #expect(reload(try playlist(42), after: 7) == [.answeredEarly, .noUpdate])
        #expect(reload(try playlist(41), after: 8) == [.wentBack, .answeredEarly])
        // Another part than the announced one comes.
        player.fetched(now: start + .seconds(8))
        var other = try playlist(43)
        other.segments[other.segments.count - 1].parts[2].uri = "other.m4s"
        #expect(reload(other, after: 9) == [.hintMissed])
        // A viewer that was away for long.
        player.fetched(now: start + .seconds(9))
        #expect(reload(try playlist(80), after: 20) == [.leftBehind])
    }

    @Test("A hint that is refused is not asked for again, and its part is when it is listed")
    func refusedHint() throws {
        var player = HLSPlayer(wantsLowLatency: true, now: start)
        _ = player.nextReload(now: start)
        player.received(try playlist(42), now: start)
        _ = items(&player, now: start)
        player.fetchFailed(now: start)
        #expect(player.nextItem(now: start) == nil)
        _ = player.nextReload(now: start)
        player.received(try playlist(43), now: start)
        #expect(items(&player, now: start) == ["part_42.m4s", "part_43.m4s"])
    }
}
