import NIOCore
import Testing

@testable import Media

/// AudioSpecificConfigs, frames and headers as ffmpeg 5.1 (aac, libmp3lame, libopus) wrote them, and those of HE-AAC
/// as ISO/IEC 14496-3 spells them.
@Suite struct AudioConfigurationTests {
    @Test(
        "An AAC configuration is read",
        arguments: [
            ("121056e500", 2, 44_100, 2, "mp4a.40.2"), ("118856e500", 2, 48_000, 1, "mp4a.40.2"),
            ("11b056e500", 2, 48_000, 6, "mp4a.40.2"), ("11b856e500", 2, 48_000, 8, "mp4a.40.2"),
            ("0b8856e500", 1, 22_050, 1, "mp4a.40.1"),
            ("118004c4010020000d4c61766335392e33372e31303056e500", 2, 48_000, 3, "mp4a.40.2"),
            ("1210", 2, 44_100, 2, "mp4a.40.2"),
            // The sample rate written in full: 37,800 Hz, stereo.
            ("17804 9d4 10", 2, 37_800, 2, "mp4a.40.2"),
        ])
    func readsAAC(record: String, type: Int, rate: Int, channels: Int, codecs: String) throws {
        let configuration = try AACConfiguration(record: bytes(record))
        #expect(configuration.objectType == type)
        #expect(configuration.sampleRate == rate)
        #expect(configuration.outputSampleRate == rate)
        #expect(configuration.channels == channels)
        #expect(configuration.codecString == codecs)
        #expect(configuration.samplesPerFrame == 1024)
        #expect(configuration.record == bytes(record))
    }

    @Test(
        "A high-efficiency AAC configuration is read",
        arguments: [
            // Explicit: object type 5, core 22,050 Hz, extended to 44,100 Hz.
            ("2b920800", "mp4a.40.5", 22_050, 44_100, 2, false),
            // Explicit with parametric stereo: object type 29, mono.
            ("eb8a0800", "mp4a.40.29", 22_050, 44_100, 1, true),
            // Behind the core's fields: the sync extension, 24,000 to 48,000 Hz.
            ("131056e598", "mp4a.40.5", 24_000, 48_000, 2, false),
            // And with parametric stereo behind that.
            ("130856e59d4880", "mp4a.40.29", 24_000, 48_000, 1, true),
        ])
    func readsHighEfficiencyAAC(
        record: String, codecs: String, core: Int, output: Int, channels: Int, parametric: Bool
    ) throws {
        let configuration = try AACConfiguration(record: bytes(record))
        #expect(configuration.codecString == codecs)
        #expect(configuration.objectType == 2)
        #expect(configuration.sampleRate == core)
        #expect(configuration.outputSampleRate == output)
        #expect(configuration.channels == channels)
        #expect(configuration.hasSpectralBandReplication)
        #expect(configuration.hasParametricStereo == parametric)
    }

    @Test("An AudioSpecificConfig is made", arguments: zip(1...7, [1, 2, 3, 4, 5, 6, 8]))
    func makesAnAudioSpecificConfig(channelConfiguration: Int, channels: Int) throws {
        for rate in [96_000, 44_100, 7_350, 37_800] {
            let made = try AACConfiguration(
                objectType: 2, sampleRate: rate, channelConfiguration: channelConfiguration)
            #expect(made.channels == channels)
            #expect(made.sampleRate == rate)
            #expect(made.objectType == 2)
        }
        let plain = try AACConfiguration(objectType: 2, sampleRate: 44_100, channelConfiguration: 2)
        #expect(plain.record == bytes("1210"))
    }

    @Test("What is no AudioSpecificConfig is refused")
    func refusesWhatIsNoAudioSpecificConfig() {
        for (record, reason) in [
            ("", "ends too early"), ("12", "ends too early"), ("0210", "object type 0"),
            ("16 90", "sample rate index 13"), ("1250", "channel configuration 10"), ("1780", "ends too early"),
            ("1180", "ends too early"),
        ] {
            #expect(throws: MediaParseError("AudioSpecificConfig", reason)) {
                try AACConfiguration(record: bytes(record))
            }
        }
        #expect(throws: MediaParseError.self) {
            try AACConfiguration(objectType: 2, sampleRate: 44_100, channelConfiguration: 0)
        }
    }

    @Test("The ADTS header is the one that ffmpeg writes")
    func writesTheADTSHeaderThatFFmpegWrites() throws {
        // ffmpeg -c:a aac -f adts, 44,100 Hz stereo, a frame of 338 bytes.
        let stereo = try AACConfiguration(record: bytes("1210"))
        var buffer = ByteBuffer()
        try stereo.writeADTSHeader(frameLength: 338, into: &buffer)
        #expect(buffer == bytes("fff150802b3ffc"))
        let header = try #require(try ADTSHeader(buffer))
        #expect(header.objectType == 2)
        #expect(header.sampleRate == 44_100)
        #expect(header.channelConfiguration == 2)
        #expect(header.headerLength == 7)
        #expect(header.frameLength == 345)
        #expect(header.samples == 1024)
    }

    @Test("The program config element stands behind the ADTS header")
    func putsTheProgramConfigElementBehindTheADTSHeader() throws {
        let configuration = try AACConfiguration(record: bytes("118004c4010020000d4c61766335392e33372e313030"))
        var buffer = ByteBuffer()
        try configuration.writeADTSHeader(frameLength: 27, into: &buffer)
        // As ffmpeg -c copy -f adts writes it for the same record and frame.
        #expect(buffer == bytes("fff14c0006dffc a098802004000d4c61766335392e33372e313030"))
        #expect(try ADTSHeader(buffer)?.frameLength == 7 + 20 + 27)
        #expect(try ADTSHeader(buffer)?.channelConfiguration == 0)
    }

    @Test("A frame too long for ADTS is an error")
    func aFrameTooLongForADTSIsAnError() throws {
        let stereo = try AACConfiguration(record: bytes("1210"))
        var buffer = ByteBuffer()
        try stereo.writeADTSHeader(frameLength: 8184, into: &buffer)
        #expect(throws: MediaParseError("ADTS header", "a frame of 8185 bytes is too long")) {
            try stereo.writeADTSHeader(frameLength: 8185, into: &buffer)
        }
        #expect(throws: MediaParseError("ADTS header", "a frame of -1 bytes is too long")) {
            try stereo.writeADTSHeader(frameLength: -1, into: &buffer)
        }
        #expect(throws: MediaParseError.self) { try stereo.writeADTSHeader(frameLength: .max, into: &buffer) }
        let odd = try AACConfiguration(objectType: 2, sampleRate: 37_800, channelConfiguration: 2)
        #expect(odd.reasonAgainstADTS == "a sample rate of 37800 Hz does not fit into ADTS")
        #expect(throws: MediaParseError.self) { try odd.writeADTSHeader(frameLength: 1, into: &buffer) }
        #expect(buffer.readableBytes == 7)
    }

    @Test(
        "An MP3 frame header is read",
        arguments: [
            ("fffb5000", 44_100, 2, 64_000, 208, 1152), ("fff370c0", 22_050, 1, 56_000, 182, 576),
            ("ffe340c0", 11_025, 1, 32_000, 208, 576), ("fffb92 64", 44_100, 2, 128_000, 418, 1152),
        ])
    func readsMP3(frame: String, rate: Int, channels: Int, bitRate: Int, length: Int, samples: Int) throws {
        let header = try #require(try MP3FrameHeader(bytes(frame)))
        #expect(header.bitRate == bitRate)
        #expect(header.frameLength == length)
        let configuration = try MP3Configuration(frame: bytes(frame))
        #expect(configuration.sampleRate == rate)
        #expect(configuration.channels == channels)
        #expect(configuration.samplesPerFrame == samples)
        #expect(configuration.codecString == "mp4a.40.34")
        #expect(configuration.frameDuration == MediaTime(ticks: Int64(samples), timescale: Int64(rate)))
    }

    @Test(
        "What is no MP3 frame header is refused",
        arguments: [
            ("fffb50", "ends too early"), ("fe fb5000", "no sync word"), ("fffd5000", "a layer other than III"),
            ("fffb0000", "bit rate index 0"), ("fffbf000", "bit rate index 15"), ("fffb5c00", "a reserved sample rate"),
            ("ffeb5000", "a reserved version"),
        ])
    func refusesWhatIsNoMP3(frame: String, reason: String) {
        #expect(throws: MediaParseError("MP3 frame", reason)) { try MP3Configuration(frame: bytes(frame)) }
    }

    @Test("An OpusHead is read")
    func readsOpus() throws {
        let stereo = try OpusConfiguration(record: bytes("4f707573486561640102380180bb0000000000"))
        #expect(stereo.channels == 2)
        #expect(stereo.preSkip == 312)
        #expect(stereo.inputSampleRate == 48_000)
        #expect(stereo.streams == 1)
        #expect(stereo.coupledStreams == 1)
        #expect(stereo.codecString == "opus")
        let surround = try OpusConfiguration(
            record: bytes("4f707573486561640106380180bb00000000010402000401020305"))
        #expect(surround.channels == 6)
        #expect(surround.mappingFamily == 1)
        #expect(surround.streams == 4)
        #expect(surround.coupledStreams == 2)
        #expect(surround.channelMapping == [0, 4, 1, 2, 3, 5])
    }

    @Test(
        "What is no OpusHead is refused",
        arguments: [
            ("4f70757354616773", "no OpusHead"), ("4f70757348656164", "ends too early"),
            ("4f707573486561640100380180bb0000000000", "no channels"),
            ("4f707573486561641102380180bb0000000000", "a version over 15"),
            ("4f707573486561640103380180bb0000000000", "3 channels in mapping family 0"),
            ("4f707573486561640106380180bb000000000104050004", "4 streams, 5 of them coupled"),
            ("4f707573486561640106380180bb0000000001040200040102", "ends too early"),
        ])
    func refusesWhatIsNoOpusHead(record: String, reason: String) {
        #expect(throws: MediaParseError("OpusHead", reason)) { try OpusConfiguration(record: bytes(record)) }
    }

    @Test(
        "The duration of an Opus packet is read",
        arguments: [
            ("fcb4065a", 960), ("fd00", 1920), ("e0", 120), ("18", 2880), ("63 02", 960), ("ff03", 2880), ("ff07", nil),
            ("ff00", nil), ("ff", nil), ("", nil), ("7900", 1920), ("9b82", 1920),
        ] as [(String, Int?)])
    func readsAnOpusPacketsLength(packet: String, samples: Int?) {
        #expect(OpusConfiguration.samples(inPacket: bytes(packet)) == samples)
    }
}
