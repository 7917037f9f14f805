import Basics
import Foundation
import Logging
import Media
import NIOCore
import RTMP

/// One stream on the stage: takes a publisher's messages and gives them to every subscriber.
///
/// It lives on one event loop, the first publisher's; everything below runs there, and the rest of the house talks to it by
/// messages (`Publication`, `Stage`, `LoopFanout`).
///
/// `@unchecked Sendable`: references travel freely; all mutable state is touched on `eventLoop` alone, which the entry
/// points assert.
public final class StreamHub: @unchecked Sendable {
    enum State {
        /// Made, with no publisher yet.
        case vacant
        case live(Publisher)
        /// The publisher dropped; it has until the task fires.
        case recovering(last: Publisher, deadline: Scheduled<Void>)
        case ended
    }

    public let address: StreamAddress
    /// The account that owns the app.
    public let accountID: AccountID
    public let settings: HubSettings
    public let eventLoop: any EventLoop
    let memory: MemoryBudget
    let logger: Logger
    /// Called once, on the event loop, when nothing more will come.
    let onEnd: @Sendable (StreamHub, Publisher?) -> Void

    var state = State.vacant
    var timeline = Timeline()
    var tracks = TrackSet()
    var metadata: StreamSample?
    var videoHeader: StreamSample?
    var audioHeader: StreamSample?
    var hasVideo = false
    var rate = RateMeter()
    var bytesReceived: Int64 = 0
    var published = Date()
    var lastMessage = NIODeadline.now()
    var unreadableTags = 0
    var packagers: [any StreamPackager] = []

    /// Messages since the last sealed batch, in order.
    var pending: [StreamSample] = []
    var pendingBytes = 0
    var ring: WriteRing
    var heldBytes = 0
    var tick: Scheduled<Void>?
    var fanouts: [ObjectIdentifier: LoopFanout] = [:]
    var viewerCount = 0
    var pushCount = 0

    init(
        address: StreamAddress, accountID: AccountID, settings: HubSettings, eventLoop: any EventLoop,
        memory: MemoryBudget,
        logger: Logger, onEnd: @escaping @Sendable (StreamHub, Publisher?) -> Void
    ) {
        self.address = address
        self.accountID = accountID
        self.settings = settings
        self.eventLoop = eventLoop
        self.memory = memory
        self.logger = logger
        self.onEnd = onEnd
        self.ring = WriteRing(limits: settings.ring)
    }

    /// Runs `body` on the hub's event loop: at once when already there.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop {
            body()
        } else {
            eventLoop.execute(body)
        }
    }

    /// Adds a packager; it gets everything from the next message on.
    public func attach(_ packager: any StreamPackager) {
        onLoop {
            guard !self.isEnded else {
                packager.streamEnded()
                return
            }
            self.packagers.append(packager)
            if !self.tracks.isEmpty {
                packager.tracksChanged(self.tracks)
            }
        }
    }

    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    var isOnAir: Bool {
        switch state {
        case .live, .recovering: true
        case .vacant, .ended: false
        }
    }

    var currentPublisher: Publisher? {
        switch state {
        case .live(let publisher), .recovering(let publisher, _): publisher
        case .vacant, .ended: nil
        }
    }

    /// The stream as it stands; nil when nobody publishes or may return.
    public func report() async -> HubReport? {
        try? await eventLoop.submit { self.makeReport() }.get()
    }

    private func makeReport() -> HubReport? {
        guard let publisher = currentPublisher else { return nil }
        let rates = rate.rates(now: .uptime)
        var metadataValue: AMFValue?
        if case .metadata(let value)? = metadata?.content {
            metadataValue = value
        }
        let reportState: HubReport.State = if case .live = state { .live } else { .recovering }
        return HubReport(
            address: address, state: reportState, publisher: publisher.info, published: published, tracks: tracks,
            metadata: metadataValue, metadataBody: metadata?.body, bitrate: rates.bitsPerSecond, frameRate: rates.framesPerSecond,
            viewers: viewerCount, bytesReceived: bytesReceived)
    }
}

extension MediaTime {
    /// Now, on the steady clock of the event loops.
    static var uptime: MediaTime {
        MediaTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }
}
