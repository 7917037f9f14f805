import Basics
import HLS
import Live

/// What playlists list and say of others.
extension PlaybackService {
    /// The stream that a viewer is let in to: what he asks for, or the program that is all he gets of it.
    func subject(of request: PlaybackRequest, _ output: StreamOutput) -> StreamAddress {
        let address = output.address
        return request.path.addresses.contains(address) ? address : address.program
    }

    /// The form of the playlist that a request asks for.
    func form(of request: PlaybackRequest, _ output: StreamOutput) -> PlaylistForm {
        let wish = request.wish
        if case .mediaPlaylist(let form) = request.path.resource {
            return wish.directives.skips ? form.asDelta : form
        }
        if wish.isAudioAlone { return .track(.audio) }
        return (wish.container ?? output.container) == .transportStream ? .transportStream : .fragmentedMP4
    }

    func master(of playlist: PublishedPlaylist, _ output: StreamOutput, for request: PlaybackRequest)
        -> PublishedPlaylist.Master?
    {
        let form = form(of: request, output)
        let isOfProgram = isOfProgram(request, output)
        return playlist.master(form, ofProgram: isOfProgram) {
            lineup(form, of: output, playlist, ofProgram: isOfProgram)
        }
    }

    /// A rendition is a stream of its own, too, with a master playlist that lists nothing else.
    private func isOfProgram(_ request: PlaybackRequest, _ output: StreamOutput) -> Bool {
        subject(of: request, output) == output.address.program
    }

    private func lineup(
        _ form: PlaylistForm, of output: StreamOutput, _ playlist: PublishedPlaylist, ofProgram isOfProgram: Bool
    ) -> Lineup {
        Lineup(
            members(of: output, playlist, ofProgram: isOfProgram), form,
            listsAudioAlone: configuration.listsAudioAlone)
    }

    private func members(
        of output: StreamOutput, _ playlist: PublishedPlaylist, ofProgram isOfProgram: Bool
    ) -> [PublishedPlaylist.Variant] {
        isOfProgram
            ? outputs.variants(of: output.address.program)
            : [.init(folder: nil, snapshot: playlist.snapshot, labels: output.labels)]
    }

    /// The stream as what is asked for with others beside it, other renditions or other tracks; nil: alone.
    private func variant(_ request: PlaybackRequest, _ output: StreamOutput, _ playlist: PublishedPlaylist)
        -> PublishedPlaylist.Variant?
    {
        let program = output.address.program
        let isRendition = request.path.rendition != nil
        let isShared = output.plan.isShared && (isRendition || program == output.address)
        guard isShared || configuration.listsAudioAlone || playlist.snapshot.tracks.list.count > 2 else { return nil }
        return PublishedPlaylist.Variant(
            folder: isRendition ? output.address.folder(in: program) : nil, snapshot: playlist.snapshot)
    }

    /// The other playlists of the master playlist that lists this one.
    private func others(
        than form: PlaylistForm, of output: StreamOutput, _ playlist: PublishedPlaylist,
        as own: PublishedPlaylist.Variant?
    ) -> [Lineup.Entry] {
        guard let own else { return [] }
        let path = own.path(form)
        let isOfProgram = own.folder != nil || output.address == output.address.program
        // The one that players are given, or else the one that lists audio alone.
        for form in [PlaylistForm.fragmentedMP4, .track(.audio)] {
            let entries = lineup(form, of: output, playlist, ofProgram: isOfProgram).entries
            if entries.contains(where: { $0.path == path }) { return entries.filter { $0.path != path } }
        }
        return []
    }

    /// The text of a media playlist, or of an MPD.
    func media(_ playlist: PublishedPlaylist, of output: StreamOutput, for request: PlaybackRequest) -> PlaylistBody {
        let form = form(of: request, output)
        guard form == .dash else {
            let own = variant(request, output, playlist)
            return playlist.media(form, own: own) { others(than: form, of: output, playlist, as: own) }
        }
        let isOfProgram = request.path.rendition == nil && isOfProgram(request, output)
        return playlist.presentation(ofProgram: isOfProgram) {
            members(of: output, playlist, ofProgram: isOfProgram)
        }
    }

    var noAudio: PlaybackReply {
        PlaybackReply.text(.notFound, "The stream has no such track.\n", cache: .missing, retryAfter: 5)
    }
}
