import Basics
import Crypto
import Foundation
import Usher

/// A viewing session as operators see it.
public struct SessionReport: Sendable, Hashable {
    /// Opens the session's path to whoever stands in its network, so it is not shown.
    let sessionID: String
    public var facts: ViewerFacts
    public var started: Date
    /// Sent so far: of a connection as of some seconds ago.
    public var bytes: Int64

    /// Names the session without being good for anything else.
    public var name: String {
        Hexadecimal.encode(Array(SHA256.hash(data: Array(sessionID.utf8)).prefix(8)))
    }
}
