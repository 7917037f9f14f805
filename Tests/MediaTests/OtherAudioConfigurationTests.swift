import NIOCore
import Testing

@testable import Media

/// Heads of frames as ffmpeg 5.1's encoders write them, and the boxes that its MP4 writer makes of them; what no encoder at hand
/// writes is written by the standard's tables.
@Suite struct OtherAudioConfigurationTests {
    @Test(
        "An AC-3 frame tells its track's configuration",
        arguments: [
            ("0b7738900c4043e1", 48_000, 2, "1010c0"), ("0b770dce5e40ebf8", 44_100, 6, "503de0"),
            ("0b77999b88402f84", 32_000, 1, "900880"),
        ])
    func readsAC3(frame: String, sampleRate: Int, channels: Int, box: String) throws {
        let configuration = try AC3Configuration(frame: bytes(frame))
        #expect(configuration.sampleRate == sampleRate)
        #expect(configuration.channels == channels)
        #expect(configuration.specificBox == bytes(box))
        #expect(configuration.codecString == "ac-3")
        #expect(CodecConfiguration.ac3(configuration).samples(inUnit: bytes(frame)) == 1536)
    }

    @Test(
        "An Enhanced AC-3 access unit tells its track's configuration",
        arguments: [
            ("0b77017f3f87c00020f82000", 768, 48_000, 6, "0600200f00", 1536),
            ("0b7700cf7487c00020fc2108", 418, 44_100, 2, "0300600400", 1536),
        ])
    func readsEAC3(head: String, length: Int, sampleRate: Int, channels: Int, box: String, samples: Int) throws {
        var frame = bytes(head)
        frame.writeRepeatingByte(0, count: length - frame.readableBytes)
        let configuration = try EAC3Configuration(frame: frame)
        #expect(configuration.sampleRate == sampleRate)
        #expect(configuration.channels == channels)
        #expect(configuration.codecString == "ec-3")
        #expect(CodecConfiguration.eac3(configuration).samples(inUnit: frame) == samples)
        // The last frame of 44.1 kHz is a word longer or shorter, which is a kilobit.
        #expect(configuration.specificBox == bytes(box))
    }

    /// A sync frame of Enhanced AC-3 of 16 bytes.
    private func syncFrame(type: Int, number: Int = 0, blocks: Int = 3, channelMode: Int = 7, map: Int? = nil)
        -> ByteBuffer
    {
        var writer = BitWriter()
        writer.write(0x0B77, bits: 16)
        writer.write(UInt32(type), bits: 2)
        writer.write(UInt32(number), bits: 3)
        writer.write(7, bits: 11)
        writer.write(0, bits: 2)
        writer.write(UInt32(blocks), bits: 2)
        writer.write(UInt32(channelMode), bits: 3)
        writer.write(type == 1 ? 0 : 1, bits: 1)
        writer.write(16, bits: 5)
        // dialnorm, no compr.
        writer.write(31 << 1, bits: 6)
        if type == 1 {
            writer.write(map == nil ? 0 : 1, bits: 1)
            if let map { writer.write(UInt32(map), bits: 16) }
        }
        writer.align()
        var frame = writer.bytes
        frame.writeRepeatingByte(0, count: 16 - frame.readableBytes)
        return frame
    }

    private func joined(_ frames: [ByteBuffer]) -> ByteBuffer {
        frames.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
    }

    @Test("Surround channels behind 5.1 come from the substream that depends on it")
    func readsDependentSubstreams() throws {
        // Ls, Rs and the pair behind them.
        let unit = joined([syncFrame(type: 0), syncFrame(type: 1, channelMode: 6, map: 0x1A00)])
        let configuration = try EAC3Configuration(frame: unit)
        #expect(configuration.channels == 8)
        #expect(CodecConfiguration.eac3(configuration).samples(inUnit: unit) == 1536)
        // 256 kbit/s for 32 bytes in 1536 samples is 8; acmod 7 with LFE; one dependent substream, Lrs/Rrs.
        #expect(configuration.specificBox == bytes("0040 200f 0280"))
        #expect(throws: MediaParseError.self) { try EAC3Configuration(frame: syncFrame(type: 1)) }
    }

    @Test("Short blocks add up to what the access unit plays, whatever other substreams it has")
    func countsBlocks() throws {
        let unit = joined([
            syncFrame(type: 0, blocks: 0), syncFrame(type: 0, number: 1, blocks: 0), syncFrame(type: 0, blocks: 1),
            syncFrame(type: 0, number: 1, blocks: 1),
        ])
        let configuration = try EAC3Configuration(frame: unit)
        #expect(CodecConfiguration.eac3(configuration).samples(inUnit: unit) == 768)
        #expect(configuration.substreams.count == 2)
        // The head of a frame is enough, as it is of one whose end is missing.
        #expect(AC3SyncFrame.samples(inUnit: unit.getSlice(at: 0, length: 20) ?? unit) == 256)
        #expect(AC3SyncFrame.samples(inUnit: ByteBuffer()) == nil)
    }

    @Test(
        "What is no AC-3 is refused, and so is every frame that ends inside its head",
        arguments: ["0b7738900c4043e1", "0b77017f3f87c000", "0b77017f3f87c00020f8"])
    func refusesWhatIsNoAC3(frame: String) {
        let whole = bytes(frame)
        for length in 0..<7 {
            let cut = whole.getSlice(at: 0, length: length) ?? whole
            #expect(throws: MediaParseError.self) { try AC3Configuration(frame: cut) }
            #expect(throws: MediaParseError.self) { try EAC3Configuration(frame: cut) }
        }
        // Another sync word, a reserved rate, a size code without a meaning, a bsid between the two kinds.
        for wrong in ["0b7838900c4043e1", "0b773890cc4043e1", "0b7738902640", "0b7738903f4043e1", "0b7738900c5043e1"] {
            #expect(throws: MediaParseError.self) { try AC3Configuration(frame: bytes(wrong)) }
        }
        #expect(throws: MediaParseError.self) { try AC3Configuration(frame: bytes("0b77017f3f87c00020f8")) }
    }

    @Test("A frame with another bit rate continues a track, one with other channels does not")
    func continuations() throws {
        let known = try AC3Configuration(frame: bytes("0b7738900c4043e1"))
        #expect(known.isContinued(by: try AC3Configuration(frame: bytes("0b7738901e4043e1"))))
        #expect(!known.isContinued(by: try AC3Configuration(frame: bytes("0b7738901e40ebf8"))))
        func unit(_ frame: String) -> AccessUnit {
            AccessUnit(codec: .audio(.ac3), decodeTime: .zero, isKeyframe: true, payload: bytes(frame))
        }
        #expect(try CodecConfiguration(of: unit("0b7738900c4043e1"), after: nil) == .ac3(known))
        #expect(try CodecConfiguration(of: unit("0b7738901e4043e1"), after: .ac3(known)) == nil)
        #expect(try CodecConfiguration(of: unit("0b7738901e40ebf8"), after: .ac3(known))?.sampleRate == 48_000)
    }

    private static let streamInfo = "12001200 000150 000517 0bb802f000005dc0 a2fc3617bc0e6c99e035cbe06fb4e52a"

    @Test(
        "FLAC's STREAMINFO is read, alone, with its block's head, and behind the marker",
        arguments: ["", "00000022", "80000022", "664c6143 00000022", "664c6143"])
    func readsFLAC(head: String) throws {
        let record = bytes(head + Self.streamInfo)
        let configuration = try FLACConfiguration(record: record)
        #expect(configuration.sampleRate == 48_000)
        #expect(configuration.channels == 2)
        #expect(configuration.bitsPerSample == 16)
        #expect(configuration.mostSamplesPerFrame == 4_608)
        #expect(configuration.streamInfo == bytes(Self.streamInfo))
        #expect(configuration.record == record)
        #expect(configuration.codecString == "fLaC")
        for length in 0..<record.readableBytes {
            #expect(throws: MediaParseError.self) {
                try FLACConfiguration(record: record.getSlice(at: 0, length: length) ?? record)
            }
        }
    }

    @Test("What is no STREAMINFO is refused")
    func refusesWhatIsNoStreamInfo() {
        for head in ["04000022", "00000023", "664c6143 01000022"] {
            #expect(throws: MediaParseError.self) {
                try FLACConfiguration(record: bytes(head + Self.streamInfo + "00"))
            }
        }
        #expect(throws: MediaParseError.self) { try FLACConfiguration(record: ByteBuffer(repeating: 0, count: 34)) }
    }

    @Test(
        "A FLAC frame tells how many samples it has",
        arguments: [
            // ffmpeg's first frame: 4,608 samples by the table; then the other spellings of the number.
            ("fff85a8800374e", 4_608), ("fff8180000", 192), ("fff8280000", 576), ("fff8880000", 256),
            ("fff8f80000", 32_768), ("fff8680000 1f", 32), ("fff9680000 ff", 256), ("fff8780000 ffff", 65_536),
            ("fff87800c280 0fff", 4_096), ("fff87800fe8080808080 80 0fff", 4_096), ("fff8080000", nil),
            ("fff0180000", nil), ("fff87800ff 0fff", nil), ("fff8780000 ff", nil), ("fff81800", nil),
        ] as [(String, Int?)])
    func countsFLAC(frame: String, samples: Int?) {
        #expect(FLACConfiguration.samples(inFrame: bytes(frame)) == samples)
    }
}
