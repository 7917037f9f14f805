/// A message's type id (RTMP 1.0 §5.4, §7.1).
public struct RTMPMessageType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public var rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let setChunkSize = RTMPMessageType(rawValue: 1)
    public static let abort = RTMPMessageType(rawValue: 2)
    public static let acknowledgement = RTMPMessageType(rawValue: 3)
    public static let userControl = RTMPMessageType(rawValue: 4)
    public static let windowAcknowledgementSize = RTMPMessageType(rawValue: 5)
    public static let setPeerBandwidth = RTMPMessageType(rawValue: 6)
    public static let audio = RTMPMessageType(rawValue: 8)
    public static let video = RTMPMessageType(rawValue: 9)
    public static let dataAMF3 = RTMPMessageType(rawValue: 15)
    public static let sharedObjectAMF3 = RTMPMessageType(rawValue: 16)
    public static let commandAMF3 = RTMPMessageType(rawValue: 17)
    public static let dataAMF0 = RTMPMessageType(rawValue: 18)
    public static let sharedObjectAMF0 = RTMPMessageType(rawValue: 19)
    public static let commandAMF0 = RTMPMessageType(rawValue: 20)
    public static let aggregate = RTMPMessageType(rawValue: 22)

    /// The chunk stream this type is sent on: fixed, so that shared bytes fit every connection.
    @inlinable
    public var outgoingChunkStreamID: UInt8 {
        switch self {
        case .audio: 4
        case .video, .aggregate: 6
        case .dataAMF0, .dataAMF3: 5
        case .commandAMF0, .commandAMF3: 3
        default: 2
        }
    }

    public var description: String {
        "message type \(rawValue)"
    }
}
