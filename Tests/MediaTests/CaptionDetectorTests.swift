import NIOCore
import Testing

@testable import Media

@Suite("Captions inside video") struct CaptionDetectorTests {
    private static let avc = "01 42C00A FFE1 0009 6742C00ADA08199000 01 0004 68CE3C80"

    /// `cc_data` of pairs of bytes behind the heads of ITU-T T.35 and ATSC; a pair is its type and its two bytes.
    private func message(_ pairs: [(UInt8, UInt8, UInt8)], isValid: Bool = true) -> [UInt8] {
        var bytes: [UInt8] = [0xB5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0x40 | UInt8(pairs.count), 0xFF]
        for pair in pairs { bytes += [0xF8 | (isValid ? 4 : 0) | pair.0, pair.1, pair.2] }
        return bytes + [0xFF]
    }

    private func sei(_ message: [UInt8], type: UInt8 = 4, header: [UInt8] = [0x06]) -> [UInt8] {
        header + [type, UInt8(message.count)] + message + [0x80]
    }

    /// An access unit of units with four bytes of length.
    private func unit(_ units: [[UInt8]], at milliseconds: Int64 = 0, codec: VideoCodec = .avc) -> AccessUnit {
        var payload = ByteBuffer()
        for unit in units {
            payload.writeInteger(UInt32(unit.count))
            payload.writeBytes(unit)
        }
        return AccessUnit(
            codec: .video(codec), decodeTime: MediaTime(milliseconds: milliseconds), isKeyframe: false, payload: payload
        )
    }

    private let slice: [UInt8] = [0x41, 0x9A, 0x00]

    private func detector() throws -> CaptionDetector {
        CaptionDetector(.avc(try AVCConfiguration(record: bytes(Self.avc))))
    }

    @Test(
        "The channels that are used are told",
        arguments: [
            ([(0, 0x94, 0x20)], ["CC1"]), ([(0, 0x1C, 0x20)], ["CC2"]), ([(1, 0x15, 0x2C)], ["CC3"]),
            ([(1, 0x9D, 0x2C)], ["CC4"]), ([(0, 0x14, 0x2C), (1, 0x1D, 0x2C)], ["CC1", "CC4"]),
            // Padding, text without a control code before it, and other services in field 2 (XDS) name no channel.
            ([(0, 0x80, 0x80)], ["CC1"]), ([(0, 0xC8, 0xE9)], ["CC1"]), ([(1, 0x01, 0x03), (0, 0x1C, 0x20)], ["CC2"]),
            // A packet of CEA-708 with a block of service 2; of service 0; beside CEA-608, which goes first.
            ([(3, 0x42, 0x45)], ["SERVICE2"]), ([(3, 0x42, 0x05)], ["CC1"]),
            ([(3, 0x42, 0x25), (0, 0x14, 0x2C)], ["CC1"]),
        ] as [([(UInt8, UInt8, UInt8)], [String])])
    func channels(pairs: [(UInt8, UInt8, UInt8)], expected: [String]) throws {
        var detector = try detector()
        #expect(detector.captions == .unknown)
        detector.observe(unit([[0x09, 0xF0], sei(message(pairs)), slice]))
        #expect(detector.captions == .channels(expected))
    }

    @Test("Captions are found in H.265 and AV1, too")
    func otherCodecs() throws {
        let said = message([(0, 0x14, 0x2C)])
        var hevc = CaptionDetector(.hevc(try HEVCConfiguration(record: bytes(OtherVideoConfigurationTests.main))))
        hevc.observe(unit([[0x46, 0x01, 0x50], sei(said, header: [0x4E, 0x01]), [0x02, 0x01, 0xD0]], codec: .hevc))
        #expect(hevc.captions == .channels(["CC1"]))

        var av1 = CaptionDetector(.av1(try AV1Configuration(record: bytes("81040c00"))))
        // A temporal delimiter, metadata of ITU-T T.35, a frame.
        let units: [UInt8] = [0x12, 0x00, 0x2A, UInt8(said.count + 2), 0x04] + said + [0x80, 0x32, 0x01, 0x00]
        av1.observe(
            AccessUnit(codec: .video(.av1), decodeTime: .zero, isKeyframe: true, payload: ByteBuffer(bytes: units)))
        #expect(av1.captions == .channels(["CC1"]))
    }

    @Test("Emulation prevention bytes inside captions are left out")
    func unescaped() throws {
        var detector = try detector()
        // A pair of zeros, escaped in front of the byte that follows them.
        let said = message([(0, 0x00, 0x00), (0, 0x15, 0x2C)])
        var escaped = sei(said)
        let index = try #require(escaped.indices.dropFirst().first { escaped[$0 - 1] == 0 && escaped[$0] == 0 })
        // The byte behind the zeros is made one that needs it: a marker that is left out of the count of the message's bytes.
        escaped.insert(3, at: index + 1)
        escaped[index + 2] = 0x04
        detector.observe(unit([escaped, slice]))
        #expect(detector.captions == .channels(["CC1"]))
    }

    @Test("Ten seconds of video without captions say that there are none, and captions later say otherwise")
    func none() throws {
        var detector = try detector()
        for time in stride(from: Int64(0), through: 9_960, by: 40) { detector.observe(unit([slice], at: time)) }
        #expect(detector.captions == .unknown)
        // A jump of an hour is no video.
        detector.observe(unit([slice], at: 3_600_000))
        #expect(detector.captions == .unknown)
        detector.observe(unit([slice], at: 3_600_040))
        #expect(detector.captions == .none)
        detector.observe(unit([sei(message([(0, 0x14, 0x2C)])), slice], at: 3_600_080))
        #expect(detector.captions == .channels(["CC1"]))
    }

    @Test("Of a codec without captions nothing is said")
    func unsupported() throws {
        var detector = CaptionDetector(.vp9(try VP9Configuration(record: bytes("000b820202020000"))))
        for time in stride(from: Int64(0), through: 20_000, by: 40) { detector.observe(unit([slice], at: time)) }
        #expect(detector.captions == .unknown)
    }

    @Test("Nothing behind a slice is looked at, and nothing that is no message of captions")
    func notCaptions() throws {
        var detector = try detector()
        let said = sei(message([(0, 0x14, 0x2C)]))
        detector.observe(unit([slice, said]))
        var other = message([(0, 0x14, 0x2C)])
        detector.observe(unit([sei(other, type: 5), slice]))
        other[0] = 0xB4
        detector.observe(unit([sei(other), slice]))
        other = message([(0, 0x14, 0x2C)])
        other[7] = 6
        detector.observe(unit([sei(other), slice]))
        // More units than any encoder puts before a slice.
        detector.observe(unit(Array(repeating: [0x06], count: 24) + [said]))
        #expect(detector.captions == .unknown)
    }

    @Test("Whatever is cut off, the search ends")
    func cutShort() throws {
        let whole = unit([[0x09, 0xF0], sei(message([(0, 0x14, 0x2C), (3, 0x42, 0x25)])), slice]).payload
        for length in 0...whole.readableBytes {
            var detector = try detector()
            let payload = try #require(whole.getSlice(at: 0, length: length))
            detector.observe(AccessUnit(codec: .video(.avc), decodeTime: .zero, isKeyframe: true, payload: payload))
            // The unit's length stands before it, so the message counts only when all of its unit is there.
            #expect((detector.captions != .unknown) == (length >= 6 + 4 + sei(message([(0, 0, 0), (0, 0, 0)])).count))
        }
    }
}
