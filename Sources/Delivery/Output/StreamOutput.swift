import Basics
import HLS
import Live
import Media
import NIOCore
import Synchronization

/// What HLS players get of one publication of a stream, from publish to unpublish. Its packager writes it; any thread
/// reads.
public final class StreamOutput: Sendable {
    public let address: StreamAddress
    /// Whose stream it is.
    let accountID: AccountID
    let meter: DeliveryMeter
    /// Timers run on it.
    let eventLoop: any EventLoop
    /// Requests that wait for what comes next.
    let held: HeldRequests
    let transportStream: TransportStreamFiles
    /// What its playlists list unless something else is asked for.
    let container: SegmentContainer
    /// What the stream has in common with its other renditions.
    let plan: ProgramPlan
    /// What its pictures are kept in, and are made of.
    let storage: CountedStorage
    let thumbnail = Mutex(Thumbnails.State())
    private let state = Mutex(State())

    private struct State {
        var published: PublishedPlaylist?
        var isEnded = false
        var labels: [UInt8: AudioLabel] = [:]
        var saved: SavedSegmenter?
    }

    /// - Parameters:
    ///   - eventLoop: the hub's; while there is none yet, any.
    ///   - storage: what segments made for old players are kept in.
    init(
        _ address: StreamAddress, account: AccountID, meter: DeliveryMeter, eventLoop: any EventLoop,
        container: SegmentContainer, plan: ProgramPlan, storage: CountedStorage
    ) {
        self.address = address
        accountID = account
        self.meter = meter
        self.eventLoop = eventLoop
        held = HeldRequests(eventLoop: eventLoop)
        transportStream = TransportStreamFiles(storage: storage)
        self.storage = storage
        self.container = container
        self.plan = plan
    }

    /// The latest playlist; nil before the first segment.
    var current: PublishedPlaylist? {
        state.withLock { $0.published }
    }

    /// What the encoder says of its audio tracks.
    var labels: [UInt8: AudioLabel] {
        get { state.withLock { $0.labels } }
        set { state.withLock { $0.labels = newValue } }
    }

    public var isEnded: Bool {
        state.withLock { $0.isEnded }
    }

    /// The newest segment's media sequence number; nil before the first segment.
    public var lastSequence: Int64? {
        current?.snapshot.listed.last?.sequence
    }

    /// Replaces the playlist, and answers the requests that wait for what it brings.
    func publish(_ snapshot: PlaylistSnapshot) {
        let playlist = PublishedPlaylist(snapshot)
        let replaced = state.withLock { state in
            let replaced = state.published
            state.published = playlist
            return replaced
        }
        // Segments that nobody holds any more are freed here and not inside the lock.
        withExtendedLifetime(replaced) {}
        held.published(playlist)
    }

    /// How the next process goes on; nil: this one does, or the publication has ended.
    var saved: SavedSegmenter? {
        state.withLock { $0.saved }
    }

    /// The next process goes on.
    func leave(_ saved: SavedSegmenter?) {
        state.withLock { $0.saved = saved }
    }

    /// Nothing more will be published.
    func end() {
        state.withLock { $0.isEnded = true }
        plan.leave()
        held.end()
    }

    /// Waits until a need is met, the time is up, or nothing more will come.
    func wait(for need: HeldRequests.Need, within time: TimeAmount, limit: Int) async {
        guard !need.isMet(by: current) else { return }
        await withCheckedContinuation { continuation in
            held.add(need, on: eventLoop, for: time, limit: limit, current: { current }) { continuation.resume() }
        }
    }
}
