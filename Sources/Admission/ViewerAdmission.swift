import Basics
import Foundation
import Usher

/// What a server of playlists asks of admission: `Admissions`, or a stand-in in tests. Every method may be called from any task.
public protocol ViewerAdmission: Sendable {
    /// How viewers are let in to a stream.
    /// - Parameter account: whose publication it is; nil: nothing is on the air there. What another account says of the name now
    ///   opens nothing of it.
    func protection(app: String, stream: String, account: AccountID?) async throws -> Protection

    /// The same, when the store need not be asked for it; nil when it has to be.
    func knownProtection(app: String, stream: String, account: AccountID?) -> Protection?

    /// Whether the viewer would be admitted now, and the session to play under: a running one or one on offer. Nothing is
    /// charged. A refusal is logged as an attempt.
    func offer(_ facts: ViewerFacts) async throws -> Verdict<String>

    /// Admits the viewer, or keeps the session going: called for each media playlist that is given out. The first call for a
    /// session charges its use. A refusal is logged as an attempt.
    ///
    /// - Parameter session: the id presented; nil: none was.
    /// - Returns: the session that plays now. It is another one than `session` when that is unknown, over, or somebody else's;
    ///   then the viewer belongs on the path of the granted one, for what is asked for under the presented one is refused.
    func admit(_ facts: ViewerFacts, session: String?) async throws -> Verdict<String>

    /// Admits a viewer whose connection is the session, as with RTMP and HTTP-FLV, and charges its use.
    ///
    /// - Parameters:
    ///   - account: whose publication it is that plays.
    ///   - onEnd: called once, on any thread, when the viewer may no longer watch; perhaps before the caller has dealt with this
    ///     method's answer (`isRunning` tells). Not called after `close`.
    func admit(
        connection facts: ViewerFacts, account: AccountID?, onEnd: @escaping @Sendable (EndReason) -> Void
    ) async throws -> Verdict<String>

    /// Whether the session is still good.
    func isRunning(_ session: String) -> Bool

    /// The connection is gone or plays no more.
    func close(_ session: String) async

    /// Whether a session runs and may be used by this viewer for this stream. For every segment, so it never waits.
    func permits(_ viewer: SessionViewer, session: String) -> Bool

    /// Counts bytes that go out in a session.
    func sent(_ bytes: Int, session: String)

    /// The token for the cookie of a viewer who was let in with one; nil where the stream asks for none.
    /// - Returns: the cookie's name and value, and when it runs out.
    func sessionCookie(for facts: ViewerFacts) async throws -> (text: String, expires: Date)?
}

extension ViewerAdmission {
    public func permits(_ facts: ViewerFacts, session: String) -> Bool {
        permits(SessionViewer(facts), session: session)
    }
}

/// What a request shows of its viewer that is compared with the session's: no more than that, for it is made for each segment.
public struct SessionViewer: Sendable, Hashable {
    public var app: String
    public var video: String
    /// Of the ticket presented; segments come without one.
    public var key: String?
    /// nil when there is none that can be read; then no session is the viewer's.
    public var address: IPAddress?

    public init(app: String, video: String, key: String?, address: IPAddress?) {
        self.app = app
        self.video = video
        self.key = key
        self.address = address
    }

    public init(_ facts: ViewerFacts) {
        self.init(app: facts.app, video: facts.video, key: facts.key, address: IPAddress(facts.address))
    }
}

/// Why a viewing session was ended by this side.
public enum EndReason: Sendable, Hashable {
    /// The ticket was revoked or removed, or no longer covers the viewer.
    case revoked
    case expired
}

public enum AdmissionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `AdmissionConfiguration.maximumSessions` is reached. Nothing was charged; another try later may succeed.
    case tooManySessions

    public var description: String {
        "this node has as many viewers as it may have"
    }
}
