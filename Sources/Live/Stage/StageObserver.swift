/// Somebody who wants to know what comes on and goes off the stage: packagers, autopush, the event log.
public protocol StageObserver: Sendable {
    /// A hub was made; its publisher is let in when this returns: the place to attach packagers.
    func hubOpened(_ hub: StreamHub) async
    /// A publisher was accepted: `isReturn` when the stream was on air already and only its publisher is new.
    func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async
    /// The other one of the stream's two encoders is on air now.
    func switched(_ hub: StreamHub, to publisher: Publisher, because cause: SwitchCause) async
    /// The stream is off the air for good.
    func unpublished(_ hub: StreamHub, last publisher: Publisher) async
}

extension StageObserver {
    /// Viewers, packagers and pushes see one stream whichever encoder is on air.
    public func switched(_ hub: StreamHub, to publisher: Publisher, because cause: SwitchCause) async {}
}
