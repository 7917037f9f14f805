import Basics
import NIOCore
import Synchronization

/// Encoders that were refused for want of a login, or answered a challenge: at its next connect such a one is asked for it by
/// Adobe's challenge, for it may hold a user name that it shows only when asked (OBS's *Use authentication*,
/// `rtmp://user:pass@…` in ffmpeg).
///
/// Each is asked once: who does not answer may have its login in the stream's name by now, and is let through again.
public final class WantedLogins: Sendable {
    private struct Encoder: Sendable, Hashable {
        var address: String
        var app: String
    }

    /// How long an encoder has to come again.
    static let patience = TimeAmount.minutes(2)

    private let capacity: Int
    private let clock: @Sendable () -> NIODeadline
    private let encoders = Mutex(DueQueue<Encoder, NIODeadline>())

    /// - Parameter capacity: how many are remembered; when there are more, the oldest is forgotten.
    public init(capacity: Int = 10_000, clock: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.capacity = max(1, capacity)
        self.clock = clock
    }

    func add(_ address: String, app: String) {
        let now = clock()
        encoders.withLock { encoders in
            while encoders.popFirst(notAfter: now) != nil {}
            if encoders.count >= capacity { _ = encoders.popFirst(notAfter: .distantFuture) }
            encoders.set(Encoder(address: address, app: app.cut()), now + Self.patience)
        }
    }

    /// Whether the encoder is to be asked. It is forgotten with that.
    func take(_ address: String, app: String) -> Bool {
        let now = clock()
        let encoder = Encoder(address: address, app: app.cut())
        return encoders.withLock { encoders in
            guard let end = encoders.time(of: encoder) else { return false }
            encoders.remove(encoder)
            return now < end
        }
    }
}
