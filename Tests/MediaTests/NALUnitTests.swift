import NIOCore
import Testing

@testable import Media

@Suite struct NALUnitTests {
    @Test(
        "NAL units with length prefixes are told apart",
        arguments: [
            (1, "02 6501 00 03 410203"), (2, "0002 6501 0000 0003 410203"),
            (4, "00000002 6501 00000000 00000003 410203"),
            (3, "000002 6501 000000 000003 410203"),
        ])
    func walksLengthPrefixedUnits(lengthSize: Int, payload: String) throws {
        var units = LengthPrefixedNALUnits(bytes(payload), lengthSize: lengthSize)
        #expect(try units.next() == bytes("6501"))
        #expect(try units.next() == bytes("410203"))
        #expect(try units.next() == nil)
    }

    @Test(
        "A NAL unit cut short is an error behind the whole ones",
        arguments: [
            (4, "00000002 6501 000000"), (4, "00000002 6501 00000004 410203"), (4, "00000002 6501 ffffffff 41"),
            (2, "0002 6501 00"), (1, "02 6501 02 41"), (4, "00000002 6501 7fffffff"),
        ])
    func aUnitCutShortIsAnErrorBehindTheWholeOnes(lengthSize: Int, payload: String) throws {
        var units = LengthPrefixedNALUnits(bytes(payload), lengthSize: lengthSize)
        #expect(try units.next() == bytes("6501"))
        #expect(throws: MediaParseError.self) { try units.next() }
    }

    @Test("Indices of NAL units are the payload's own")
    func indicesAreThePayloadsOwn() throws {
        var payload = bytes("aaaaaa 00000001 65 00000001 41")
        payload.moveReaderIndex(forwardBy: 3)
        var units = LengthPrefixedNALUnits(payload, lengthSize: 4)
        #expect(try units.nextRange() == 7..<8)
        #expect(try units.nextRange() == 12..<13)
        var stream = bytes("aaaaaa 000001 65 000001 41")
        stream.moveReaderIndex(forwardBy: 3)
        var found = AnnexBNALUnits(stream)
        #expect(found.nextRange() == 6..<7)
        #expect(found.nextRange() == 10..<11)
        #expect(found.nextRange() == nil)
    }

    @Test(
        "NAL units of Annex B are told apart",
        arguments: [
            ("00000001 65aa 000001 41", ["65aa", "41"]), ("000001 65 00000001 41 0000", ["65", "41"]),
            ("ffff 000001 65", ["65"]), ("0000 00 00 01 65 000003 01 0000", ["6500000301"]), ("", []), ("000001", []),
            ("0000", []), ("000001000001 41", ["41"]), ("65 41", []), ("000001 65 0000 01", ["65"]),
            ("000001 6501000001 41", ["6501", "41"]), ("000001 650001000001 41", ["650001", "41"]),
        ])
    func walksAnnexB(stream: String, expected: [String]) {
        var units = AnnexBNALUnits(bytes(stream))
        var found: [ByteBuffer] = []
        while let unit = units.next() {
            found.append(unit)
        }
        #expect(found == expected.map { bytes($0) })
    }

    @Test("Every start code is found, whatever stands around it")
    func findsEveryStartCodeWhateverStandsAround() {
        // Against the plain search: all strings of 9 bytes over a small alphabet.
        let alphabet: [UInt8] = [0, 1, 2]
        for number in 0..<19_683 {
            var rest = number
            var buffer = ByteBuffer()
            for _ in 0..<9 {
                buffer.writeInteger(alphabet[rest % 3])
                rest /= 3
            }
            let array = Array(buffer.readableBytesView)
            let plain = (0...6).first { array[$0] == 0 && array[$0 + 1] == 0 && array[$0 + 2] == 1 }
            guard AnnexBNALUnits.startCode(in: buffer, from: 0) == plain else {
                Issue.record("\(array)")
                return
            }
        }
    }

    @Test("NAL unit types are known")
    func knowsTheTypes() {
        #expect(AVCNALUnitType(header: 0x65) == .idrSlice)
        #expect(AVCNALUnitType(header: 0x41).isSlice)
        #expect(!AVCNALUnitType(header: 0x09).isSlice)
        #expect(AVCNALUnitType(of: bytes("6742")) == .sequenceParameterSet)
        #expect(AVCNALUnitType(of: ByteBuffer()) == nil)
        #expect(HEVCNALUnitType(header: 0x40) == .videoParameterSet)
        #expect(HEVCNALUnitType(header: 0x26).isRandomAccess)
        #expect(!HEVCNALUnitType(header: 0x02).isRandomAccess)
        #expect(HEVCNALUnitType(header: 0x02).isSlice)
        #expect(!HEVCNALUnitType(header: 0x46).isSlice)
    }
}

@Suite struct BitReaderTests {
    @Test("Bits are read across bytes")
    func readsBitsAcrossBytes() throws {
        var reader = BitReader(bytes("a5 c3 ff00ff00"), structure: "test")
        #expect(try reader.bits(3) == 5)
        #expect(try reader.bits(0) == 0)
        #expect(try reader.bits(7) == 0b0010111)
        #expect(!reader.isAligned)
        reader.align()
        #expect(try reader.bits(32) == 0xFF00_FF00)
        #expect(reader.bitsRemaining == 0)
        #expect(throws: MediaParseError("test", "ends too early")) { try reader.bit() }
    }

    @Test(
        "Exponential Golomb numbers are read",
        arguments: [
            ("80", 0, 0), ("40", 1, 1), ("60", 2, -1), ("20", 3, 2), ("28", 4, -2),
            ("00000001 fffffffe", 4_294_967_294, -2_147_483_647),
        ] as [(String, UInt32, Int32)])
    func readsGolombNumbers(code: String, unsigned: UInt32, signed: Int32) throws {
        var reader = BitReader(bytes(code), structure: "test")
        #expect(try reader.unsignedGolomb() == unsigned)
        var again = BitReader(bytes(code), structure: "test")
        #expect(try again.signedGolomb() == signed)
    }

    @Test("An exponential Golomb number over 32 bits is an error")
    func aGolombNumberOver32BitsIsAnError() {
        var reader = BitReader(bytes("0000000000ff"), structure: "test")
        #expect(throws: MediaParseError("test", "an exp-Golomb number over 32 bits")) { try reader.unsignedGolomb() }
        var short = BitReader(bytes("0001"), structure: "test")
        #expect(throws: MediaParseError("test", "ends too early")) { try short.unsignedGolomb() }
    }

    @Test(
        "Emulation prevention bytes are left out",
        arguments: [
            ("67 000003 01 02", [0x67, 0, 0, 1, 2]), ("67 000003 000003 000003 00", [0x67, 0, 0, 0, 0, 0, 0, 0]),
            ("67 0003 000003 03", [0x67, 0, 3, 0, 0, 3]), ("000000 03", [0, 0, 0]),
        ] as [(String, [UInt32])])
    func leavesOutEmulationPrevention(unit: String, expected: [UInt32]) throws {
        var reader = BitReader(unescaping: bytes(unit), structure: "test")
        for byte in expected {
            #expect(try reader.bits(8) == byte)
        }
        #expect(throws: MediaParseError("test", "ends too early")) { try reader.bits(8) }
    }
}
