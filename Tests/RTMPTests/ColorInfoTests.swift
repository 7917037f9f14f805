import Media
import NIOCore
import Testing

@testable import RTMP

@Suite("The colors that an encoder announces") struct ColorInfoTests {
    private func tag(_ pairs: [AMFValue]) throws -> VideoTag {
        var body = hex("94 68766331")
        for value in pairs { AMF0Encoder.encode(value, into: &body) }
        return try VideoTag.parse(body)
    }

    private static let config: AMFObject = [
        "bitDepth": 10, "colorPrimaries": 9, "transferCharacteristics": 16, "matrixCoefficients": 9,
    ]
    private static let display: AMFObject = [
        "redX": 0.68, "redY": 0.32, "greenX": 0.265, "greenY": 0.69, "blueX": 0.15, "blueY": 0.06,
        "whitePointX": 0.3127, "whitePointY": 0.329, "maxLuminance": 1000, "minLuminance": 0.005,
    ]

    @Test("HDR is read as encoders send it")
    func hdr() throws {
        let info: AMFObject = [
            "colorConfig": .object(Self.config), "hdrCll": .object(["maxFall": 400, "maxCLL": 1000]),
            "hdrMdcv": .object(Self.display),
        ]
        let color = try #require(try tag(["colorInfo", .object(info)]).announcedColor)
        #expect(
            color
                == VideoColor(
                    primaries: 9, transfer: 16, matrix: 9, contentLight: .init(maximum: 1_000, maximumAverage: 400),
                    masteringDisplay: .init(
                        red: .init(x: 34_000, y: 16_000), green: .init(x: 13_250, y: 34_500),
                        blue: .init(x: 7_500, y: 3_000), white: .init(x: 15_635, y: 16_450),
                        maximumLuminance: 10_000_000, minimumLuminance: 50)))
    }

    @Test("Nothing, or an empty object, takes back what was announced")
    func reset() throws {
        #expect(try tag(["colorInfo", .undefined]).announcedColor == VideoColor())
        #expect(try tag(["colorInfo", .object([:])]).announcedColor == VideoColor())
    }

    @Test("A message without colorInfo says nothing of colors, and the last of several counts")
    func others() throws {
        #expect(try tag(["else", .object(Self.config)]).announcedColor == nil)
        #expect(try tag([]).announcedColor == nil)
        #expect(try VideoTag.parse(hex("90 68766331 01")).announcedColor == nil)
        #expect(try AudioTag.parse(hex("94 4F707573 01")).announcedColor == nil)
        let hlg: AMFObject = ["colorConfig": .object(["transferCharacteristics": 18])]
        let both = try tag(["colorInfo", .undefined, "else", 1, "colorInfo", .object(hlg)])
        #expect(both.announcedColor == VideoColor(transfer: 18))
    }

    @Test(
        "Numbers out of their ranges count as not said",
        arguments: [-1, 256, 1e300, .infinity, .nan, 2] as [Double])
    func ranges(number: Double) throws {
        let config: AMFObject = ["colorPrimaries": .number(number), "matrixCoefficients": 1]
        let info: AMFObject = [
            "colorConfig": .object(config),
            "hdrCll": .object(["maxCLL": .number(number == 256 || number == 2 ? -3 : number)]),
        ]
        #expect(try tag(["colorInfo", .object(info)]).announcedColor == VideoColor(matrix: 1))
    }

    @Test("A mastering display with a part missing is not said", arguments: display.members.map(\.name))
    func incompleteDisplay(missing: String) throws {
        let display = AMFObject(Self.display.members.filter { $0.name != missing })
        let info: AMFObject = ["colorConfig": .object(Self.config), "hdrMdcv": .object(display)]
        #expect(
            try tag(["colorInfo", .object(info)]).announcedColor == VideoColor(primaries: 9, transfer: 16, matrix: 9))
    }

    @Test("AMF that ends early says nothing")
    func cutShort() throws {
        var body = ByteBuffer()
        AMF0Encoder.encode("colorInfo", into: &body)
        AMF0Encoder.encode(.object(["colorConfig": .object(Self.config)]), into: &body)
        for length in 0..<body.readableBytes {
            var cut = hex("94 68766331")
            cut.writeImmutableBuffer(try #require(body.getSlice(at: 0, length: length)))
            #expect(try VideoTag.parse(cut).announcedColor == nil)
        }
    }
}
