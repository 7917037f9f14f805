import Media
import NIOCore
import Testing

@testable import MPEGTS

@Suite struct ClockReferenceTests {
    @Test(
        "Clock references are never over 100 ms apart",
        arguments: [1, 5, 9, 10, 11, 24, 25, 30, 50, 60, 120] as [Int64])
    func referencesAreNeverOver100MillisecondsApart(frameRate: Int64) throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        let units = (0..<(4 * frameRate)).map { index in
            Sample.picture(index * 1000 / frameRate, isKeyframe: index % frameRate == 0)
        }
        let packets = PlainPacket.all(try muxer.segment(units))
        let clocks = packets.compactMap(\.clock)
        #expect(zip(clocks, clocks.dropFirst()).allSatisfy { $1 - $0 > 0 && $1 - $0 <= 9_000 })
        // The first runs half a second behind the first picture, at 10 s.
        #expect(clocks.first == 855_000)
        let keyframes = packets.filter { $0.flags & 0x40 != 0 }
        #expect(keyframes.count == 4)
        #expect(keyframes.map(\.clock) == (0..<4).map { 855_000 + $0 * 90_000 })
    }

    @Test("Audio alone carries the clock")
    func audioAloneCarriesTheClock() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        let packets = PlainPacket.all(try muxer.segment((0..<100).map { Sample.sound($0) }))
        let clocks = packets.compactMap(\.clock)
        #expect(clocks.count == 25)
        #expect(zip(clocks, clocks.dropFirst()).allSatisfy { $1 - $0 > 0 && $1 - $0 <= 9_000 })
        #expect(packets.filter { $0.pid == 0x101 && $0.isStart }.allSatisfy { $0.flags == 0x50 })
    }

    @Test("Beside video, audio carries no clock")
    func besidesVideoAudioCarriesNone() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        let packets = PlainPacket.all(try muxer.segment((0..<30).map { Sample.sound($0) }))
        #expect(packets.allSatisfy { $0.clock == nil && $0.flags == 0 })
    }

    @Test("A jump in time is not filled with clock references")
    func aJumpIsNotFilled() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        let packets = PlainPacket.all(
            try muxer.segment([Sample.picture(0), Sample.picture(3_600_000), Sample.picture(1_000)]))
        #expect(packets.compactMap(\.clock) == [855_000, 855_000 + 324_000_000, 945_000])
    }
}
