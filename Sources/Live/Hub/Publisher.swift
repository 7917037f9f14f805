import Foundation
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
    /// Tells the connection to go; may be called from anywhere.
    let dismiss: @Sendable (PublisherEnding) -> Void

    public init(info: PublisherInfo, dismiss: @escaping @Sendable (PublisherEnding) -> Void) {
        self.id = Publisher.lastID.wrappingAdd(1, ordering: .relaxed).newValue
        self.info = info
        self.dismiss = dismiss
    }
}
