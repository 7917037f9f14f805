import Media
import NIOCore

extension VideoTag {
    /// The `colorInfo` of a metadata message (enhanced RTMP v2, "Metadata Frame").
    ///
    /// Each one replaces the one before; one without contents takes it back. Numbers that are out of their ranges count as not
    /// said. Of AMF that ends early, what came before counts.
    public var announcedColor: VideoColor? {
        guard case .metadata(let payload) = content else { return nil }
        var decoder = AMF0Decoder(payload)
        var found: VideoColor?
        // Names and values in turn.
        while !decoder.isAtEnd, let name = try? decoder.decode(), let value = try? decoder.decode() {
            if name.string == "colorInfo" { found = VideoColor(colorInfo: value) }
        }
        return found
    }
}

extension VideoColor {
    fileprivate init(colorInfo: AMFValue) {
        let config = colorInfo["colorConfig"]
        self.init(
            primaries: Self.code(config?["colorPrimaries"]), transfer: Self.code(config?["transferCharacteristics"]),
            matrix: Self.code(config?["matrixCoefficients"]))
        if let light = colorInfo["hdrCll"], let maximum = Self.steps(light["maxCLL"], of: 1, most: 65_535) {
            contentLight = ContentLight(
                maximum: UInt16(clamping: maximum),
                maximumAverage: UInt16(clamping: Self.steps(light["maxFall"], of: 1, most: 65_535) ?? 0))
        }
        if let display = colorInfo["hdrMdcv"] { masteringDisplay = MasteringDisplay(hdrMdcv: display) }
    }

    /// A code point of H.273; 2 means "unspecified".
    private static func code(_ value: AMFValue?) -> UInt8? {
        steps(value, of: 1, most: 255).flatMap { $0 == 2 ? nil : UInt8(clamping: $0) }
    }

    fileprivate static func steps(_ value: AMFValue?, of step: Double, most: Double) -> UInt32? {
        guard case .number(let number)? = value else { return nil }
        let steps = (number / step).rounded()
        // False for what is no number, too.
        guard steps >= 0, steps <= most else { return nil }
        return UInt32(steps)
    }
}

extension VideoColor.MasteringDisplay {
    /// Nil unless all of it is there: the box that it goes into has no place for what is not said.
    fileprivate init?(hdrMdcv display: AMFValue) {
        func place(_ x: String, _ y: String) -> Chromaticity? {
            guard let x = VideoColor.steps(display[x], of: 0.00002, most: 50_000),
                let y = VideoColor.steps(display[y], of: 0.00002, most: 50_000)
            else { return nil }
            return Chromaticity(x: UInt16(clamping: x), y: UInt16(clamping: y))
        }
        let most = 10_000 * 10_000.0
        guard let red = place("redX", "redY"), let green = place("greenX", "greenY"),
            let blue = place("blueX", "blueY"), let white = place("whitePointX", "whitePointY"),
            let maximum = VideoColor.steps(display["maxLuminance"], of: 0.0001, most: most),
            let minimum = VideoColor.steps(display["minLuminance"], of: 0.0001, most: most)
        else { return nil }
        self.init(
            red: red, green: green, blue: blue, white: white, maximumLuminance: maximum, minimumLuminance: minimum)
    }
}
