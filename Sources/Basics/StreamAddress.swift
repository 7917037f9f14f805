/// Where a stream lives: application, instance and stream name, as in `rtmp://host/<app>/<instance>/<stream>`.
public struct StreamAddress: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    public var app: String
    public var instance: String
    public var stream: String

    public init(app: String, instance: String, stream: String) {
        self.app = app
        self.instance = instance
        self.stream = stream
    }

    public var description: String {
        "\(app)/\(instance)/\(stream)"
    }

    /// By app, then instance, then stream.
    public static func < (left: StreamAddress, right: StreamAddress) -> Bool {
        if left.app != right.app { return left.app < right.app }
        if left.instance != right.instance { return left.instance < right.instance }
        return left.stream < right.stream
    }

    /// The address that holds the stream a player asks for: on playback `play` and `live` are one instance, and
    /// `<user>-live`, `<user>-channel` are aliases of `<user>-origin`, `<user>-chorigin`
    /// (docs/decisions/0009-names-and-aliases.md).
    public var forPlayback: StreamAddress {
        var address = self
        if instance == "play" {
            address.instance = "live"
        }
        address.app = AppName.published(app)
        return address
    }

    /// Letters, digits and `-_.~` without a leading dot: what app, instance and stream names are made of. Longest: 128.
    public static func isValidName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128 && name.utf8.first != UInt8(ascii: ".")
            && name.utf8.allSatisfy(isOfNames)
    }

    private static func isOfNames(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "~"):
            true
        default:
            false
        }
    }

    public var isValid: Bool {
        StreamAddress.isValidName(app) && StreamAddress.isValidName(instance) && StreamAddress.isValidName(stream)
    }

    /// What is wrong with the first name that is not valid, such as `the stream's name holds a space`; nil when all are valid.
    /// Nothing of the names themselves stands in it.
    public var fault: String? {
        for (part, name) in [("app", app), ("instance", instance), ("stream", stream)] {
            if let fault = StreamAddress.fault(ofName: name) { return "the \(part)'s name \(fault)" }
        }
        return nil
    }

    private static func fault(ofName name: String) -> String? {
        if isValidName(name) { return nil }
        if name.isEmpty { return "is empty" }
        guard let stranger = name.utf8.first(where: { !isOfNames($0) }) else {
            return name.hasPrefix(".") ? "begins with a dot" : "is longer than 128 bytes"
        }
        switch stranger {
        case UInt8(ascii: " "): return "holds a space"
        case UInt8(ascii: "/"): return "holds a slash"
        default: return "holds a character that is not allowed"
        }
    }
}
