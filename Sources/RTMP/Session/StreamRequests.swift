import Basics
import NIOCore

/// A client wants to publish.
public struct PublishRequest: Sendable, Hashable {
    /// What `publish` says is to become of the stream.
    public enum Kind: String, Sendable, Hashable {
        case live, record, append
    }

    public var streamID: UInt32
    public var name: StreamName
    public var kind: Kind
}

/// A client wants to play.
public struct PlayRequest: Sendable, Hashable {
    public var streamID: UInt32
    public var name: StreamName
    /// Seconds; −2 (the default) means live, else recorded; −1 live only.
    public var start: Double
    /// Seconds; −1 (the default) until the end.
    public var duration: Double
    /// Whether earlier playlist entries are to be dropped.
    public var reset: Bool
}

/// One audio or video message.
public struct MediaMessage: Sendable, Hashable {
    public var streamID: UInt32
    /// Milliseconds modulo 2³²; see ``TimestampUnwrapper``.
    public var timestamp: UInt32
    public var isVideo: Bool
    /// See ``VideoTag`` and ``AudioTag``.
    public var body: ByteBuffer

    public var type: RTMPMessageType {
        isVideo ? .video : .audio
    }
}

/// `onStatus` and other information objects: level, code, description.
public struct RTMPStatus: Sendable, Hashable {
    public enum Level: String, Sendable, Hashable {
        case status, warning, error
    }

    public var level: Level
    /// Such as `NetStream.Publish.BadName`.
    public var code: String
    public var description: String

    public init(level: Level, code: String, description: String) {
        self.level = level
        self.code = code
        self.description = description
    }

    /// Of a peer's information object; texts are cut at 256 bytes.
    init(_ value: AMFValue) {
        level = value["level"]?.string.flatMap(Level.init(rawValue:)) ?? .status
        code = value["code"]?.string?.cut() ?? ""
        description = value["description"]?.string?.cut() ?? ""
    }

    var object: AMFObject {
        ["level": .string(level.rawValue), "code": .string(code), "description": .string(description)]
    }
}

extension StreamName {
    /// The first argument of `publish` or `play`.
    /// - Throws: `malformedMessage` when it is missing or longer than `maxSize` bytes: cut short it would mean something else.
    init(of command: RTMPCommand, maxSize: Int) throws(RTMPError) {
        guard let raw = command.argument(0).string else {
            throw RTMPError(.malformedMessage, "A \(command.name) without a stream name.")
        }
        guard raw.utf8.count <= maxSize else {
            throw RTMPError(.malformedMessage, "A \(command.name) whose stream name is longer than \(maxSize) bytes.")
        }
        self.init(raw)
    }
}
