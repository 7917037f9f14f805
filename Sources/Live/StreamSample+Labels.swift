import Basics
import RTMP

/// What an encoder says of an audio track.
public struct AudioLabel: Sendable, Hashable {
    public var name: String?
    /// An RFC 5646 tag.
    public var language: String?

    public init(name: String? = nil, language: String? = nil) {
        self.name = name
        self.language = language
    }
}

extension StreamSample {
    /// What `onMetaData` says of audio tracks (enhanced RTMP v2): `audioTrackIdInfoMap` has an object for each by its number. Which
    /// members tell name and language the specification leaves open; `name`, `trackName` or `title` and `language` or `lang` are
    /// read. nil when the sample is none.
    public var audioLabels: [UInt8: AudioLabel]? {
        guard case .metadata(let value) = content else { return nil }
        guard let tracks = value["audioTrackIdInfoMap"]?.object else { return [:] }
        var labels: [UInt8: AudioLabel] = [:]
        for member in tracks.members.prefix(TrackWatch.mostTracks) {
            guard let number = UInt8(member.name) else { continue }
            func text(_ names: String...) -> String? {
                names.lazy.compactMap { member.value[$0]?.string }.first { !$0.isEmpty }
            }
            labels[number] = AudioLabel(
                name: text("name", "trackName", "title").map { String($0.prefix(64)) },
                language: text("language", "lang").flatMap { LanguageTag.isSpelled($0.utf8) ? $0 : nil })
        }
        return labels
    }
}
