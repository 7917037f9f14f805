import Media

/// Somebody who takes a stream's samples apart from RTMP: HLS, later recording and other packagings.
///
/// All calls come on the hub's event loop, in order, and must not block it.
public protocol StreamPackager: AnyObject, Sendable {
    /// The configurations in force from the next access unit on, of all tracks; a packager takes what it can.
    func tracksChanged(_ tracks: TrackSet)
    /// The next sample of any track, headers and data included. Within a track, time does not go back except at a
    /// discontinuity.
    /// - Parameter wallClock: Unix time in milliseconds at which it arrived.
    func receive(_ sample: StreamSample, wallClock: Int64)
    /// The time base changes before the next access unit: a publisher returned or was taken over, or timestamps jumped.
    /// The hub is the only judge of that.
    func discontinuity()
    /// The publisher is gone and may return.
    func publisherLost()
    /// Nothing more will come.
    func streamEnded()
}
