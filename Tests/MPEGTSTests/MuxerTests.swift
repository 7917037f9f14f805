import Media
import NIOCore
import Testing

@testable import MPEGTS

@Suite struct MuxerTests {
    /// The elementary stream of each PES packet of a PID, and its header.
    private func packets(_ stream: ByteBuffer, pid: Int) -> [(header: [UInt8], bytes: ByteBuffer)] {
        var all: [[UInt8]] = []
        for packet in PlainPacket.all(stream) where packet.pid == pid && !packet.payload.isEmpty {
            if packet.isStart {
                all.append(packet.payload)
            } else {
                all[all.count - 1] += packet.payload
            }
        }
        return all.map { bytes in
            let length = 9 + Int(bytes[8])
            return (Array(bytes[..<length]), ByteBuffer(bytes: bytes[length...]))
        }
    }

    @Test(
        "Video becomes Annex B",
        arguments: [
            // What a unit holds, whether it is a keyframe, and what is written.
            ("00000002 65aa", true, "00000001 09f0 00000001 SPS 00000001 PPS 00000001 65aa"),
            ("00000002 41aa", false, "00000001 09f0 00000001 41aa"),
            ("00000002 0910 00000002 41aa", false, "00000001 09f0 00000001 41aa"),
            ("00000002 41aa 00000002 0910", false, "00000001 09f0 00000001 41aa"),
            ("00000019 SPS 00000005 PPS 00000002 65aa", true, "00000001 09f0 00000001 SPS 00000001 PPS 00000001 65aa"),
            (
                "00000019 SPS 00000002 65aa", true,
                "00000001 09f0 00000001 SPS 00000001 PPS 00000001 SPS 00000001 65aa"
            ),
            (
                "00000002 06aa 00000000 00000002 65aa", true,
                "00000001 09f0 00000001 SPS 00000001 PPS 00000001 06aa 00000001 65aa"
            ),
        ])
    func picturesBecomeAnnexB(payload: String, isKeyframe: Bool, expected: String) throws {
        func spelled(_ text: String) -> ByteBuffer {
            bytes(
                text.replacing("SPS", with: Sample.parameterSets).replacing("PPS", with: Sample.pictureParameterSet))
        }
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        let unit = AccessUnit(
            codec: .video(.avc), decodeTime: .zero, isKeyframe: isKeyframe, payload: spelled(payload))
        let written = packets(try muxer.segment([unit]), pid: 0x100)
        #expect(written.map(\.bytes) == [spelled(expected)])
        // Open length, aligned, one time: 10 s.
        #expect(written.first?.header == Array(bytes("000001e00000 8480 05 210037 77 41").readableBytesView))
    }

    @Test(
        "NAL unit lengths may be of fewer than four bytes",
        arguments: [("fc", "02 65aa 01 06"), ("fd", "0002 65aa 0001 06")])
    func lengthsMayBeShorter(lengthSize: String, payload: String) throws {
        let record = Sample.avc.replacing("0cffe1", with: "0c\(lengthSize)e1")
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(record)))
        let unit = AccessUnit(
            codec: .video(.avc), decodeTime: .zero, isKeyframe: false, payload: bytes(payload))
        let written = packets(try muxer.segment([unit]), pid: 0x100)
        #expect(written.map(\.bytes) == [bytes("00000001 09f0 00000001 65aa 00000001 06")])
    }

    @Test("A unit cut short is an error and writes nothing")
    func aUnitCutShortIsAnErrorAndWritesNothing() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video()))
        var output = ByteBuffer()
        let unit = AccessUnit(
            codec: .video(.avc), decodeTime: .zero, isKeyframe: true, payload: bytes("00000002 65aa 00000009 41"))
        #expect(
            throws: TransportStreamError.malformedUnit(
                .video(.avc), MediaParseError("NAL unit", "its length of 9 bytes reaches past the end"))
        ) { try muxer.write(unit, into: &output) }
        #expect(output.readableBytes == 0)
        // An empty one is nothing to write.
        try muxer.write(
            AccessUnit(codec: .video(.avc), decodeTime: .zero, isKeyframe: true, payload: ByteBuffer()),
            into: &output)
        #expect(output.readableBytes == 0)
    }

    @Test("The multiplexer refuses tracks it cannot carry")
    func refusesWhatItCannotCarry() throws {
        #expect(throws: TransportStreamError.noTracks) { try TransportStreamMuxer(tracks: TrackSet()) }
        let av1 = CodecConfiguration.av1(try AV1Configuration(record: bytes("81040c00")))
        #expect(throws: TransportStreamError.cannotCarry(.video(.av1), reason: "there is no mapping for it")) {
            try TransportStreamMuxer(tracks: TrackSet(video: av1))
        }
        let odd = CodecConfiguration.aac(
            try AACConfiguration(objectType: 2, sampleRate: 37_800, channelConfiguration: 2))
        #expect(throws: TransportStreamError.self) { try TransportStreamMuxer(tracks: TrackSet(audio: odd)) }
        #expect(!TransportStreamMuxer.canCarry(odd))
        #expect(TransportStreamMuxer.canCarry(odd.codec))
        #expect(throws: TransportStreamError.cannotCarry(.audio(.aac), reason: "it is no video")) {
            try TransportStreamMuxer(tracks: TrackSet(video: Sample.audio()))
        }
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        var output = ByteBuffer()
        #expect(throws: TransportStreamError.unknownTrack(.video(.avc))) {
            try muxer.write(Sample.picture(0), into: &output)
        }
        #expect(throws: TransportStreamError.unknownTrack(.audio(.mp3))) {
            try muxer.write(
                AccessUnit(codec: .audio(.mp3), decodeTime: .zero, isKeyframe: true, payload: bytes("ff")),
                into: &output)
        }
    }

    @Test("Continuity counters run on over segments")
    func countersRunOnOverSegments() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var counters: [Int: [Int]] = [:]
        for segment in 0..<5 {
            let units = (0..<7).flatMap { index -> [AccessUnit] in
                let number = Int64(segment * 7 + index)
                return [Sample.picture(number * 21, size: 300), Sample.sound(number)]
            }
            for packet in PlainPacket.all(try muxer.segment(units)) where !packet.payload.isEmpty {
                counters[packet.pid, default: []].append(packet.counter)
            }
        }
        #expect(Set(counters.keys) == [0, 0x100, 0x101, 0x1000])
        for (_, values) in counters {
            #expect(values == values.indices.map { $0 % 16 })
        }
    }

    @Test("Audio frames share a packet up to its limit")
    func audioFramesShareAPacketUpToItsLimit() throws {
        // 21.3 ms a frame: seven are 149.3 ms.
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var output = ByteBuffer()
        for index in Int64(0)..<16 {
            try muxer.write(Sample.sound(index), into: &output)
        }
        #expect(packets(output, pid: 0x101).map(\.bytes.readableBytes) == [7 * 207, 7 * 207])
        muxer.flush(into: &output)
        muxer.flush(into: &output)
        #expect(packets(output, pid: 0x101).map(\.bytes.readableBytes) == [7 * 207, 7 * 207, 2 * 207])
        // The length counts what stands behind it.
        let header = packets(output, pid: 0x101)[2].header
        #expect(Array(header[..<9]) == [0, 0, 1, 0xC0, 0x01, 0xA6, 0x84, 0x80, 5])
    }

    @Test("Audio that does not follow on begins a packet of its own")
    func audioThatDoesNotFollowOnBeginsAPacketOfItsOwn() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var output = ByteBuffer()
        var late = Sample.sound(2)
        late.decodeTime += MediaTime(milliseconds: 3)
        for unit in [Sample.sound(0), Sample.sound(1), late, Sample.sound(2)] {
            try muxer.write(unit, into: &output)
        }
        #expect(packets(output, pid: 0x101).map(\.bytes.readableBytes) == [414, 207])
        // Nor does audio wait longer than its limit while only pictures come.
        try muxer.write(Sample.picture(100), into: &output)
        #expect(packets(output, pid: 0x101).count == 2)
        try muxer.write(Sample.picture(200), into: &output)
        #expect(packets(output, pid: 0x101).count == 3)
    }

    @Test("An audio frame too long is an error")
    func anAudioFrameTooLongIsAnError() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        var output = ByteBuffer()
        #expect(throws: TransportStreamError.self) {
            try muxer.write(Sample.sound(0, size: 8185), into: &output)
        }
        #expect(throws: TransportStreamError.self) {
            try muxer.write(Sample.sound(0, size: 1 << 20), into: &output)
        }
        muxer.flush(into: &output)
        #expect(output.readableBytes == 0)
        for index in Int64(0)..<8 {
            try muxer.write(Sample.sound(index, size: 8184), into: &output)
        }
        muxer.flush(into: &output)
        #expect(Found(try prefixed(output)).audio.map(\.payload.readableBytes) == Array(repeating: 8184, count: 8))
    }

    private func prefixed(_ stream: ByteBuffer) throws -> ByteBuffer {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: Sample.audio()))
        var output = ByteBuffer()
        muxer.writeTables(into: &output)
        output.writeImmutableBuffer(stream)
        return output
    }

    @Test("A discontinuity is marked once on each track")
    func aDiscontinuityIsMarkedOnceOnEachTrack() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        var output = try muxer.segment([Sample.picture(0), Sample.sound(0)])
        muxer.markDiscontinuity()
        for unit in [Sample.picture(90_000), Sample.picture(90_040), Sample.sound(0), Sample.sound(9)] {
            try muxer.write(unit, into: &output)
        }
        muxer.flush(into: &output)
        let marked = PlainPacket.all(output).map { packet in packet.flags & 0x80 != 0 ? packet.pid : 0 }
        #expect(marked.filter { $0 != 0 } == [0x100, 0x101])
        let found = Found(output)
        #expect(found.discontinuities == 1)
        #expect(found.units.count == 6)
        #expect(found.statistics == TransportStreamDemuxer.Statistics())
    }
}
