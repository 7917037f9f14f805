/// Why a text is not the JSON wanted, and at which byte.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// What was expected there.
        case expected(String)
        case notUTF8
        case unpairedSurrogate
        case controlCharacter
        case numberOutOfRange
        case tooDeep
        case tooManyMembers
        case duplicateName(String)
    }

    public let reason: Reason
    /// From the first byte of the text, counted from 0.
    public let offset: Int

    public var description: String {
        let what =
            switch reason {
            case .expected(let something): "expected \(something)"
            case .notUTF8: "not UTF-8"
            case .unpairedSurrogate: "unpaired surrogate in a string"
            case .controlCharacter: "control character in a string"
            case .numberOutOfRange: "number out of range"
            case .tooDeep: "nested more than \(JSONParser.maximumDepth) deep"
            case .tooManyMembers: "more than \(JSONParser.maximumMembers) members"
            case .duplicateName(let name): "member \(name) stands twice"
            }
        return "\(what) at byte \(offset)"
    }
}
