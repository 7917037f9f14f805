import NIOCore
import Testing

@testable import Media

/// Records written by ffmpeg 5.1 with the encoders named, whose own MP4 writer says the same in `colr`.
@Suite struct VideoColorTests {
    private static let hlg = VideoColor(primaries: 9, transfer: 18, matrix: 9, isFullRange: false)
    private static let pq = VideoColor(primaries: 9, transfer: 16, matrix: 9, isFullRange: false)

    static let x264 = """
        016e000cffe1001e676e000ca6cd941419f9f016a12241280000030008000003019078a14cb001000668ebe3cb22c0fdfafa00
        """
    static let x265 = """
        0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003003c959409\
        a10001002e42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a84880482000000300200000030321a2\
        000100064401c073c189
        """
    /// Full range, with scaling lists, four B-frames and sets of references that differ from each other.
    static let x265Medium = """
        0102200000009000000000003cf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003003c959809\
        a10001002d42010102200000030090000003000003003ca00a080b9f6d96566924e5780b7091209040000003004000000642a200\
        0100074401c172b46240
        """

    @Test("H.264's parameter set tells the colors")
    func avc() throws {
        let configuration = try AVCConfiguration(record: bytes(Self.x264))
        #expect(configuration.color == Self.hlg)
        #expect(configuration.color.range == .hlg)
        #expect(configuration.frameRate == 25)
        let made = try AVCConfiguration(
            sequenceParameterSets: configuration.sequenceParameterSets,
            pictureParameterSets: configuration.pictureParameterSets)
        #expect(made.color == Self.hlg)
    }

    @Test("H.265's parameter set tells the colors, behind whatever stands before them")
    func hevc() throws {
        let configuration = try HEVCConfiguration(record: bytes(Self.x265))
        #expect(configuration.color == Self.pq)
        #expect(configuration.color.range == .pq)
        var expected = Self.hlg
        expected.isFullRange = true
        #expect(try HEVCConfiguration(record: bytes(Self.x265Medium)).color == expected)
    }

    @Test("A parameter set of H.265 that ends before its colors still tells the size")
    func hevcCutShort() throws {
        let set = try #require(try HEVCConfiguration(record: bytes(Self.x265)).sequenceParameterSets.first)
        let cut = try HEVCSequenceParameterSet(nalUnit: try #require(set.getSlice(at: set.readerIndex, length: 30)))
        #expect(cut.resolution == Resolution(width: 320, height: 180))
        #expect(cut.color == VideoColor())
    }

    @Test(
        "AV1's sequence header tells the colors",
        arguments: ["81004c000a0e000000043cfecc02f85091009040", "81004c000a0e000000043cfeccdaf95091009040"])
    func av1(record: String) throws {
        #expect(try AV1Configuration(record: bytes(record)).color == Self.pq)
    }

    @Test("VP9's record tells the colors")
    func vp9() throws {
        #expect(try VP9Configuration(record: bytes("01000000 020ba20910090000")).color == Self.pq)
        #expect(
            try VP9Configuration(record: bytes("000b830101010000")).color
                == VideoColor(primaries: 1, transfer: 1, matrix: 1, isFullRange: true))
        // 2 is "unspecified".
        #expect(try VP9Configuration(record: bytes("000b820202020000")).color == VideoColor(isFullRange: false))
    }

    @Test("A record without colors has none, and a stream without a transfer function is of no known range")
    func none() throws {
        let configuration = CodecConfiguration.hevc(
            try HEVCConfiguration(record: bytes(OtherVideoConfigurationTests.main)))
        #expect(configuration.color.range == nil)
        #expect(!configuration.color.hasCodes)
        #expect(VideoColor(transfer: 1).range == .sdr)
        #expect(VideoColor(transfer: 14).range == .sdr)
        #expect(CodecConfiguration.aac(try AACConfiguration(record: bytes("1210"))).color == VideoColor())
    }

    @Test("What is announced comes first, and what it does not say stays")
    func completion() {
        let light = VideoColor.ContentLight(maximum: 1_000, maximumAverage: 400)
        let announced = VideoColor(transfer: 18, contentLight: light)
        #expect(
            announced.completed(by: Self.pq)
                == VideoColor(primaries: 9, transfer: 18, matrix: 9, isFullRange: false, contentLight: light))
        #expect(VideoColor().completed(by: Self.pq) == Self.pq)
    }
}
