import NIOCore
import Testing

@testable import RTMP

struct AMFTests {
    static let vectors: [(String, AMFValue)] = [
        ("00 3FF8000000000000", .number(1.5)),
        ("01 01", .boolean(true)),
        ("01 00", .boolean(false)),
        ("02 0003 616263", .string("abc")),
        ("03 0001 61 05 0001 62 06 0000 09", .object(["a": .null, "b": .undefined])),
        ("05", .null),
        ("06", .undefined),
        ("08 00000001 0001 61 0101 0000 09", .ecmaArray(["a": true])),
        ("0A 00000002 05 06", .strictArray([.null, .undefined])),
        ("0B 4271F71FB0450000 0000", .date(milliseconds: 1_234_567_890_000, timeZone: 0)),
        ("0F 00000002 3C3E", .xml("<>")),
        ("10 0001 43 0000 09", .typedObject("C", AMFObject())),
    ]

    @Test("Every AMF0 marker is read and written", arguments: vectors.indices)
    func everyMarkerBothWays(index: Int) throws {
        let (text, value) = AMFTests.vectors[index]
        var decoder = AMF0Decoder(hex(text))
        #expect(try decoder.decode() == value)
        #expect(decoder.isAtEnd)
        var output = ByteBuffer()
        AMF0Encoder.encode(value, into: &output)
        #expect(output == hex(text))
    }

    @Test("Long strings are read and written")
    func longStringsBothWays() throws {
        let text = String(repeating: "ü", count: 40_000)
        var output = ByteBuffer()
        AMF0Encoder.encode(text, into: &output)
        #expect(output.getInteger(at: 0, as: UInt8.self) == 0x0C)
        var decoder = AMF0Decoder(output)
        #expect(try decoder.decode() == .string(text))
    }

    @Test("An ECMA array with a wrong count ends at its end marker")
    func anECMAArrayWithAWrongCountEndsAtItsEndMarker() throws {
        var decoder = AMF0Decoder(hex("08 00000000 0001 61 05 0000 09 01 01"))
        #expect(try decoder.decode() == .ecmaArray(["a": .null]))
        #expect(try decoder.decode() == .boolean(true))
    }

    @Test("An empty key is not the end of an object")
    func anEmptyKeyIsNotTheEndOfAnObject() throws {
        var decoder = AMF0Decoder(hex("03 0000 05 0000 09"))
        #expect(try decoder.decode() == .object(["": .null]))
    }

    @Test("AMF0 references are not followed")
    func referencesAreNotFollowed() throws {
        var decoder = AMF0Decoder(hex("0A 00000002 05 07 0000"))
        #expect(try decoder.decode() == .strictArray([.null, .undefined]))
    }

    @Test("Object properties keep their order")
    func objectPropertiesKeepTheirOrder() throws {
        var object: AMFObject = ["z": 1, "a": 2, "m": 3]
        object["a"] = 9
        object["z"] = nil
        object["b"] = "x"
        #expect(object.members.map(\.name) == ["a", "m", "b"])
        #expect(object["a"] == 9)
    }

    // MARK: AMF3

    @Test(
        "AMF3 values are read",
        arguments: [
            ("00", AMFValue.undefined), ("01", .null), ("02", .boolean(false)), ("03", .boolean(true)),
            ("04 05", .number(5)), ("04 FFFFFFFF", .number(-1)), ("04 8100", .number(128)),
            ("05 3FF8000000000000", .number(1.5)), ("06 07 616263", .string("abc")),
            ("08 01 4271F71FB0450000", .date(milliseconds: 1_234_567_890_000, timeZone: 0)),
            ("09 05 01 03 02", .strictArray([true, false])),
            ("0A 0B 01 03 61 01 01", .object(["a": .null])),
            ("0A 13 03 43 03 61 03", .typedObject("C", ["a": true])),
            ("0C 05 AABB", .byteArray(ByteBuffer(bytes: [0xAA, 0xBB]))),
            // The second string and the second object's traits are references; the third element refers to an object.
            ("09 07 01 06 03 61 06 00 09 00", .strictArray(["a", "a", .undefined])),
        ])
    func amf3(text: String, value: AMFValue) throws {
        var decoder = AMF0Decoder(hex("11" + text))
        #expect(try decoder.decode() == value)
        #expect(decoder.isAtEnd)
    }

    @Test("A command of message type 17 is read")
    func aCommandOfType17() throws {
        let plain = RTMPCommand("connect", transactionID: 1, object: .object(["app": "live"])).message(streamID: 0)
        var body = ByteBuffer(bytes: [0])
        body.writeImmutableBuffer(plain.body)
        let command = try RTMPCommand(RTMPMessage(type: .commandAMF3, streamID: 0, body: body))
        #expect(command.name == "connect")
        #expect(command.object["app"] == "live")
        // Without the leading zero, as some peers send it.
        let bare = try RTMPCommand(RTMPMessage(type: .commandAMF3, streamID: 0, body: plain.body))
        #expect(bare == command)
    }

    // MARK: Hostile

    @Test(
        "AMF0 values nested too deeply are refused",
        arguments: ["0A00000001", "030001 61", "08000000000001 61", "1109030A0B01", "1109 03 01"])
    func nestingBombs(unit: String) {
        let bomb = hex(String(repeating: unit, count: 10_000))
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == (unit.hasPrefix("11") ? .malformedAMF : .amfLimitExceeded))
    }

    @Test("AMF3 values nested too deeply are refused")
    func nestingBombInAMF3() {
        let bomb = hex("11" + String(repeating: "09 03 01", count: 10_000))
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test("More AMF values than allowed are refused")
    func tooManyValues() {
        var bomb = hex("0A 00004001")
        bomb.writeRepeatingByte(5, count: 0x4001)
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test("Counts and lengths beyond the bytes at hand are refused")
    func countsAndLengthsBeyondTheBytes() {
        for text in ["0A FFFFFFFF 05", "0C FFFFFFFF 41", "02 FFFF 41", "11 0C FFFFFFFF", "11 0A FFFFFFFB 01 41"] {
            #expect(
                code {
                    var decoder = AMF0Decoder(hex(text))
                    _ = try decoder.decode()
                } == .malformedAMF, "\(text)")
        }
    }

    @Test("AMF that is truncated anywhere is an error")
    func truncatedAnywhere() {
        for (text, _) in AMFTests.vectors {
            let whole = hex(text)
            for length in 0..<whole.readableBytes {
                #expect(
                    code {
                        var decoder = AMF0Decoder(whole.getSlice(at: 0, length: length) ?? ByteBuffer())
                        _ = try decoder.decode()
                    } == .malformedAMF, "\(text) cut at \(length)")
            }
        }
    }

    /// `onMetaData` as AMF0 with an AMF3 object: one string of `size` bytes in an array, and `count` references to it.
    static func referenceBomb(size: Int, count: Int) -> ByteBuffer {
        var bomb = hex("02 000A 6F6E4D65746144617461 11 09")
        func u29(_ value: Int) {
            // Four bytes: seven bits each, the last one eight.
            bomb.writeInteger(UInt8(0x80 | value >> 22 & 0x7F))
            bomb.writeInteger(UInt8(0x80 | value >> 15 & 0x7F))
            bomb.writeInteger(UInt8(0x80 | value >> 8 & 0x7F))
            bomb.writeInteger(UInt8(value & 0xFF))
        }
        u29((count + 1) << 1 | 1)
        bomb.writeImmutableBuffer(hex("01 06"))
        u29(size << 1 | 1)
        bomb.writeRepeatingByte(1, count: size)
        for _ in 0..<count { bomb.writeImmutableBuffer(hex("0600")) }
        return bomb
    }

    @Test("Texts given by reference count in full, as values and as names")
    func referencedTextsCount() throws {
        let message = { RTMPMessage(type: .dataAMF0, streamID: 1, body: $0) }
        // 16,000 × 200,000 bytes would be 3 GB.
        #expect(
            code { _ = try RTMPDataMessage(message(AMFTests.referenceBomb(size: 200_000, count: 16_000))) }
                == .amfLimitExceeded)
        #expect(
            code { _ = try RTMPDataMessage(message(AMFTests.referenceBomb(size: 100_000, count: 10))) }
                == .amfLimitExceeded)
        let largest = try RTMPDataMessage(message(AMFTests.referenceBomb(size: 100_000, count: 9)))
        #expect(largest.values.first?.array?.count == 10)
        #expect(largest.values.reduce(0) { $0 + $1.expandedSize } <= 1_048_576 + 32 * 11)

        // A dynamic object whose names refer to the first of them: 0A 0B 01, then "aaaa…" null, then reference 0 null …
        var names = hex("11 0A 0B 01 A101")
        names.writeRepeatingByte(0x61, count: 2_112)
        names.writeInteger(UInt8(1))
        for _ in 0..<1_000 { names.writeImmutableBuffer(hex("00 01")) }
        names.writeInteger(UInt8(1))
        #expect(
            code {
                var decoder = AMF0Decoder(names)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test("Names of an AMF3 class that is referred to count in full each time")
    func referencedTraitsCount() throws {
        // An array of objects: the first one's traits have one name of 1,000 bytes, the others refer to them.
        let count = 1_100
        var bomb = hex("11 09")
        bomb.writeBytes([UInt8(0x80 | (count << 1 | 1) >> 7), UInt8((count << 1 | 1) & 0x7F), 0x01])
        bomb.writeImmutableBuffer(hex("0A 13 01 8F51"))
        bomb.writeRepeatingByte(0x61, count: 1_000)
        bomb.writeInteger(UInt8(1))
        for _ in 1..<count { bomb.writeImmutableBuffer(hex("0A 01 01")) }
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test("AMF0's texts count too, and with those of AMF3 inside")
    func textsOfBothKindsCount() {
        let limits = AMFLimits(maxTextBytes: 10)
        for (text, expected) in [
            ("0A 00000002 02 0005 6161616161 02 0005 6161616161", nil),
            ("0A 00000002 02 0005 6161616161 02 0006 616161616161", .amfLimitExceeded),
            ("0C 0000000B 6161616161616161616161", .amfLimitExceeded),
            ("03 0006 616161616161 02 0005 6161616161 000009", .amfLimitExceeded),
            ("0A 00000002 02 0005 6161616161 11 06 0D 616161616161", .amfLimitExceeded),
        ] as [(String, RTMPError.Code?)] {
            #expect(
                code {
                    var decoder = AMF0Decoder(hex(text), limits: limits)
                    _ = try decoder.decode()
                } == expected, "\(text)")
        }
    }

    @Test("A value's expanded size is its texts and 32 bytes for each value")
    func expandedSizes() {
        #expect(AMFValue.number(1).expandedSize == 32)
        #expect(AMFValue.string("abc").expandedSize == 35)
        #expect(AMFValue.strictArray(["abc", .null]).expandedSize == 32 + 35 + 32)
        #expect(AMFValue.typedObject("C", ["ab": "c"]).expandedSize == 32 + 1 + 2 + 33)
        #expect(AMFValue.byteArray(ByteBuffer(repeating: 0, count: 7)).expandedSize == 39)
    }

    @Test("Of metadata that is too large the members that fit are kept")
    func keptMembers() {
        let table = AMFValue.strictArray(Array(repeating: .number(1), count: 1_000))
        let metadata = AMFValue.ecmaArray(["width": 1_920, "keyframes": table, "height": 1_080])
        let kept = metadata.keepingMembers(upTo: 16_384)
        #expect(kept == .ecmaArray(["width": 1_920, "height": 1_080]))
        #expect(metadata.keepingMembers(upTo: metadata.expandedSize) == metadata)
        #expect(kept.keepingMembers(upTo: 70) == .ecmaArray(["width": 1_920]))
        #expect(table.keepingMembers(upTo: 16_384) == .undefined)
        #expect(AMFValue.object(["a": 1]).keepingMembers(upTo: 0) == .object([:]))
    }
}
