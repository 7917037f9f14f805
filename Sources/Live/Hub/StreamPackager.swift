import Media

/// Somebody who takes a stream's access units apart from RTMP: HLS, later recording and other packagings.
///
/// All calls come on the hub's event loop, in order, and must not block it.
public protocol StreamPackager: AnyObject, Sendable {
    /// The configurations in force from the next access unit on.
    func tracksChanged(_ tracks: TrackSet)
    /// - Parameter wallClock: Unix time in milliseconds at which it arrived.
    func receive(_ unit: AccessUnit, wallClock: Int64)
    /// The time base changes before the next access unit: a publisher returned or was taken over, or timestamps jumped.
    func discontinuity()
    /// The publisher is gone and may return.
    func publisherLost()
    /// Nothing more will come.
    func streamEnded()
}
