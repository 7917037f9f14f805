import Load
import NIOCore
import StrictHLSClient
import Testing

/// A server that does one thing wrong, and what it is called.
struct Wrong: Sendable, CustomTestStringConvertible {
    var rule: StrictRule
    var testDescription: String
    /// What follows of it.
    var also: Set<StrictRule> = []
    var server: @Sendable () -> SyntheticServer

    init(
        _ rule: StrictRule, _ description: String, also: Set<StrictRule> = [],
        _ change: @escaping @Sendable (inout SyntheticServer) -> Void
    ) {
        self.rule = rule
        self.also = also
        testDescription = "\(rule.rawValue): \(description)"
        server = {
            var server = SyntheticServer()
            change(&server)
            return server
        }
    }

    /// One text in place of another, in all playlists from a step on.
    static func text(
        _ rule: StrictRule, _ description: String, also: Set<StrictRule> = [], _ old: String, _ new: String,
        from: Int = 0,
        until: Int = .max
    ) -> Wrong {
        Wrong(rule, description, also: also) { server in
            server.changesText = { text, step in
                if step >= from, step <= until { text.replace(old, with: new) }
            }
        }
    }

    /// An answer to a playlist request, changed.
    static func answer(
        _ rule: StrictRule, _ description: String, also: Set<StrictRule> = [], at step: Int,
        _ change: @escaping @Sendable (inout StrictExchange) -> Void
    ) -> Wrong {
        Wrong(rule, description, also: also) { server in
            server.changesExchange = { exchange, now in
                guard now == step, case .playlist("chunklist.m3u8", let directives) = exchange.subject,
                    directives.sequence != nil
                else { return }
                change(&exchange)
            }
        }
    }

    static let all: [Wrong] =
        playlists + changes + requests + alignment + media

    private static let playlists: [Wrong] = [
        .text(
            .syntax, "a tag stands twice", "#EXT-X-VERSION:9", "#EXT-X-VERSION:9\n#EXT-X-VERSION:9", from: 40, until: 40
        ),
        .text(.syntax, "a length is no number", "#EXTINF:2.000000,", "#EXTINF:two,", from: 40, until: 40),
        .text(
            .syntax, "a tag of the segment stands behind its parts", "#EXTINF:2.000000,\nmedia_9",
            "#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\nmedia_9", until: 40),
        .answer(.contentType, "another media type", at: 20) { $0.contentType = "text/plain" },
        .text(.version, "too low for what is in it", "#EXT-X-VERSION:9", "#EXT-X-VERSION:3"),
        .text(.version, "too low for a delta", "#EXT-X-VERSION:9", "#EXT-X-VERSION:8"),
        .text(
            .targetDuration, "a segment is longer", also: [.partsAddUp, .programDateTime, .mediaDuration, .partEarly],
            "#EXTINF:2.000000,\nmedia_9", "#EXTINF:2.500000,\nmedia_9"),
        .text(.partInformation, "it is left out", "#EXT-X-PART-INF:PART-TARGET=0.5\n", "", from: 40),
        .text(
            .partTooLong, "one part", also: [.partsAddUp, .mediaDuration], "DURATION=0.500000,URI=\"part_9.",
            "DURATION=0.600000,URI=\"part_9."),
        .text(
            .partTooShort, "one in the middle", also: [.partsAddUp, .mediaDuration], "DURATION=0.500000,URI=\"part_9.",
            "DURATION=0.420000,URI=\"part_9."),
        .text(
            .partsAddUp, "one part is 40 ms shorter than it is", "DURATION=0.500000,URI=\"part_9.",
            "DURATION=0.460000,URI=\"part_9."),
        .text(.serverControl, "requests are not said to be held", "CAN-BLOCK-RELOAD=YES,", ""),
        .text(.serverControl, "no hold-back of parts", ",PART-HOLD-BACK=1.5", ""),
        .text(.serverControl, "a hold-back of two parts", "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.0"),
        .text(.serverControl, "a hold-back of two segments", ",HOLD-BACK=6", ",HOLD-BACK=4"),
        .text(.serverControl, "a skip boundary of five segments", "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=10.0"),
        .text(
            .map, "there is none", "#EXT-X-MAP:URI=\"init_0.mp4\"\n", ""),
        .text(
            .hint, "two of them", "#EXT-X-PRELOAD-HINT",
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x.m4s\"\n#EXT-X-PRELOAD-HINT",
            from: 40, until: 40),
        .text(
            .hint, "one behind the end", "#EXT-X-ENDLIST", "#EXT-X-ENDLIST\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x.m4s\""
        ),
        .text(
            .hint, "another part than the one that comes", "URI=\"part_40.m4s\"\n#EXT-X-REN",
            "URI=\"x.m4s\"\n#EXT-X-REN", until: 40),
        .text(
            .hint, "a part that is there", "URI=\"part_40.m4s\"\n#EXT-X-REN", "URI=\"part_39.m4s\"\n#EXT-X-REN",
            until: 40),
        .text(
            .programDateTime, "it jumps by 100 ms", "2026-01-31T12:00:18.000Z", "2026-01-31T12:00:18.100Z"),
    ]

    private static let changes: [Wrong] = [
        .text(
            .targetChanged, "it grows", also: [.serverControl, .partsRemoved], "DURATION:2\n", "DURATION:3\n", from: 40),
        .text(
            .targetChanged, "that of parts grows", also: [.partTooShort, .serverControl], "PART-TARGET=0.5",
            "PART-TARGET=0.6", from: 40),
        .text(
            .segmentChanged, "an address", also: [.availability], "media_9.m4s", "media_09.m4s", from: 45),
        .text(
            .segmentChanged, "a date", also: [.programDateTime], "2026-01-31T12:00:18.000Z", "2026-01-31T12:00:18.001Z",
            from: 45),
        .text(.partChanged, "an address", "URI=\"part_37.m4s\"", "URI=\"part_037.m4s\"", from: 45),
        .text(
            .partsRemoved, "of the segment before the last", "", "", from: 40
        ).removingParts(of: 9, from: 42),
        .text(
            .discontinuity, "all are one more", also: [.delta, .afterEnd], "DISCONTINUITY-SEQUENCE:7",
            "DISCONTINUITY-SEQUENCE:8", from: 45),
        Wrong(.wentBack, "an older playlist comes to a later request", also: [.answeredEarly]) { server in
            server.changesExchange = { exchange, step in
                guard step == 45, case .playlist("chunklist.m3u8", _) = exchange.subject else { return }
                exchange.body = SyntheticServer().text(40, isEnded: false)
            }
        },
        Wrong(.afterEnd, "it goes on") { server in
            server.more = [
                StrictExchange(
                    .playlist("chunklist.m3u8", .init()), sent: SyntheticServer.time(61),
                    received: SyntheticServer.time(61),
                    body: SyntheticServer().text(61, isEnded: false))
            ]
        },
        Wrong(.window, "one segment is left", also: [.partsRemoved, .wentBack, .delta, .renditionReport]) { server in
            server.changesText = { text, step in
                guard step == 40 else { return }
                text = """
                    #EXTM3U
                    #EXT-X-VERSION:9
                    #EXT-X-TARGETDURATION:2
                    #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5,HOLD-BACK=6
                    #EXT-X-PART-INF:PART-TARGET=0.5
                    #EXT-X-MEDIA-SEQUENCE:9
                    #EXT-X-DISCONTINUITY-SEQUENCE:7
                    #EXT-X-MAP:URI="init_0.mp4"
                    #EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:18.000Z
                    #EXTINF:2.000000,
                    media_9.m4s
                    #EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_40.m4s"

                    """
            }
        },
    ]

    private static let requests: [Wrong] = [
        .answer(.answeredEarly, "the part is not in it", at: 41) {
            $0.body = SyntheticServer().text(40, isEnded: false)
        },
        // At step 42 the playlist in whole is there at 20 ms.
        .answer(.answeredLate, "600 ms after the part itself has come", also: [.partLate], at: 41) { exchange in
            exchange.received = exchange.received + .milliseconds(600)
        },
        .answer(.heldTooLong, "seven seconds", also: [.answeredLate, .partLate], at: 59) { exchange in
            exchange.sent = exchange.received - .seconds(7)
        },
        Wrong(.tooFarAhead, "a playlist comes for what is ten segments ahead", also: [.answeredEarly]) { server in
            server.more = [probe(.init(sequence: 20), body: SyntheticServer().text(40, isEnded: false))]
        },
        Wrong(.tooFarAhead, "a playlist comes for the hundredth part", also: [.answeredEarly]) { server in
            server.more = [
                probe(.init(sequence: 10, part: 100), at: 41, body: SyntheticServer().text(41, isEnded: false))
            ]
        },
        Wrong(.refusedWrongly, "the next segment is a bad request") { server in
            server.more = [probe(.init(sequence: 10), status: 400)]
        },
        Wrong(.partWithoutSequence, "a playlist comes") { server in
            server.more = [probe(.init(part: 1), body: SyntheticServer().text(40, isEnded: false))]
        },
        Wrong(.availability, "the playlist is gone") { server in server.more = [probe(.init(), status: 404)] },
        Wrong(.skip, "a delta that nobody had asked for") { server in
            server.more = [probe(.init(), body: SyntheticServer().text(40, isEnded: false, skips: true))]
        },
        .text(
            .skip, "more is left out than may be", also: [], "CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=14.0"),
        Wrong(.delta, "what is left out was never there") { server in
            server.changesText = { text, step in
                guard step == 40 else { return }
                text.replace("#EXT-X-SKIP:SKIPPED-SEGMENTS=2", with: "#EXT-X-SKIP:SKIPPED-SEGMENTS=2000")
            }
        },
        Wrong(.delta, "the delta says something else", also: [.wentBack]) { server in
            server.changesText = { text, step in
                guard step == 42, text.contains("SKIP:") else { return }
                text.replace("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part_42.m4s\"\n", with: "")
            }
        },
        .text(
            .renditionReport, "the other one has been further", "LAST-MSN=10,LAST-PART=1\n", "LAST-MSN=8,LAST-PART=1\n"),
        .text(
            .renditionReport, "the other one never comes there in time", "LAST-MSN=9,LAST-PART=2\n",
            "LAST-MSN=15,LAST-PART=1\n"),
    ]

    private static let alignment: [Wrong] = [
        Wrong(.alignment, "another playlist counts its discontinuities by itself") { server in
            let text = String(buffer: SyntheticServer().text(40, isEnded: false, reports: false))
            let body = text.replacing("DISCONTINUITY-SEQUENCE:7", with: "DISCONTINUITY-SEQUENCE:8")
            server.more = [
                StrictExchange(
                    .playlist("third.m3u8", .init()), sent: after(40), received: after(40),
                    body: ByteBuffer(string: body))
            ]
        }
    ]

    private static let media: [Wrong] = [
        Wrong(.availability, "a segment that is listed is not there") { server in
            server.more = [StrictExchange(.media("media_8.m4s"), sent: after(40), received: after(40), status: 404)]
        },
        Wrong(.availability, "a segment is gone as soon as it is not listed") { server in
            server.more = [StrictExchange(.media("media_1.m4s"), sent: after(40), received: after(40), status: 404)]
        },
        Wrong(.availability, "the announced part is not found") { server in
            server.more = [StrictExchange(.media("part_40.m4s"), sent: after(40), received: after(40), status: 404)]
        },
        Wrong(.partLate, "a listed part is held") { server in
            server.more = [
                StrictExchange(
                    .media("part_39.m4s"), sent: after(40), received: after(41), body: SyntheticServer().partBytes(39))
            ]
        },
        Wrong(.partLate, "half a second later than those before") { server in
            server.changesExchange = { exchange, step in
                guard step == 41 else { return }
                exchange.received = exchange.received + .milliseconds(400)
            }
        },
        Wrong(.partEarly, "the first parts come too late, or those behind them too early") { server in
            server.changesExchange = { exchange, step in
                guard step > 20 else { return }
                exchange.sent = exchange.sent - .milliseconds(400)
                exchange.received = exchange.received - .milliseconds(400)
            }
        },
        Wrong(.bytes, "a segment is not its parts") { server in
            server.changesSegment = { bytes, sequence in
                if sequence == 9 { bytes.setInteger(UInt8(9), at: bytes.writerIndex - 1) }
            }
        },
        Wrong(.bytes, "a part is no media") { server in
            server.changesExchange = { exchange, _ in
                if exchange.subject == .media("part_37.m4s") { exchange.body = ByteBuffer(string: "sorry") }
            }
        },
        Wrong(.map, "it is no initialization section") { server in
            server.changesExchange = { exchange, _ in
                if exchange.subject == .media("init_0.mp4") { exchange.body = ByteBuffer(string: "sorry") }
            }
        },
        .text(
            .independent, "a part without a keyframe is called so", "URI=\"part_37.m4s\"",
            "URI=\"part_37.m4s\",INDEPENDENT=YES"),
        .text(
            .independent, "a part with a keyframe is not", "URI=\"part_36.m4s\",INDEPENDENT=YES", "URI=\"part_36.m4s\""),
        Wrong(.independent, "the samples' flags are not true") { server in
            server.changesSamples = { samples, part in if part == 36 { samples[0].unit = 1 } }
        },
        Wrong(.independentSegments, "a segment begins with another frame") { server in
            server.changesSamples = { samples, part in if part == 36 { samples.swapAt(0, 1) } }
        },
        Wrong(.mediaDuration, "a part lasts longer than is said", also: [.mediaTimeline, .bytes]) { server in
            server.changesSamples = { samples, part in if part == 37 { samples[0].duration = 300 } }
        },
        Wrong(.mediaTimeline, "a part ends 20 ms before the next begins", also: [.bytes]) { server in
            server.changesSamples = { samples, part in if part == 37 { samples[0].duration = 80 } }
        },
    ]

    static func after(_ step: Int) -> NIODeadline { SyntheticServer.time(step) + .milliseconds(50) }

    static func probe(
        _ directives: StrictExchange.Directives, at step: Int = 40, status: Int = 200, body: ByteBuffer = ByteBuffer()
    ) -> StrictExchange {
        StrictExchange(
            .playlist("chunklist.m3u8", directives), sent: after(step), received: after(step), status: status,
            body: body)
    }

    private func removingParts(of sequence: Int, from step: Int) -> Wrong {
        Wrong(rule, testDescription) { server in
            server.changesText = { text, now in
                guard now >= step else { return }
                text = text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
                    !(0..<4).contains { line.contains("part_\(sequence * 4 + $0).m4s") && line.contains("PART:") }
                }.joined(separator: "\n")
            }
        }
    }
}

@Suite struct StrictCheckerTests {
    private func violations(_ server: SyntheticServer) -> [StrictViolation] {
        var checker = StrictChecker(tolerance: .milliseconds(300))
        for exchange in server.exchanges() { checker.check(exchange) }
        return checker.violations
    }

    @Test("A server that does everything right is not blamed")
    func nothingIsWrong() {
        var checker = StrictChecker(tolerance: .milliseconds(300))
        for exchange in SyntheticServer().exchanges() { checker.check(exchange) }
        #expect(checker.violations == [])
        #expect(checker.counts.playlists == 100)
        #expect(checker.counts.media == 76)
        #expect(checker.playlist("chunklist.m3u8")?.isEnded == true)
    }

    @Test("An answer that overtakes another one is no fault, whatever of a segment the older one has")
    func overtaken() {
        for (older, newer) in [(37, 41), (38, 41), (39, 40), (39, 45)] {
            var server = SyntheticServer()
            server.more = [
                StrictExchange(
                    .playlist("chunklist.m3u8", .init()), sent: Self.sentBefore(older), received: Wrong.after(newer),
                    body: SyntheticServer().text(older, isEnded: false))
            ]
            // That it is late is said, and nothing else.
            #expect(violations(server).map(\.rule) == [.answeredLate], "\(older) behind \(newer)")
        }
    }

    private static func sentBefore(_ step: Int) -> NIODeadline { SyntheticServer.time(step) + .milliseconds(10) }

    @Test("A server that does one thing wrong is blamed for that", arguments: Wrong.all)
    func oneThingIsWrong(_ wrong: Wrong) {
        let found = violations(wrong.server())
        let rules = Set(found.map(\.rule))
        #expect(rules.contains(wrong.rule), "\(found)")
        // What one playlist has wrong it has not alike in the other, which comes less often.
        let also = wrong.rule == .alignment ? wrong.also : wrong.also.union([.alignment])
        #expect(rules.subtracting(also) == [wrong.rule], "\(found)")
    }

    @Test("Every rule has been broken once")
    func everyRuleIsTried() {
        #expect(Set(Wrong.all.map(\.rule)) == Set(StrictRule.allCases))
    }
}
