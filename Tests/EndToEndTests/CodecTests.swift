import Foundation
import Media
import NIOCore
import RTMP
import TestSupport
import Testing

/// What only enhanced RTMP carries, from an encoder's messages to players of HLS.
@Suite(.serialized) struct CodecTests {
    private struct Message {
        var type: RTMPMessageType
        var timestamp: UInt32
        var body: ByteBuffer
    }

    /// A file's pictures and sound as an encoder sends them, headers first.
    private func messages(_ media: SourceMedia, audio: AudioCodec?) async throws -> [Message] {
        let file = try await MP4Samples(media)
        var messages = [
            Message(
                type: .video, timestamp: 0, body: TagBuilder.sequenceHeader(.avc, record: try file.box("avcC")))
        ]
        if audio == .flac {
            var record = try file.box("dfLa")
            // The box's version and flags.
            record.moveReaderIndex(forwardBy: 4)
            messages.append(
                Message(type: .audio, timestamp: 0, body: TagBuilder.sequenceHeader(.flac, record: record)))
        }
        for sample in file.samples {
            guard let codec = sample.isVideo ? Codec.video(.avc) : audio.map(Codec.audio) else { continue }
            let unit = AccessUnit(
                codec: codec, decodeTime: .zero,
                compositionOffset: MediaTime(milliseconds: Int64(sample.isVideo ? sample.composition : 0)),
                isKeyframe: sample.isKeyframe, payload: sample.payload)
            messages.append(
                Message(
                    type: sample.isVideo ? .video : .audio, timestamp: UInt32(sample.decode),
                    body: TagBuilder.codedFrames(unit)))
        }
        return messages
    }

    private func send(_ messages: some Sequence<Message>, from publisher: RTMPPeer) async throws {
        for message in messages {
            try await publisher.send(message.type, timestamp: message.timestamp, body: message.body)
        }
    }

    @Test(
        "AC-3, Enhanced AC-3 and FLAC pass untouched, over HLS as well",
        arguments: [(AudioCodec.ac3, "ac-3"), (.eac3, "ec-3"), (.flac, "fLaC")])
    func audioPassesUntouched(codec: AudioCodec, name: String) async throws {
        let source =
            switch codec {
            case .ac3: try await SourceMedia.h264AC3MP4()
            case .eac3: try await SourceMedia.h264EAC3MP4()
            default: try await SourceMedia.h264FLACMP4()
            }
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show", isEnhanced: true)
        try await send(try await messages(source, audio: codec), from: publisher)
        try await publisher.stop()
        let ended = try await origin.endedPlaylist("show")
        #expect(ended.segments.allSatisfy { $0.name.hasSuffix(".m4s") })
        let master = try await HTTPGet(origin.playlist("show")).text
        #expect(master.contains(",\(name)\""), "\(master)")

        let made = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.none, audio: StreamPackets.Filter.none)
        let played = try await StreamPackets.slices(
            of: origin.playlist("show"), options: ["-live_start_index", "0"], video: StreamPackets.Filter.none,
            audio: StreamPackets.Filter.none)
        // Without a header that announces it, the stream begins for viewers where both kinds are known.
        #expect(played.all.video.count >= 100 && played.all.audio.count >= 40)
        #expect(played.all.video.map(\.hash) == made.all.video.suffix(played.all.video.count).map(\.hash))
        #expect(played.all.audio.map(\.hash) == made.all.audio.suffix(played.all.audio.count).map(\.hash))
        let folder = try Folder()
        let file = try await origin.download(ended, of: "show", into: folder)
        _ = try await cleanOutput(of: ["ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"], in: folder)

        if codec != .flac {
            // The same frames in MPEG-TS.
            let old = try await StreamPackets.slices(
                of: origin.playlist("show") + "?format=ts", options: ["-live_start_index", "0"], video: nil,
                audio: StreamPackets.Filter.none)
            #expect(old.all.audio.map(\.hash) == played.all.audio.map(\.hash))
        }
    }

    /// `cc_data` with a control code of channel CC1, in front of an access unit.
    private func captioned(_ body: ByteBuffer) -> ByteBuffer {
        let message: [UInt8] = [
            0x06, 0x04, 14, 0xB5, 0, 0x31, 0x47, 0x41, 0x39, 0x34, 3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF, 0x80,
        ]
        var captioned = ByteBuffer(bytes: body.readableBytesView.prefix(5))
        captioned.writeInteger(UInt32(message.count))
        captioned.writeBytes(message)
        captioned.writeBytes(body.readableBytesView.dropFirst(5))
        return captioned
    }

    /// BT.2020 with PQ, and a display of 1,000 candelas.
    private var colorInfo: ByteBuffer {
        var body = ByteBuffer(bytes: [0x94] + Array("avc1".utf8))
        let info: AMFObject = [
            "colorConfig": .object([
                "bitDepth": 10, "colorPrimaries": 9, "transferCharacteristics": 16, "matrixCoefficients": 9,
            ]),
            "hdrCll": .object(["maxFall": 400, "maxCLL": 1000]),
            "hdrMdcv": .object([
                "redX": 0.68, "redY": 0.32, "greenX": 0.265, "greenY": 0.69, "blueX": 0.15, "blueY": 0.06,
                "whitePointX": 0.3127, "whitePointY": 0.329, "maxLuminance": 1000, "minLuminance": 0.005,
            ]),
        ]
        AMF0Encoder.encode("colorInfo", into: &body)
        AMF0Encoder.encode(.object(info), into: &body)
        return body
    }

    private func text(_ text: String, at timestamp: UInt32) -> Message {
        let message = RTMPDataMessage(streamID: 1, name: "onTextData", values: [.object(["text": .string(text)])])
        return Message(type: .dataAMF0, timestamp: timestamp, body: message.body)
    }

    @Test("Colors that are announced, captions and timed metadata reach viewers, those of RTMP who come later too")
    func besideAudioAndVideo() async throws {
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show", isEnhanced: true)
        var messages = try await messages(.videoOnlyMP4(), audio: nil)
        for index in messages.indices.dropFirst() { messages[index].body = captioned(messages[index].body) }
        messages.insert(Message(type: .video, timestamp: 0, body: colorInfo), at: 1)
        let half = messages.count / 2
        messages.insert(text("Hello \u{1F600}", at: messages[half].timestamp), at: half)
        try await send(messages.prefix(messages.count - 10), from: publisher)
        let viewer = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "show")
        try await eventually("what opens the stream") { viewer.media.count >= 3 }
        #expect(viewer.media[1].body == colorInfo)
        try await send(messages.suffix(10), from: publisher)
        try await publisher.stop()

        let ended = try await origin.endedPlaylist("show")
        let master = try await HTTPGet(origin.playlist("show")).text
        #expect(master.contains(",VIDEO-RANGE=PQ,CLOSED-CAPTIONS=\"cc\"\n"), "\(master)")
        #expect(
            master.contains(
                "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\",INSTREAM-ID=\"CC1\",AUTOSELECT=YES\n"))
        let folder = try Folder()
        let file = try await origin.download(ended, of: "show", into: folder)
        let streams = try await ForeignProgram.output(of: [
            "ffprobe", "-v", "error", "-show_entries", "stream_side_data", "-of", "compact=p=0", file,
        ]).text
        #expect(streams.contains("max_luminance=10000000/10000") && streams.contains("max_content=1000"), "\(streams)")
        let frames = try await ForeignProgram.output(of: [
            "ffprobe", "-v", "error", "-read_intervals", "%+#5", "-show_entries", "frame_side_data=side_data_type",
            "-of",
            "compact=p=0", file,
        ]).text
        #expect(frames.contains("ATSC A53 Part 4 Closed Captions"), "\(frames)")
        let bytes = try String(decoding: Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        #expect(bytes.contains("https://aomedia.org/emsg/ID3\0"))
        #expect(bytes.contains("onTextData\0{\"text\":\"Hello \u{1F600}\"}"))
    }
}
