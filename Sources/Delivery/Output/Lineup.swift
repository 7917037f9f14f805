import Foundation
import HLS
import Live
import Media

/// What a master playlist lists: the variants of a stream or a program, and the audio tracks that they are played with.
///
/// Audio that is the only one stays in the segments of its video. As soon as there is another to choose, audio and video have
/// playlists of their own: players do not take one of two tracks out of a segment.
struct Lineup {
    /// A media playlist that is listed.
    struct Entry {
        /// Relative to the program's folder or a session's.
        let path: String
        let variant: PublishedPlaylist.Variant
        let track: TrackID?
    }

    private struct Voice {
        let entry: Entry
        let name: String
        let language: String?
        let channels: Int?
        let codec: Codec?
        /// The group that it is chosen in.
        var group = "audio"
        var isDefault = false
    }

    /// Renditions of the program that are audio alone, beside others with video.
    static let voicePrefix = "r_audio_"

    private let variants: [Entry]
    private let voices: [Voice]
    private let hasGroups: Bool
    private let audioAlone: Voice?

    /// - Parameters:
    ///   - form: `track(.audio)`: audio alone.
    ///   - listsAudioAlone: there is a variant of audio alone beside those with video.
    init(_ members: [PublishedPlaylist.Variant], _ form: PlaylistForm, listsAudioAlone: Bool) {
        let shown = members.filter { !$0.isVoice }
        let seen = shown.isEmpty ? members : shown
        guard form != .transportStream else {
            variants = seen.map { Entry(path: $0.path(form), variant: $0, track: nil) }
            (voices, hasGroups, audioAlone) = ([], false, nil)
            return
        }
        let source = seen.first { $0.snapshot.tracks.list.contains { $0.id.kind == .audio } }
        var voices = source.map(Self.voices) ?? []
        if !shown.isEmpty { voices += members.filter(\.isVoice).compactMap(Self.voice) }
        Self.settle(&voices)
        let hasVideo = seen.contains { $0.snapshot.tracks.video != nil }
        // The only audio there is, in the segments of all video.
        let isEverywhere = seen.allSatisfy { $0.snapshot.tracks.video == nil || $0.snapshot.tracks.audio != nil }
        let isMuxed = voices.isEmpty || voices.count == 1 && voices[0].entry.track == .audio && isEverywhere
        let hasGroups = !(isMuxed && hasVideo) && voices.count > (hasVideo ? 0 : 1)
        self.hasGroups = hasGroups
        self.voices = voices
        let isAudioAlone = form.track?.kind == .audio || hasGroups && !hasVideo
        audioAlone = isAudioAlone || listsAudioAlone && hasVideo ? voices.first : nil
        variants =
            isAudioAlone
            ? []
            : seen.map { member in
                let isDemuxed = hasGroups && member.snapshot.tracks.video != nil
                return Entry(
                    path: member.path(isDemuxed ? .track(.video) : form), variant: member,
                    track: isDemuxed ? .video : nil)
            }
    }

    /// Everything that is listed, each playlist once.
    var entries: [Entry] {
        var entries = variants
        if hasGroups {
            entries += voices.map(\.entry)
        } else if let audioAlone {
            entries.append(audioAlone.entry)
        }
        return entries
    }

    /// nil: there is nothing of what is asked for.
    var master: MasterPlaylist? {
        var renditions: [Rendition] = []
        // What is preferred comes first, also by audio: players take the first they know how to play.
        for group in hasGroups ? voices.map(\.group).unique : [""] {
            let choices = hasGroups ? voices.filter { $0.group == group } : []
            let audio = choices.map { $0.entry.variant.snapshot.rendition(uri: "", of: $0.entry.track) }
            for entry in variants {
                var rendition = entry.variant.snapshot.rendition(uri: entry.path, of: entry.track)
                if entry.track != nil { rendition.add(audio, group: group) }
                renditions.append(rendition)
            }
        }
        if let audioAlone {
            let entry = audioAlone.entry
            var rendition = entry.variant.snapshot.rendition(uri: entry.path, of: entry.track)
            rendition.captions = .unknown
            if hasGroups { rendition.audioGroup = audioAlone.group }
            renditions.append(rendition)
        }
        guard !renditions.isEmpty else { return nil }
        let groups = hasGroups ? voices : []
        return MasterPlaylist(
            renditions: renditions,
            audio: groups.map {
                AudioRendition(
                    group: $0.group, name: $0.name, language: $0.language, isDefault: $0.isDefault,
                    channels: $0.channels, uri: $0.entry.path)
            },
            hasIndependentSegments: variants.allSatisfy(\.variant.snapshot.hasIndependentSegments))
    }

    // MARK: Audio

    /// The audio tracks of a stream.
    private static func voices(of member: PublishedPlaylist.Variant) -> [Voice] {
        let tracks = member.snapshot.tracks
        return tracks.list.filter { $0.id.kind == .audio }.map { track in
            let label = member.labels[track.id.number] ?? AudioLabel()
            // Without video its segments are the default track's files.
            let form: PlaylistForm = .track(track.id)
            return Voice(
                entry: Entry(path: member.path(form), variant: member, track: track.id),
                name: label.name ?? label.language.map(name(of:)) ?? "Audio \(Int(track.id.number) + 1)",
                language: label.language, channels: track.configuration.channels, codec: track.configuration.codec)
        }
    }

    /// A rendition that is audio alone.
    private static func voice(of member: PublishedPlaylist.Variant) -> Voice? {
        guard let folder = member.folder, let audio = member.snapshot.tracks.audio else { return nil }
        let language = String(folder.dropFirst(voicePrefix.count))
        return Voice(
            entry: Entry(path: member.path(.fragmentedMP4), variant: member, track: nil),
            name: name(of: language), language: language, channels: audio.channels, codec: audio.codec)
    }

    /// What a language is called by those who speak it.
    private static func name(of language: String) -> String {
        let name = Locale(identifier: language).localizedString(forIdentifier: language) ?? language
        return name.prefix(1).uppercased() + name.dropFirst()
    }

    /// Names are of one audio track alone, and groups of one codec, since a player that cannot play a group's codec takes none of it.
    private static func settle(_ voices: inout [Voice]) {
        var names: Set<String> = []
        var codecs: [Codec?] = []
        for index in voices.indices {
            let codec = voices[index].codec
            if !codecs.contains(codec) {
                codecs.append(codec)
                voices[index].isDefault = true
            }
            let number = codecs.firstIndex(of: codec) ?? 0
            if number > 0 { voices[index].group = "audio-\(number + 1)" }
            var name = voices[index].name
            var copies = 1
            while !names.insert("\(number) \(name)").inserted {
                copies += 1
                name = "\(voices[index].name) \(copies)"
            }
            if copies > 1 {
                voices[index] = Voice(
                    entry: voices[index].entry, name: name, language: voices[index].language,
                    channels: voices[index].channels, codec: codec, group: voices[index].group,
                    isDefault: voices[index].isDefault)
            }
        }
    }
}

extension PublishedPlaylist.Variant {
    /// It is audio alone, for those who watch the others.
    var isVoice: Bool {
        folder?.hasPrefix(Lineup.voicePrefix) == true && snapshot.tracks.video == nil
    }

    /// The languages of its audio tracks, by their numbers.
    var languages: [UInt8: String] {
        if let folder, isVoice { return [0: String(folder.dropFirst(Lineup.voicePrefix.count))] }
        return labels.compactMapValues(\.language)
    }

    /// The address of its media playlist, relative to the program's folder or a session's.
    func path(_ form: PlaylistForm) -> String {
        folder.map { "\($0)/\(form.fileName)" } ?? form.fileName
    }
}

extension Rendition {
    /// Plays it with one of these: it takes what the largest of them takes, and decoders for all.
    fileprivate mutating func add(_ audio: [Rendition], group: String) {
        audioGroup = group
        peakBandwidth += audio.map(\.peakBandwidth).max() ?? 0
        averageBandwidth = averageBandwidth.map { $0 + (audio.compactMap(\.averageBandwidth).max() ?? 0) }
        codecs = (codecs + audio.flatMap(\.codecs)).unique
    }
}

extension Array where Element: Equatable {
    /// Each once, in the order they come first.
    fileprivate var unique: [Element] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
