/// What an encoder says at a moment beside audio and video: a line of text, a cue point, something for the page that plays.
public struct TimedMetadata: Sendable, Hashable {
    /// What it is, as the encoder names it: `onTextData`, `onCuePoint`. Printable characters only.
    public let name: String
    /// What it says, as JSON.
    public let json: String

    /// - Parameter name: characters that cannot be printed are left out.
    public init(name: String, json: String) {
        self.name = String(
            String.UnicodeScalarView(name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
        self.json = json
    }
}
