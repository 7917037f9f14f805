import NIOCore
import Testing

@testable import Media

/// Records written by ffmpeg 5.1 with libx265, libaom, libsvtav1 and libvpx-vp9 into MP4 (x265's own banner left out of
/// `hvcC`); sizes as ffprobe names them.
@Suite struct OtherVideoConfigurationTests {
    static let main = """
        0101600000009000000000003ff000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003f959409\
        a10001002b42010101600000030090000003000003003fa005020171f2e595952930bc05a020000003002000000303c1a2000100\
        064401c073c189
        """
    static let main10 = """
        01022000000090000000000078f000fcfdfafa00000f03a00001001840010c01ffff022000000300900000030000030078959409\
        a10001002d420101022000000300900000030000030078a003c0801107cad965654a4c2f016808000003000800000300c840a200\
        0100064401c073c189
        """
    static let rangeExtensions = """
        0104080000009e08000000003cf000fcfff8f800000f03a00001001740010c01ffff0408000003009e0800000300003c959409a1\
        0001002a4201010408000003009e0800000300003c90015101838f8bcb2b2a5261780b4040000003004000000642a20001000844\
        01c07318301890
        """

    static let cropped = """
        0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959409\
        a10001002b42010101600000030090000003000003003ca00d880f1c926595952930bc05a020000003002000000303c1a2000100\
        064401c073c189
        """
    static let croppedHalfSampled = """
        0104080000009d08000000003cf000fcfef8f800000f03a00001001740010c01ffff0408000003009d0800000300003c959409a1\
        0001002a4201010408000003009d0800000300003cb00d880f1c93e595952930bc05a020000003002000000303c1a20001000644\
        01c073c189
        """

    @Test(
        "An HEVC configuration record is read",
        arguments: [
            (cropped, 426, 234, "hvc1.1.6.L60.90"), (croppedHalfSampled, 426, 234, "hvc1.4.10.L60.9D.8"),
            (main, 640, 360, "hvc1.1.6.L63.90"), (main10, 1920, 1080, "hvc1.2.4.L120.90"),
            (rangeExtensions, 322, 182, "hvc1.4.10.L60.9E.8"),
        ])
    func readsHEVC(record: String, width: Int, height: Int, codecs: String) throws {
        let configuration = try HEVCConfiguration(record: bytes(record))
        #expect(configuration.resolution == Resolution(width: width, height: height))
        #expect(configuration.codecString == codecs)
        #expect(configuration.lengthSize == 4)
        #expect(configuration.videoParameterSets.count == 1)
        let made = try HEVCConfiguration(
            videoParameterSets: configuration.videoParameterSets,
            sequenceParameterSets: configuration.sequenceParameterSets,
            pictureParameterSets: configuration.pictureParameterSets)
        #expect(made == configuration)
    }

    @Test("HEVC's codec string is the standard's")
    func namesHEVCAsTheStandardDoes() throws {
        // The standard's own example: Main, compatible with Main and Main 10, level 3.1, progressive and frames only.
        let example = try HEVCConfiguration(record: bytes("01 01 60000000 B00000000000 5D F000FCFDF8F800000F 00"))
        #expect(example.codecString == "hvc1.1.6.L93.B0")
        let spaced = try HEVCConfiguration(record: bytes("01 A1 60000000 000000000000 5D F000FCFDF8F800000F 00"))
        #expect(spaced.codecString == "hvc1.B1.6.H93")
        #expect(spaced.resolution == nil)
    }

    @Test("An HEVC record cut short is an error", arguments: [main, main10, rangeExtensions])
    func anHEVCRecordCutShortIsAnError(record: String) {
        let whole = bytes(record)
        for length in 0..<whole.readableBytes {
            #expect(throws: MediaParseError.self) {
                try HEVCConfiguration(record: whole.getSlice(at: 0, length: length) ?? ByteBuffer())
            }
        }
    }

    @Test(
        "An AV1 configuration record is read",
        arguments: [
            ("81000c000a0b000000043cfed4daf90040", 320, 182, "av01.0.00M.08"),
            ("81014c000a0b0000000cc4ff6700be1010", 640, 360, "av01.0.01M.10"),
        ])
    func readsAV1(record: String, width: Int, height: Int, codecs: String) throws {
        let configuration = try AV1Configuration(record: bytes(record))
        #expect(configuration.resolution == Resolution(width: width, height: height))
        #expect(configuration.codecString == codecs)
    }

    @Test("AV1 without a sequence header has no size")
    func av1WithoutASequenceHeaderHasNoSize() throws {
        let configuration = try AV1Configuration(record: bytes("81 04 0c 00"))
        #expect(configuration.resolution == nil)
        #expect(configuration.codecString == "av01.0.04M.08")
        let high = try AV1Configuration(record: bytes("81 2d ec 00"))
        #expect(high.codecString == "av01.1.13H.12")
        #expect(throws: MediaParseError("av1C", "its marker and version are not 1")) {
            try AV1Configuration(record: bytes("01040c00"))
        }
        #expect(throws: MediaParseError("av1C", "ends too early")) { try AV1Configuration(record: bytes("81040c")) }
        // A unit that claims more than there is.
        #expect(try AV1Configuration(record: bytes("81040c00 0aff01")).resolution == nil)
        #expect(try AV1Configuration(record: bytes("81040c00 0affffffffffffffffff")).resolution == nil)
    }

    @Test(
        "A VP9 configuration record is read, with and without its box's version",
        arguments: [
            ("01000000 000b820202020000", "vp09.00.11.08"), ("000b820202020000", "vp09.00.11.08"),
            ("02 0a a2 0101010000", "vp09.02.10.10"),
        ])
    func readsVP9WithAndWithoutTheBoxesVersion(record: String, codecs: String) throws {
        let configuration = try VP9Configuration(record: bytes(record))
        #expect(configuration.codecString == codecs)
        #expect(configuration.fields.readableBytes == 8)
        #expect(configuration.resolution == nil)
    }

    @Test("What is no VP9 configuration record is refused")
    func refusesWhatIsNoVP9Record() {
        #expect(throws: MediaParseError("vpcC", "ends too early")) { try VP9Configuration(record: bytes("000b82")) }
        #expect(throws: MediaParseError("vpcC", "profile 4")) {
            try VP9Configuration(record: bytes("040b820202020000"))
        }
        #expect(throws: MediaParseError("vpcC", "a bit depth of 9")) {
            try VP9Configuration(record: bytes("000b920202020000"))
        }
    }
}
