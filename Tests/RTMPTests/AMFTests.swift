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

    @Test(arguments: vectors.indices)
    func everyMarkerBothWays(index: Int) throws {
        let (text, value) = AMFTests.vectors[index]
        var decoder = AMF0Decoder(hex(text))
        #expect(try decoder.decode() == value)
        #expect(decoder.isAtEnd)
        var output = ByteBuffer()
        AMF0Encoder.encode(value, into: &output)
        #expect(output == hex(text))
    }

    @Test func longStringsBothWays() throws {
        let text = String(repeating: "ü", count: 40_000)
        var output = ByteBuffer()
        AMF0Encoder.encode(text, into: &output)
        #expect(output.getInteger(at: 0, as: UInt8.self) == 0x0C)
        var decoder = AMF0Decoder(output)
        #expect(try decoder.decode() == .string(text))
    }

    @Test func anECMAArrayWithAWrongCountEndsAtItsEndMarker() throws {
        var decoder = AMF0Decoder(hex("08 00000000 0001 61 05 0000 09 01 01"))
        #expect(try decoder.decode() == .ecmaArray(["a": .null]))
        #expect(try decoder.decode() == .boolean(true))
    }

    @Test func anEmptyKeyIsNotTheEndOfAnObject() throws {
        var decoder = AMF0Decoder(hex("03 0000 05 0000 09"))
        #expect(try decoder.decode() == .object(["": .null]))
    }

    @Test func referencesAreNotFollowed() throws {
        var decoder = AMF0Decoder(hex("0A 00000002 05 07 0000"))
        #expect(try decoder.decode() == .strictArray([.null, .undefined]))
    }

    @Test func objectPropertiesKeepTheirOrder() throws {
        var object: AMFObject = ["z": 1, "a": 2, "m": 3]
        object["a"] = 9
        object["z"] = nil
        object["b"] = "x"
        #expect(object.properties.map(\.key) == ["a", "m", "b"])
        #expect(object["a"] == 9)
    }

    // MARK: AMF3

    @Test(arguments: [
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

    @Test func aCommandOfType17() throws {
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

    @Test(arguments: ["0A00000001", "030001 61", "08000000000001 61", "1109030A0B01", "1109 03 01"])
    func nestingBombs(unit: String) {
        let bomb = hex(String(repeating: unit, count: 10_000))
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == (unit.hasPrefix("11") ? .malformedAMF : .amfLimitExceeded))
    }

    @Test func nestingBombInAMF3() {
        let bomb = hex("11" + String(repeating: "09 03 01", count: 10_000))
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test func tooManyValues() {
        var bomb = hex("0A 00004001")
        bomb.writeRepeatingByte(5, count: 0x4001)
        #expect(
            code {
                var decoder = AMF0Decoder(bomb)
                _ = try decoder.decode()
            } == .amfLimitExceeded)
    }

    @Test func countsAndLengthsBeyondTheBytes() {
        for text in ["0A FFFFFFFF 05", "0C FFFFFFFF 41", "02 FFFF 41", "11 0C FFFFFFFF", "11 0A FFFFFFFB 01 41"] {
            #expect(
                code {
                    var decoder = AMF0Decoder(hex(text))
                    _ = try decoder.decode()
                } == .malformedAMF, "\(text)")
        }
    }

    @Test func truncatedAnywhere() {
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
}
