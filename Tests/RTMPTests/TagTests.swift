import Media
import NIOCore
import Testing

@testable import RTMP

struct TagTests {
    struct VideoCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var body: String
        var codec: VideoCodec
        var content: VideoTag.Content
        var isKeyframe = false
        var nanoseconds: Int64 = 0
        var trackID: UInt8 = 0
    }

    static let video: [VideoCase] = [
        .init(
            testDescription: "AVC header", body: "17 00 000000 0164", codec: .avc, content: .sequenceHeader(hex("0164"))
        ),
        .init(
            testDescription: "AVC keyframe", body: "17 01 000042 AABB", codec: .avc,
            content: .codedFrames(hex("AABB"), compositionOffset: 66), isKeyframe: true),
        .init(
            testDescription: "AVC negative offset", body: "27 01 FFFFBE AA", codec: .avc,
            content: .codedFrames(hex("AA"), compositionOffset: -66)),
        .init(testDescription: "AVC end", body: "17 02 000000", codec: .avc, content: .endOfSequence),
        .init(testDescription: "AVC command", body: "57 01", codec: .avc, content: .command(1)),
        .init(
            testDescription: "HEVC id 12", body: "1C 01 000000 AA", codec: .hevc,
            content: .codedFrames(hex("AA"), compositionOffset: 0), isKeyframe: true),
        .init(
            testDescription: "hvc1 header", body: "90 68766331 AA", codec: .hevc, content: .sequenceHeader(hex("AA"))),
        .init(
            testDescription: "hvc1 frames", body: "91 68766331 FFFFFF AA", codec: .hevc,
            content: .codedFrames(hex("AA"), compositionOffset: -1), isKeyframe: true),
        .init(
            testDescription: "hvc1 framesX", body: "A3 68766331 AA", codec: .hevc,
            content: .codedFrames(hex("AA"), compositionOffset: 0)),
        .init(
            testDescription: "avc1 frames", body: "91 61766331 000001 AA", codec: .avc,
            content: .codedFrames(hex("AA"), compositionOffset: 1), isKeyframe: true),
        .init(
            testDescription: "av01 frames have no offset", body: "91 61763031 AABBCC", codec: .av1,
            content: .codedFrames(hex("AABBCC"), compositionOffset: 0), isKeyframe: true),
        .init(
            testDescription: "av01 TS", body: "95 61763031 AA", codec: .av1, content: .mpeg2TSSequenceHeader(hex("AA"))),
        .init(testDescription: "vp09 end", body: "92 76703039", codec: .vp9, content: .endOfSequence),
        .init(testDescription: "vp08 header", body: "90 76703038", codec: .vp8, content: .sequenceHeader(ByteBuffer())),
        .init(testDescription: "metadata", body: "94 68766331 0200", codec: .hevc, content: .metadata(hex("0200"))),
        .init(
            testDescription: "ModEx nanoseconds", body: "97 02 00C350 03 61763031 AA", codec: .av1,
            content: .codedFrames(hex("AA"), compositionOffset: 0), isKeyframe: true, nanoseconds: 50_000),
        .init(
            testDescription: "two ModEx, one unknown", body: "97 00 AA 17 02 000001 03 61763031 AA", codec: .av1,
            content: .codedFrames(hex("AA"), compositionOffset: 0), isKeyframe: true, nanoseconds: 1),
        .init(
            testDescription: "one track", body: "96 01 68766331 03 000002 AA", codec: .hevc,
            content: .codedFrames(hex("AA"), compositionOffset: 2), isKeyframe: true,
            trackID: 3),
        .init(
            testDescription: "another track's header", body: "96 00 68766331 02 AA", codec: .hevc,
            content: .sequenceHeader(hex("AA")), trackID: 2),
        .init(
            testDescription: "another track's colour information", body: "96 04 68766331 02 0200", codec: .hevc,
            content: .metadata(hex("0200")), trackID: 2),
        .init(
            testDescription: "another track's end", body: "96 02 61763031 02", codec: .av1, content: .endOfSequence,
            trackID: 2),
    ]

    @Test("Video tags are read", arguments: video)
    func videoTags(expected: VideoCase) throws {
        let tag = try VideoTag.parse(hex(expected.body))
        #expect(tag.codec == expected.codec)
        #expect(tag.content == expected.content)
        #expect(tag.isKeyframe == expected.isKeyframe)
        #expect(tag.nanosecondOffset == expected.nanoseconds)
        #expect(tag.trackID == expected.trackID)
    }

    @Test("Headers, channel orders and ends of audio tracks name their track")
    func audioTracks() throws {
        for (body, id, content) in [
            ("95 00 4F707573 03 AA", 3, AudioTag.Content.sequenceHeader(hex("AA"))),
            ("95 04 4F707573 03 0102", 3, .multichannelConfiguration(hex("0102"))),
            ("95 02 4F707573 03", 3, .endOfSequence),
        ] {
            let tag = try AudioTag.parse(hex(body))
            #expect(tag.trackID == id)
            #expect(tag.content == content)
        }
    }

    @Test(
        "Audio tags are read",
        arguments: [
            ("AF 00 1210", AudioCodec.aac, AudioTag.Content.sequenceHeader(hex("1210"))),
            ("AF 01 AA", .aac, .codedFrames(hex("AA"))), ("2F FFFB", .mp3, .codedFrames(hex("FFFB"))),
            ("EE FFFB", .mp3, .codedFrames(hex("FFFB"))), ("90 4F707573 AA", .opus, .sequenceHeader(hex("AA"))),
            ("91 4F707573 AA", .opus, .codedFrames(hex("AA"))), ("91 6D703461 AA", .aac, .codedFrames(hex("AA"))),
            ("91 2E6D7033 AA", .mp3, .codedFrames(hex("AA"))), ("91 61632D33 AA", .ac3, .codedFrames(hex("AA"))),
            ("91 65632D33 AA", .eac3, .codedFrames(hex("AA"))), ("90 664C6143 AA", .flac, .sequenceHeader(hex("AA"))),
            ("92 664C6143", .flac, .endOfSequence), ("94 4F707573 01", .opus, .multichannelConfiguration(hex("01"))),
            ("97 02 000005 01 4F707573 AA", .opus, .codedFrames(hex("AA"))),
            ("95 01 4F707573 00 AA", .opus, .codedFrames(hex("AA"))),
        ])
    func audioTags(body: String, codec: AudioCodec, content: AudioTag.Content) throws {
        let tag = try AudioTag.parse(hex(body))
        #expect(tag.codec == codec)
        #expect(tag.content == content)
    }

    @Test(
        "Video of a codec that is not carried is reported as unsupported",
        arguments: ["12 00", "22 AA", "14 AA", "91 78787878 AA", "00"])
    func videoCodecsNotCarried(body: String) {
        #expect(code { _ = try VideoTag.parse(hex(body)) } == .unsupportedCodec)
    }

    @Test(
        "Audio of a codec that is not carried is reported as unsupported",
        arguments: ["B2 AA", "72 AA", "02 AA", "52 AA", "91 78787878 AA"])
    func audioCodecsNotCarried(body: String) {
        #expect(code { _ = try AudioTag.parse(hex(body)) } == .unsupportedCodec)
    }

    @Test(
        "Malformed video tags are errors",
        arguments: [
            "", "17", "17 01", "17 01 0000", "17 03 000000", "90 6876", "91 68766331 0000", "97", "97 FF",
            "97 FF FFFF 00", "96", "96 10 61763031", "96 10 61763031 01 FFFFFF AA", "98 68766331",
        ])
    func malformedVideo(body: String) {
        #expect(code { _ = try VideoTag.parse(hex(body)) } == .malformedTag)
    }

    @Test(
        "Malformed audio tags are errors",
        arguments: ["", "AF", "AF 02", "90", "91 4F70", "95", "95 11 4F707573", "93 4F707573", "97"])
    func malformedAudio(body: String) {
        #expect(code { _ = try AudioTag.parse(hex(body)) } == .malformedTag)
    }

    @Test("Payloads are slices of the message")
    func payloadsAreSlicesOfTheMessage() throws {
        var body = hex("17 01 000000")
        body.writeRepeatingByte(1, count: 100)
        let address = body.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        guard case .codedFrames(let payload, _) = try VideoTag.parse(body).content else {
            Issue.record("no frames")
            return
        }
        #expect(payload.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address + 5)
    }

    @Test("Access units carry time and offset")
    func accessUnitsCarryTimeAndOffset() throws {
        let tag = try VideoTag.parse(hex("97 02 00C350 01 68766331 FFFFFF AA"))
        let unit = try #require(tag.accessUnit(decodeTime: MediaTime(milliseconds: 10)))
        #expect(unit.decodeTime == MediaTime(nanoseconds: 10_050_000))
        #expect(unit.compositionOffset == MediaTime(milliseconds: -1))
        #expect(unit.isKeyframe)
        #expect(unit.payload == hex("AA"))
        #expect(try VideoTag.parse(hex("17 02 000000")).accessUnit(decodeTime: .zero) == nil)
    }

    @Test("Configurations come from headers")
    func configurationsComeFromHeaders() throws {
        let aac = try #require(try AudioTag.parse(hex("AF 00 1210")).codecConfiguration())
        #expect(aac.codecString == "mp4a.40.2")
        #expect(try AudioTag.parse(hex("AF 01 AA")).codecConfiguration() == nil)
        let flac = hex("90 664C6143 1200120000015000 05170bb802f000005dc0a2fc3617bc0e6c99e035cbe06fb4e52a")
        #expect(try AudioTag.parse(flac).codecConfiguration()?.codecString == "fLaC")
        // AC-3 has no header; an encoder that sends one all the same sends an empty one.
        #expect(try AudioTag.parse(hex("90 61632D33")).codecConfiguration() == nil)
    }

    @Test("Video tags that are built read back", arguments: VideoCodec.allCases, [true, false])
    func builtVideoReadsBack(codec: VideoCodec, isKeyframe: Bool) throws {
        let offset = codec == .avc || codec == .hevc ? MediaTime(milliseconds: -40) : .zero
        let unit = AccessUnit(
            codec: .video(codec), decodeTime: .zero, compositionOffset: offset, isKeyframe: isKeyframe,
            payload: hex("AABB"))
        #expect(try VideoTag.parse(TagBuilder.codedFrames(unit)).accessUnit(decodeTime: .zero) == unit)
        let header = try VideoTag.parse(TagBuilder.sequenceHeader(codec, record: hex("0102")))
        #expect(header.content == .sequenceHeader(hex("0102")))
        #expect(header.codec == codec)
        #expect(try VideoTag.parse(TagBuilder.endOfSequence(codec)).content == .endOfSequence)
    }

    @Test("Audio tags that are built read back", arguments: AudioCodec.allCases)
    func builtAudioReadsBack(codec: AudioCodec) throws {
        let unit = AccessUnit(codec: .audio(codec), decodeTime: .zero, isKeyframe: true, payload: hex("AABB"))
        #expect(try AudioTag.parse(TagBuilder.codedFrames(unit)).accessUnit(decodeTime: .zero) == unit)
        guard codec != .mp3 else { return }
        let header = try AudioTag.parse(TagBuilder.sequenceHeader(codec, record: hex("0102")))
        #expect(header.content == .sequenceHeader(hex("0102")))
    }
}
