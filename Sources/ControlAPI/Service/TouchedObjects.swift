import Basics
import Live
import PushPublish
import Storage
import Synchronization

/// Something that commands change.
enum ControlledObject: Sendable, Hashable {
    case ticket(key: String)
    /// A session that watches.
    case viewing(String)
    /// A stream's settings.
    case stream(app: String, stream: String)
    case streamUser(app: String, stream: String, user: String?)
    /// A stream on air.
    case broadcast(StreamAddress)
    /// A stored destination.
    case push(Int64)
    /// Push sessions: one of an instance by its name, all of an instance, all of a stored destination.
    case pushSession(app: String, instance: String, entryName: String)
    case pushSessions(app: String, instance: String)
    case pushSessionsOf(Int64)

    /// No two objects of an account have one name: values hold no control characters.
    fileprivate var name: String {
        let parts: [String] =
            switch self {
            case .ticket(let key): ["ticket", key]
            case .viewing(let session): ["viewing", session]
            case .stream(let app, let stream): ["stream", app, stream]
            case .streamUser(let app, let stream, let user): ["user", app, stream] + (user.map { [$0] } ?? [])
            case .broadcast(let address): ["broadcast", address.app, address.instance, address.stream]
            case .push(let id): ["push", "\(id)"]
            case .pushSession(let app, let instance, let entryName): ["session", app, instance, entryName]
            case .pushSessions(let app, let instance): ["sessions", app, instance]
            case .pushSessionsOf(let id): ["sessions", "\(id)"]
            }
        return parts.joined(separator: "\u{1F}")
    }
}

/// What a command's reply is about, and what the command has changed. The same signed request, sent again, gets the reply again
/// only for as long as no other command has changed what the reply is about.
final class TouchedObjects: Sendable {
    private struct State: Sendable {
        var concerned: Set<ControlledObject> = []
        var changed: Set<ControlledObject> = []
    }

    private let state = Mutex(State())

    /// The reply says something about it, a failure also what it is not.
    func concern(_ objects: ControlledObject...) {
        state.withLock { $0.concerned.formUnion(objects) }
    }

    /// It is not what it was. New objects, of which no reply was given, need no mention.
    func change(_ objects: ControlledObject...) {
        state.withLock { $0.changed.formUnion(objects) }
    }

    /// A push session has begun or ended.
    func change(_ session: PushSessionName) {
        change(
            .pushSession(app: session.app, instance: session.instance, entryName: session.entryName),
            .pushSessions(app: session.app, instance: session.instance))
        if let id = session.pushServiceID { change(.pushSessionsOf(id)) }
    }

    func touch(of account: AccountID) -> ReplayTouch {
        func names(_ objects: Set<ControlledObject>) -> [String] {
            objects.map { "\(account)\u{1F}\($0.name)" }.sorted()
        }
        return state.withLock { ReplayTouch(concerned: names($0.concerned), changed: names($0.changed)) }
    }
}
