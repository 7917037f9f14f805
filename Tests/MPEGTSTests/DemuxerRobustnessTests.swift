import Media
import NIOCore
import TestSupport
import Testing

@testable import MPEGTS

@Suite struct DemuxerRobustnessTests {
    private func stream() throws -> ByteBuffer {
        try Fixture.load("bframes.ts")
    }

    /// The stream's packets, some changed or left out.
    private func edited(_ edit: (Int, inout [UInt8]) -> Void) throws -> ByteBuffer {
        var source = try stream()
        var output = ByteBuffer()
        var index = 0
        while var packet = source.readBytes(length: 188) {
            edit(index, &packet)
            output.writeBytes(packet)
            index += 1
        }
        return output
    }

    @Test("Packets behind other bytes are found")
    func findsPacketsBehindOtherBytes() throws {
        let plain = Found(try stream())
        // Sync bytes among them, and even one where the next packet's would confirm it: not here.
        var noisy = bytes("474747001122")
        noisy.writeImmutableBuffer(try stream())
        let found = Found(noisy)
        #expect(found.units == plain.units)
        #expect(found.statistics.lostBytes == 6)
    }

    @Test("Reading goes on behind foreign bytes in the middle")
    func goesOnBehindBytesInTheMiddle() throws {
        let plain = Found(try stream())
        let broken = try edited { index, packet in
            if index == 40 { packet += [1, 2, 3] }
        }
        let found = Found(broken)
        #expect(found.statistics.lostBytes == 3)
        #expect(found.units == plain.units)
    }

    @Test("A lost packet costs only its access unit")
    func aLostPacketCostsOnlyItsUnit() throws {
        let plain = Found(try stream())
        var dropped: Int?
        let broken = try edited { index, packet in
            let isVideo = packet[1] & 0x1F == 1 && packet[2] == 0
            // The second packet of a picture.
            if dropped == nil, index > 20, isVideo, packet[1] & 0x40 == 0 {
                dropped = index
                packet = []
            }
        }
        let found = Found(broken)
        #expect(found.statistics.counterGaps == 1)
        #expect(found.statistics.droppedPES == 1)
        #expect(found.video.count == plain.video.count - 1)
        #expect(found.audio == plain.audio)
    }

    @Test("A packet sent twice counts once")
    func aPacketSentTwiceCountsOnce() throws {
        let plain = Found(try stream())
        let doubled = try edited { _, packet in
            if packet[1] & 0x1F == 1 { packet += packet }
        }
        let found = Found(doubled)
        #expect(found.units == plain.units)
        #expect(found.statistics == plain.statistics)
    }

    @Test("Packets marked as damaged are left out")
    func packetsMarkedAsDamagedAreLeftOut() throws {
        let broken = try edited { index, packet in
            if index == 30 { packet[1] |= 0x80 }
        }
        let found = Found(broken)
        #expect(found.statistics.damagedPackets == 1)
        #expect(found.statistics.counterGaps == 1)
    }

    @Test("A table with a wrong checksum is not believed")
    func aTableWithAWrongChecksumIsNotBelieved() throws {
        let plain = Found(try stream())
        var tables = 0
        let broken = try edited { _, packet in
            let isMap = packet[1] & 0x1F == 0x10 && packet[2] == 0
            if isMap {
                tables += 1
                packet[20] ^= 1
            }
        }
        let found = Found(broken)
        #expect(found.units.isEmpty)
        #expect(found.tracks.isEmpty)
        #expect(found.statistics.damagedSections == tables)
        #expect(tables > 0 && !plain.units.isEmpty)
    }

    @Test("A section may lie across packets")
    func aSectionMayLieAcrossPackets() throws {
        // The map again, behind 170 bytes of another section's end, so that it is cut in two.
        let section = bytes("02b0170001c10000e100f0001be100f0000fe101f0002f44b99b")
        var damaged = 0
        var assembler = SectionAssembler()
        var first = ByteBuffer(integer: UInt8(170))
        first.writeRepeatingByte(0xAA, count: 170)
        first.writeImmutableBuffer(section.getSlice(at: 0, length: 13) ?? ByteBuffer())
        #expect(assembler.read(first, isStart: true, damaged: &damaged).isEmpty)
        var second = section.getSlice(at: 13, length: 13) ?? ByteBuffer()
        second.writeRepeatingByte(0xFF, count: 171)
        #expect(assembler.read(second, isStart: false, damaged: &damaged) == [section])
        // Two in one packet, and the rest of neither.
        var both = ByteBuffer(integer: UInt8(0))
        both.writeImmutableBuffer(section)
        both.writeImmutableBuffer(section)
        both.writeRepeatingByte(0xFF, count: 9)
        #expect(assembler.read(both, isStart: true, damaged: &damaged) == [section, section])
        #expect(damaged == 0)
        var long = bytes("00 02bfff 00010000")
        long.writeRepeatingByte(0, count: 176)
        #expect(assembler.read(long, isStart: true, damaged: &damaged).isEmpty)
        #expect(damaged == 1)
        #expect(assembler.read(bytes("ff00"), isStart: true, damaged: &damaged).isEmpty)
        #expect(damaged == 2)
    }

    @Test("An access unit over the limit is dropped")
    func aUnitOverTheLimitIsDropped() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        let sizes = [100, 2_000, 100, 1_000]
        let stream = try muxer.segment(
            sizes.enumerated().map { Sample.picture(Int64($0) * 40, size: $1) })
        var demuxer = TransportStreamDemuxer(limits: .init(pesBytes: 1_500))
        var events: [TransportStreamDemuxer.Event] = []
        demuxer.receive(stream, into: &events)
        demuxer.finish(into: &events)
        let found = events.compactMap { event in
            if case .unit(let unit) = event { unit.payload.readableBytes - 4 } else { nil }
        }
        #expect(found == [100, 100, 1_000])
        #expect(demuxer.statistics.droppedPES == 1)
    }

    @Test("Another program map changes the tracks")
    func anotherProgramMapChangesTheTracks() throws {
        var both = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var output = try both.segment([Sample.picture(0), Sample.sound(0)])
        var alone = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        output.writeImmutableBuffer(try alone.segment([Sample.picture(40)]))
        let found = Found(output)
        #expect(found.tracks == [[.video(.avc), .audio(.aac)], [.video(.avc)]])
        #expect(found.audio.count == 1)
    }

    @Test("Another configuration of a track is reported")
    func anotherConfigurationIsTold() throws {
        let other = """
            014d4028ffe10019674d4028f403c0227ef011000003000100000300321f162ea001000468de0fc8
            """
        var first = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        var second = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(other)))
        var output = try first.segment([Sample.picture(0)])
        second.markDiscontinuity()
        output.writeImmutableBuffer(try second.segment([Sample.picture(40)]))
        let found = Found(output)
        #expect(
            found.configurations.map(\.resolution) == [
                Resolution(width: 320, height: 180), Resolution(width: 1920, height: 1080),
            ])
        #expect(found.configurations.map(\.codecString) == ["avc1.42c00c", "avc1.4d4028"])
    }

    @Test("Audio frames may lie across PES packets")
    func audioFramesMayLieAcrossPESPackets() {
        var reader = AudioTrackReader(.adts)
        var stream = ByteBuffer()
        for index in UInt8(0)..<6 {
            // 48,000 Hz stereo, 20 bytes with its header.
            stream.writeImmutableBuffer(bytes("fff14c80029ffc"))
            stream.writeRepeatingByte(index, count: 13)
        }
        var events: [TransportStreamDemuxer.Event] = []
        var statistics = TransportStreamDemuxer.Statistics()
        // Cut in the second and in the fifth frame's header.
        for (range, milliseconds) in [(0..<30, Int64(0)), (30..<83, 43), (83..<120, 107)] {
            reader.read(
                stream.getSlice(at: range.lowerBound, length: range.count) ?? ByteBuffer(),
                time: MediaTime(milliseconds: milliseconds), statistics: &statistics, into: &events)
        }
        let units = events.compactMap { event in
            if case .unit(let unit) = event { unit } else { nil }
        }
        #expect(units.map(\.payload) == (0..<6).map { ByteBuffer(repeating: $0, count: 13) })
        // The frames that began in the packet before go on from its time; the next one takes the packet's.
        let frame = MediaTime(ticks: 1024, timescale: 48_000)
        #expect(
            units.map(\.decodeTime) == [
                .zero, frame, MediaTime(milliseconds: 43), MediaTime(milliseconds: 43) + frame,
                MediaTime(ticks: 3870 + 2 * 1920, timescale: 90_000), MediaTime(milliseconds: 107),
            ])
        #expect(statistics == TransportStreamDemuxer.Statistics())
    }

    @Test("Audio frames are found again behind bytes that are none")
    func audioFindsItsFramesAgain() {
        var reader = AudioTrackReader(.adts)
        var stream = bytes("fff1 0011 fff14c80029ffc ff")
        for index in UInt8(0)..<3 {
            stream.writeImmutableBuffer(bytes("fff14c80029ffc"))
            stream.writeRepeatingByte(index, count: 13)
        }
        var events: [TransportStreamDemuxer.Event] = []
        var statistics = TransportStreamDemuxer.Statistics()
        reader.read(stream, time: .zero, statistics: &statistics, into: &events)
        let units = events.compactMap { event in
            if case .unit(let unit) = event { unit.payload } else { nil }
        }
        #expect(units == (0..<3).map { ByteBuffer(repeating: $0, count: 13) })
        #expect(statistics.droppedUnits == 1)
        #expect(statistics.lostAudioBytes == 12)
    }

    @Test("Bytes that are no audio are passed over and counted, even those made to look like its headers")
    func passesOverWhatIsNoAudio() {
        var garbage = ByteBuffer(repeating: 0x11, count: 10_000)
        garbage.writeRepeatingByte(0xFF, count: 10_000)
        // Headers of frames that are shorter than they are, or not followed by another.
        for _ in 0..<2_000 { garbage.writeImmutableBuffer(bytes("fff14c80001ffc fff14c80029ffc")) }
        garbage.writeRepeatingByte(0x11, count: 40)
        for framing in [AudioTrackReader.Framing.adts, .mp3] {
            var reader = AudioTrackReader(framing)
            var events: [TransportStreamDemuxer.Event] = []
            var statistics = TransportStreamDemuxer.Statistics()
            reader.read(garbage, time: .zero, statistics: &statistics, into: &events)
            #expect(statistics.droppedUnits == 1)
            #expect(statistics.lostAudioBytes > garbage.readableBytes - 10)
            #expect(events.isEmpty)
        }
    }

    @Test("The quick look at a header agrees with its reading")
    func quickLook() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<200_000 {
            var header = ByteBuffer()
            // Around sync words, so that headers occur.
            header.writeInteger(UInt16.random(in: 0xFFE0...0xFFFF, using: &generator))
            header.writeInteger(UInt64.random(in: 0...UInt64.max, using: &generator))
            let isADTS = (try? ADTSHeader(header)) != nil
            let isMP3 = (try? MP3FrameHeader(header)) != nil
            if ADTSHeader.stands(atHeadOf: header) != isADTS || MP3FrameHeader.stands(atHeadOf: header) != isMP3 {
                Issue.record("\(header.getBytes(at: 0, length: 7) ?? [])")
            }
        }
    }

    @Test("Mutated streams never trap", arguments: ["bframes.ts", "hevc-mp3.ts", "slow-opus.ts"])
    func mutatedStreamsNeverTrap(fixture: String) throws {
        let source = try Fixture.load(fixture)
        let plain = Found(source).units.count
        var generator = SeededGenerator(seed: 20_240_229)
        for round in 0..<300 {
            var stream = source
            for _ in 0..<Int.random(in: 1...40, using: &generator) {
                let place = Int.random(in: 0..<stream.readableBytes, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: stream.setInteger(UInt8.random(in: 0...255, using: &generator), at: place)
                case 1:
                    // Where headers stand.
                    let header = place / 188 * 188 + Int.random(in: 1..<24, using: &generator)
                    if header < stream.readableBytes {
                        stream.setInteger(UInt8.random(in: 0...255, using: &generator), at: header)
                    }
                case 2:
                    let count = min(Int.random(in: 1...400, using: &generator), stream.readableBytes - place)
                    stream.setRepeatingByte(UInt8.random(in: 0...255, using: &generator), count: count, at: place)
                default:
                    stream.moveWriterIndex(to: max(place, 1_000))
                }
            }
            let found = Found(stream, pieces: round % 2 == 0 ? .max : 500)
            #expect(found.units.count <= plain + 50)
        }
    }

    @Test("Random bytes never trap")
    func randomBytesNeverTrap() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            var stream = ByteBuffer()
            for _ in 0..<200 {
                stream.writeInteger(UInt8(0x47))
                // Few PIDs, so that tables and tracks meet.
                stream.writeInteger(
                    [0x4000, 0x5000, 0x4100, 0x0100, 0x4101].randomElement(using: &generator) ?? UInt16(0))
                for _ in 0..<185 {
                    stream.writeInteger(UInt8.random(in: 0...255, using: &generator))
                }
            }
            #expect(Found(stream).units.isEmpty)
        }
    }
}
