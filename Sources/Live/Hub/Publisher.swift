import Foundation
import Media
import Synchronization

/// Who sends a stream.
public struct PublisherInfo: Sendable, Hashable {
    /// The encoder's address, without port.
    public var address: String
    /// What it calls itself (RTMP's flashVer).
    public var software: String
    /// `rtmp`, `rtmps`, `srt` …
    public var transport: String
    /// The stream user it authenticated as; empty when none was asked for.
    public var user: String
    /// When its connection was accepted.
    public var connected: Date

    public init(address: String, software: String, transport: String, user: String, connected: Date) {
        self.address = address
        self.software = software
        self.transport = transport
        self.user = user
        self.connected = connected
    }
}

extension PublisherInfo {
    /// Whether both are connections of one encoder: of the same stream user, from the same address. On a stream that is open
    /// to anybody no user tells one encoder from another.
    func isSameEncoder(as other: PublisherInfo) -> Bool {
        !user.isEmpty && user == other.user && address == other.address
    }
}

/// Which of a stream's two encoders a publisher is. Viewers see one stream whichever is on air.
public enum EncoderRole: String, Sendable, Hashable, CaseIterable {
    /// On air whenever it is well.
    case primary
    /// On air while the primary is not.
    case backup
}

/// Why the other one of a stream's two encoders is on air now.
public enum SwitchCause: String, Sendable, Hashable {
    /// The one before said that it is done.
    case ended = "the other encoder ended"
    case lost = "the other encoder's connection broke"
    /// The one before has sent no access unit for `HubSettings.backupAfter`.
    case silent = "the other encoder sends nothing"
    /// The one before has connected anew, and has to prove itself first.
    case reconnected = "the other encoder connected anew"
    case recovered = "the primary encoder is back and stable"
}

/// Why a publisher is sent away.
public enum PublisherEnding: Sendable, Hashable {
    /// Another publisher took the stream over.
    case takenOver
    /// `stream.close`.
    case closedByOperator
    /// The server shuts down.
    case draining
}

/// A publisher as the hub knows it.
public final class Publisher: Sendable {
    private static let lastID = Atomic<UInt64>(0)

    public let id: UInt64
    public let info: PublisherInfo
    public let role: EncoderRole
    private let tellConnection: @Sendable (PublisherEnding) -> Void
    private let sentAway = Mutex<PublisherEnding?>(nil)
    /// Asks the encoder for a keyframe of a video track; may be called from anywhere.
    let wantsKeyframe: @Sendable (TrackID) -> Void

    /// - Parameters:
    ///   - disconnect: sends the connection away; called from any thread, more than once if need be.
    ///   - wantsKeyframe: passes a wish for a keyframe on. Does nothing by default: RTMP has no message for it.
    public init(
        info: PublisherInfo, role: EncoderRole = .primary, disconnect: @escaping @Sendable (PublisherEnding) -> Void,
        wantsKeyframe: @escaping @Sendable (TrackID) -> Void = { _ in }
    ) {
        self.id = Publisher.lastID.wrappingAdd(1, ordering: .relaxed).newValue
        self.info = info
        self.role = role
        tellConnection = disconnect
        self.wantsKeyframe = wantsKeyframe
    }

    /// Why it was sent away; nil while the stream is its own. Set before its connection is told, so that a connection which
    /// is only just taking the stream up can ask whether it is too late.
    public var ending: PublisherEnding? {
        sentAway.withLock { $0 }
    }

    /// Tells the connection to go; may be called from anywhere.
    func disconnect(_ ending: PublisherEnding) {
        sentAway.withLock { $0 = $0 ?? ending }
        tellConnection(ending)
    }
}
