import Media
import NIOCore
import Testing

@testable import MPEGTS

@Suite struct PacketWritingTests {
    @Test("The checksum is that of MPEG's sections")
    func theChecksumIsMPEGs() {
        #expect(SectionChecksum.compute(ByteBuffer(string: "123456789").readableBytesView) == 0x0376_E6E7)
    }

    @Test("The tables are those that ffmpeg writes")
    func theTablesAreThoseThatFFmpegWrites() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var output = ByteBuffer()
        muxer.writeTables(into: &output)
        #expect(output.readableBytes == 376)
        let association = bytes("47400010 00 00b00d0001c100000001f0002ab104b2")
        let map = bytes("47500010 00 02b0170001c10000e100f0001be100f0000fe101f0002f44b99b")
        #expect(output.getSlice(at: 0, length: association.readableBytes) == association)
        #expect(output.getSlice(at: 188, length: map.readableBytes) == map)
        let stuffing = output.getSlice(at: 188 + map.readableBytes, length: 188 - map.readableBytes)
        #expect(stuffing?.readableBytesView.allSatisfy { $0 == 0xFF } == true)
    }

    @Test("The tables of one track name its PID for the clock")
    func theTablesOfOneTrackNameItsPIDForTheClock() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        var output = ByteBuffer()
        muxer.writeTables(into: &output)
        #expect(output.getSlice(at: 193, length: 17) == bytes("02b0120001c10000e101f0000fe101f000"))
        let section = try #require(output.getSlice(at: 193, length: 21))
        #expect(SectionChecksum.compute(section.readableBytesView) == 0)
    }

    @Test("The tables count their packets")
    func theTablesCountTheirPackets() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        var output = ByteBuffer()
        for _ in 0..<18 {
            muxer.writeTables(into: &output)
        }
        let counters = PlainPacket.all(output).map(\.counter)
        #expect(counters == (0..<18).flatMap { [$0 % 16, $0 % 16] })
    }

    @Test(
        "Timestamps have 33 bits and wrap",
        arguments: [
            (Int64(0), Int64(0), "000001e00000 84 80 05 2100010001"),
            (90_000, 90_000, "000001e00000 84 80 05 210005bf21"),
            (126_000 + 3_600, 126_000, "000001e00000 84 c0 0a 310007f481 110007d861"),
            (0x1_FFFF_FFFF, 0x1_FFFF_FFFF, "000001e00000 84 80 05 2fffffffff"),
            (0x2_0000_0000, 0x1_FFFF_FFFF, "000001e00000 84 c0 0a 3100010001 1fffffffff"),
            (-1, -1, "000001e00000 84 80 05 2fffffffff"),
        ] as [(Int64, Int64, String)])
    func timestampsHave33BitsAndWrap(presentation: Int64, decode: Int64, expected: String) {
        let header = PESHeader(
            streamID: PESHeader.video, presentation: MediaTime(ticks: presentation, timescale: 90_000),
            decode: MediaTime(ticks: decode, timescale: 90_000))
        var packets = PacketWriter(pid: 256)
        var output = ByteBuffer()
        packets.begin(length: header.length, clock: nil, isRandomAccess: false, into: &output)
        header.write(payloadLength: nil, to: &packets, into: &output)
        #expect(output.readableBytes == 188)
        #expect(output.getSlice(at: 188 - header.length, length: header.length) == bytes(expected))
        #expect(packets.remaining == 0)
        let read = PESPacket(output.getSlice(at: 188 - header.length, length: header.length) ?? ByteBuffer())
        #expect(read?.presentation == UInt64(bitPattern: presentation) & 0x1_FFFF_FFFF)
        #expect(read?.decode == header.decode)
    }

    @Test(
        "The clock reference has 33 bits and no extension",
        arguments: [
            (Int64(0), "000000007e00"), (1, "00000000fe00"), (0x1_FFFF_FFFF, "fffffffffe00"), (855_000, "000685ec7e00"),
        ] as [(Int64, String)])
    func theClockReferenceHas33BitsAndNoExtension(ticks: Int64, expected: String) {
        var packets = PacketWriter(pid: 256)
        var output = ByteBuffer()
        packets.writeClock(MediaTime(ticks: ticks, timescale: 90_000), into: &output)
        #expect(output.readableBytes == 188)
        #expect(output.getSlice(at: 0, length: 6) == bytes("4701002f b710"))
        #expect(output.getSlice(at: 6, length: 6) == bytes(expected))
        #expect(output.getSlice(at: 12, length: 176) == ByteBuffer(repeating: 0xFF, count: 176))
    }

    @Test(
        "Every length fills its packets exactly",
        arguments: [(false, false), (false, true), (true, false), (true, true)])
    func everyLengthFillsItsPacketsExactly(hasClock: Bool, isRandomAccess: Bool) {
        var packets = PacketWriter(pid: 0x1ABC)
        for length in 0...600 {
            var output = ByteBuffer()
            let source = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let before = Int(packets.continuityCounter)
            packets.begin(
                length: length, clock: hasClock ? MediaTime(milliseconds: 1) : nil, isRandomAccess: isRandomAccess,
                into: &output)
            // In two pieces, so that a packet's boundary falls everywhere.
            packets.append(source, range: 0..<length / 3, into: &output)
            packets.append(source, range: length / 3..<length, into: &output)
            #expect(packets.remaining == 0)
            #expect(output.readableBytes % 188 == 0)
            let all = PlainPacket.all(output)
            let field = (hasClock ? 8 : isRandomAccess ? 2 : 0)
            #expect(all.count == max(1, (length + field + 183) / 184))
            #expect(all.flatMap(\.payload) == Array(source.readableBytesView))
            #expect(all.map(\.isStart) == all.indices.map { $0 == 0 })
            #expect(all.allSatisfy { $0.pid == 0x1ABC && $0.payload.count + $0.field == 184 })
            #expect((all[0].clock != nil) == hasClock)
            #expect((all[0].flags & 0x40 != 0) == isRandomAccess)
            if length > 0 {
                #expect(all.map(\.counter) == all.indices.map { (before + $0) % 16 })
            }
        }
    }

    @Test("A packet with a clock alone does not count")
    func aClockAloneDoesNotCount() {
        var packets = PacketWriter(pid: 256)
        var output = ByteBuffer()
        for _ in 0..<2 {
            packets.begin(length: 1, clock: nil, isRandomAccess: false, into: &output)
            packets.append(bytes("aa"), into: &output)
            packets.writeClock(.zero, into: &output)
        }
        #expect(PlainPacket.all(output).map(\.counter) == [0, 0, 1, 1])
    }
}
