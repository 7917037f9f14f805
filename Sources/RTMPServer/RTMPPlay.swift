import Live

/// A stream that a connection plays.
struct RTMPPlay {
    let hub: StreamHub
    let reader: RTMPSubscriber?
    /// The admission that let it in, where the stream asks for tickets.
    let session: String?

    /// A player that wants pictures again gets them from the next keyframe on.
    func setVideo(_ wanted: Bool) {
        guard let reader, reader.filter.video != wanted else { return }
        reader.filter.video = wanted
        if wanted {
            reader.setPaused(true)
            reader.setPaused(false)
        }
    }
}
