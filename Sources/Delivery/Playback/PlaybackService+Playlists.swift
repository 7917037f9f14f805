import HLS
import HTTPTypes
import Hummingbird
import Live
import NIOCore
import Usher

extension PlaybackService {
    /// `playlist.m3u8`. With a ticket it is rendered for one viewer and names a media playlist in a session's path; it
    /// charges nothing, for many players fetch it and then do not play.
    func master(of output: StreamOutput, for request: PlaybackRequest) async throws -> Response {
        let address = output.address
        guard try await admission.protection(app: address.app, stream: address.stream) == .sevu else {
            guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
            note(request, of: address)
            return PlaybackReply.playlist(
                playlist.master, to: request, cache: publicPolicy(playlist, isSession: request.path.session != nil))
        }
        guard let uri = try await mediaPlaylistURI(for: request, address: address) else { return refused }
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        return PlaybackReply.playlist(
            PlaylistBody(playlist.master(pointingAt: uri), isShared: false), to: request, cache: .never)
    }

    /// `chunklist.m3u8`. On a protected stream it is given in a session's path only; asked for elsewhere, or in the
    /// path of a session that is no more, it redirects to the path of one that is, if the ticket in the query is good.
    func media(of output: StreamOutput, for request: PlaybackRequest) async throws -> Response {
        let address = output.address
        guard try await admission.protection(app: address.app, stream: address.stream) == .sevu else {
            guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
            note(request, of: address)
            return PlaybackReply.playlist(
                playlist.media, to: request, cache: publicPolicy(playlist, isSession: request.path.session != nil))
        }
        let facts = request.facts(for: address)
        guard let session = request.path.session, SessionID.isWellFormed(session) else {
            guard let id = try await admission.offer(facts).grant else { return refused }
            return redirect(to: id, for: request)
        }
        // Nobody waits here, nor is a use charged, before it is known that he may see what comes; and a request for
        // headers alone shows him nothing.
        if output.current == nil || request.isHead, !admission.permits(facts, session: session) {
            guard try await admission.offer(facts).grant != nil else { return refused }
        }
        guard let playlist = await firstPlaylist(of: output) else { return notReady(output) }
        if !request.isHead {
            guard let playing = try await admission.admit(facts, session: session).grant else { return refused }
            guard playing == session else { return redirect(to: playing, for: request) }
        }
        return PlaybackReply.playlist(playlist.media, to: request, cache: .sessionPlaylist)
    }

    /// Where the viewer's own media playlist is, relative to the master playlist asked for; nil when he is refused.
    private func mediaPlaylistURI(for request: PlaybackRequest, address: StreamAddress) async throws -> String? {
        let facts = request.facts(for: address)
        if let session = request.path.session, admission.permits(facts, session: session) {
            return relativeURI(session: session, for: request)
        }
        guard let session = try await admission.offer(facts).grant else { return nil }
        return relativeURI(session: session, for: request)
    }

    /// The media playlist of a session, seen from the stream's folder or from a session's.
    private func relativeURI(session: String, for request: PlaybackRequest) -> String {
        let uri = SessionPath.uri(session: session, key: request.ticket.key, pass: request.ticket.pass)
        return request.path.session == nil ? uri : "../\(uri)"
    }

    private func redirect(to session: String, for request: PlaybackRequest) -> Response {
        PlaybackReply.redirect(to: relativeURI(session: session, for: request))
    }

    /// The playlist, waiting for the first one if there is none yet.
    private func firstPlaylist(of output: StreamOutput) async -> PublishedPlaylist? {
        await output.playlist(within: configuration.holdTime, limit: configuration.maximumHeld)
    }

    private func notReady(_ output: StreamOutput) -> Response {
        guard !output.isEnded else { return offline }
        let wait = Int(configuration.segmenter.segmentDuration.seconds.rounded(.up))
        return PlaybackReply.text(
            .serviceUnavailable, "The stream is starting.\n", cache: .missing, retryAfter: wait)
    }

    private func note(_ request: PlaybackRequest, of address: StreamAddress) {
        guard let client = request.client else { return }
        viewers.note(client, of: address, now: .now())
    }

    private func publicPolicy(_ playlist: PublishedPlaylist, isSession: Bool) -> CachePolicy {
        isSession ? .sessionPlaylist : .publicPlaylist(targetDuration: playlist.snapshot.targetDuration)
    }
}
