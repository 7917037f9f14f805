import Basics
import Foundation
import HLS
import Live
import NIOCore

/// Replies whose bodies go on.
extension PlaybackService {
    /// What there is of a track of the segment that is being written, and what comes of it as it comes.
    func openSegment(
        _ name: MediaFileName, of output: StreamOutput, for request: PlaybackRequest
    ) -> PlaybackReply? {
        guard case .trackSegment(let track, let sequence) = name, let snapshot = output.current?.snapshot,
            snapshot.open?.sequence == sequence
        else { return nil }
        var reply = PlaybackReply(.ok, nil)
        reply.add("Content-Type", track.contentType)
        let session = request.path.session
        let cache: CachePolicy = session == nil ? .publicFile : .sessionFile
        reply.add("Cache-Control", cache.headerValue)
        guard !request.isHead else { return reply }
        let (viewer, admission) = (admission.viewer(request, output.address), admission.viewers)
        reply.stream = OpenSegmentBody(
            output, track, sequence, time: holdTime(of: .partOf(sequence, after: 0), output),
            limit: configuration.maximumHeld,
            isPermitted: { session.map { admission.permits(viewer, session: $0) } ?? true },
            sent: { [meter = output.meter, stripe = DeliveryMeter.stripe(of: output.eventLoop)] bytes in
                meter.count(hls: bytes, stripe: stripe)
                if let session { admission.sent(bytes, session: session) }
            })
        return reply
    }

    // MARK: HTTP-FLV

    /// The stream as one FLV file. It is admitted as an RTMP viewer is: the connection is the session.
    func flv(_ request: PlaybackRequest) async -> PlaybackReply {
        for address in request.path.addresses {
            // An offline stream charges nobody, so it is looked for before the ticket is.
            guard let hub = await stage.hub(at: address), let report = await hub.report() else { continue }
            do {
                let isOpen =
                    try await admission.protection(of: address, account: hub.accountID) == .open
                let facts =
                    isOpen ? admission.facts(request, address) : admission.protectedFacts(request, address)
                let body = FLVBody(hub: hub, tracks: report.tracks, admission: admission.viewers, log: log)
                return try await body.reply(to: facts, isOpen: isOpen, isHead: request.isHead) ?? refused
            } catch {
                return failed(error, request, address)
            }
        }
        return offline
    }

    var time: PlaybackReply {
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        return PlaybackReply.text(.ok, PlaylistText.date(now), cache: .never)
    }
}
