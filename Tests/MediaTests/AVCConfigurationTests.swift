import NIOCore
import TestSupport
import Testing

@testable import Media

/// Records written by ffmpeg 5.1 with libx264 (`-c:v libx264` into MP4); sizes, rates and profiles as ffprobe names them.
@Suite struct AVCConfigurationTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let record: String
        let size: Resolution
        let frameRate: Double
        let codecs: String
        var testDescription: String { name }
    }

    static let samples = [
        Sample(
            name: "High 640×360",
            record: """
                0164001effe1001a6764001eacd940a02ff970110000030001000003003c0f162d960100\
                0468ef8fcbfdf8f800
                """,
            size: Resolution(width: 640, height: 360), frameRate: 30, codecs: "avc1.64001e"),
        Sample(
            name: "Constrained Baseline 1920×1080, cropped",
            record: """
                0142c028ffe100176742c028da01e0089f97011000003e90000ea600f1832a010004\
                68ce0fc8
                """,
            size: Resolution(width: 1920, height: 1080), frameRate: 30000.0 / 1001, codecs: "avc1.42c028"),
        Sample(
            name: "Constrained Baseline 320×180",
            record: """
                0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a4800100\
                0568cb83cb20
                """,
            size: Resolution(width: 320, height: 180), frameRate: 25, codecs: "avc1.42c00c"),
        Sample(
            name: "High 4:4:4 322×182",
            record: """
                01f4000dffe1001a67f4000d919681519e3e2f0110000003001000000303c0f142aa0100\
                0568ce0f1920fff8f800
                """,
            size: Resolution(width: 322, height: 182), frameRate: 30, codecs: "avc1.f4000d"),
        Sample(
            name: "High 4:2:2, 10 bits, 426×240",
            record: """
                017a0016ffe10019677a0016b6cb40d8ff2780880000030008000003032078b175010004\
                68ce0fc8fefafa00
                """,
            size: Resolution(width: 426, height: 240), frameRate: 50, codecs: "avc1.7a0016"),
        Sample(
            name: "Main, interlaced 720×576",
            record: "014d401effe10018674d401ef405a126c044000003000400000300c87c50aa800100 0468de0fc8",
            size: Resolution(width: 720, height: 576), frameRate: 25, codecs: "avc1.4d401e"),
        Sample(
            name: "Main, interlaced 1920×1080, cropped by fields",
            record: "014d4028ffe10019674d4028f403c0227ef011000003000100000300321f162ea00100 0468de0fc8",
            size: Resolution(width: 1920, height: 1080), frameRate: 25, codecs: "avc1.4d4028"),
        Sample(
            name: "High, full range, 322×178",
            record: """
                0164000dffe1001a6764000df2d02a33c7c7e02d9000000300100000030300f142aa0100\
                0468ce0fc8fcf8f800
                """,
            size: Resolution(width: 322, height: 178), frameRate: 24, codecs: "avc1.64000d"),
        Sample(
            name: "High with scaling lists 480×270",
            record: """
                01640015ffe1001867640015acd941e08feb011000003e90000bb800f162d9600100\
                0768ebe3cb3002c0fdf8f800
                """,
            size: Resolution(width: 480, height: 270), frameRate: 24000.0 / 1001, codecs: "avc1.640015"),
    ]

    @Test("The AVC configuration record of an encoder is read", arguments: samples)
    func readsWhatTheEncoderWrote(sample: Sample) throws {
        let configuration = try AVCConfiguration(record: bytes(sample.record))
        #expect(configuration.resolution == sample.size)
        #expect(configuration.frameRate == sample.frameRate)
        #expect(configuration.codecString == sample.codecs)
        #expect(configuration.lengthSize == 4)
        #expect(configuration.sequenceParameterSets.count == 1)
        #expect(configuration.pictureParameterSets.count == 1)
        #expect(configuration.record == bytes(sample.record))
    }

    @Test("A record made of parameter sets is the one the encoder made", arguments: samples)
    func makesTheRecordTheEncoderWouldHaveMade(sample: Sample) throws {
        let original = try AVCConfiguration(record: bytes(sample.record))
        let made = try AVCConfiguration(
            sequenceParameterSets: original.sequenceParameterSets,
            pictureParameterSets: original.pictureParameterSets)
        #expect(made == original)
    }

    @Test("A record cut short is an error or loses only its extension", arguments: samples)
    func aRecordCutShortIsAnErrorOrLosesOnlyItsExtension(sample: Sample) {
        let record = bytes(sample.record)
        let extensionLength = sample.codecs.hasPrefix("avc1.4") ? 0 : 4
        for length in 0..<record.readableBytes {
            let cut = record.getSlice(at: 0, length: length) ?? ByteBuffer()
            let read = try? AVCConfiguration(record: cut)
            #expect((read != nil) == (length >= record.readableBytes - extensionLength))
        }
    }

    @Test("A record without parameter sets has no size")
    func aRecordWithoutParameterSetsHasNoSize() throws {
        let configuration = try AVCConfiguration(record: bytes("0142801eff e0 00"))
        #expect(configuration.resolution == nil)
        #expect(configuration.frameRate == nil)
        #expect(configuration.codecString == "avc1.42801e")
    }

    @Test(
        "What is no AVC configuration record is refused",
        arguments: [
            ("0242801effe000", "avcC: version 2 is not 1"),
            ("0142801efee000", "avcC: NAL unit lengths of 3 bytes"),
            ("0142801effe1000000", "avcC: an empty parameter set"),
            ("0142801effe10001 6800", "avcC: a sequence parameter set of another NAL unit type"),
            ("0142801effe1000167", "avcC: ends too early"),
        ])
    func refusesWhatIsNoRecord(record: String, reason: String) {
        #expect(throws: MediaParseError("avcC", String(reason.dropFirst(6)))) {
            try AVCConfiguration(record: bytes(record))
        }
    }

    @Test("Hostile parameter sets never trap")
    func hostileParameterSetsNeverTrap() throws {
        var generator = SeededGenerator(seed: 7)
        for sample in Self.samples {
            for _ in 0..<2000 {
                var record = bytes(sample.record)
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 6..<record.readableBytes, using: &generator)
                    record.setInteger(UInt8.random(in: 0...255, using: &generator), at: place)
                }
                if let size = try? AVCConfiguration(record: record).resolution {
                    #expect(size.width > 0 && size.width <= 65_536 && size.height > 0)
                }
            }
        }
    }

    @Test(
        "Parameter sets with scaling lists are read", arguments: [(100, 1, 8), (244, 3, 12)] as [(UInt32, UInt32, Int)])
    func readsPastScalingLists(profile: UInt32, chroma: UInt32, lists: Int) throws {
        var writer = BitWriter()
        writer.write(0x67, bits: 8)
        writer.write(profile << 16 | 30, bits: 24)
        // Identifier 0, chroma format (no separate planes), 8 bits, no bypass, scaling lists.
        writer.write(1, bits: 1)
        writer.write(chroma == 3 ? 0b001000 : 0b010, bits: chroma == 3 ? 6 : 3)
        writer.write(0b1101, bits: 4)
        for list in 0..<lists {
            switch list % 3 {
            case 0:
                // Not there.
                writer.write(0, bits: 1)
            case 1:
                // The default one: a first step of -8, `se` code 17.
                writer.write(0b1_0000_10001, bits: 10)
            default:
                // In full: every step 1, `se` code 010.
                writer.write(1, bits: 1)
                for _ in 0..<(list < 6 ? 16 : 64) {
                    writer.write(0b010, bits: 3)
                }
            }
        }
        // 4 bits of frame number, order count type 2, one reference, no gaps.
        writer.write(0b1_011_010_0, bits: 8)
        // 20 by 12 macroblocks, frames only, direct inference, no cropping, no VUI.
        writer.write(0b000010100, bits: 9)
        writer.write(0b0001100, bits: 7)
        writer.write(0b1100_1, bits: 5)
        writer.align()
        let set = try AVCSequenceParameterSet(nalUnit: writer.bytes)
        #expect(set.resolution == Resolution(width: 320, height: 192))
        #expect(set.chromaFormat == chroma)
        #expect(set.framesOnly)
        #expect(set.frameRate == nil)
    }

    @Test(
        "A recovery point is found",
        arguments: [
            ("06 06 01 c4 80", true), ("06 01 01 00 06 01 c4 80", true), ("06 05 02 06 06 80", false), ("06 80", false),
            ("06 ff", false), ("06 01 ff 01", false), ("65 06 01 c4 80", false), ("", false),
        ])
    func findsARecoveryPoint(unit: String, found: Bool) {
        #expect(AVCNALUnitType.isRecoveryPoint(bytes(unit)) == found)
    }
}
