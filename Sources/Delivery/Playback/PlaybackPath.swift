import Basics
import HLS
import Live
import Media
import Usher

/// What a player asks for: `/<app>/<inst>/<stream>[/sess_<id>][/r_<rendition>]/<file>`, `/<app>/<inst>/<stream>.flv`, or
/// `/<app>/<inst>/<stream>/`, the page that plays it.
package struct PlaybackPath: Sendable, Hashable {
    package enum Resource: Sendable, Hashable {
        /// `playlist.m3u8`
        case masterPlaylist
        /// `chunklist.m3u8`, `chunklist_ts.m3u8`, `chunklist_audio.m3u8` and others of one track, `manifest.mpd`
        case mediaPlaylist(PlaylistForm)
        /// `media_<n>.m4s`, `media_<n>.ts`, `part_<n>_<n>.m4s`, `init_<n>.mp4`, or what `manifest.mpd` names
        case file(MediaFileName)
        /// `thumbnail.jpg`
        case thumbnail
        /// Nothing behind the stream's name; with a slash it is the folder of the others.
        case page(isFolder: Bool)
        /// `time`: what this server's clock says, for players of `manifest.mpd` whose own is wrong.
        case time
        /// `<stream>.flv`: all of it, in one response that goes on.
        case flv
    }

    /// As the player spelled them.
    package var app: String
    package var instance: String
    /// Slashes inside stay, for names of files.
    package var name: String
    /// The id in `sess_<id>`, well-formed or not.
    var session: String?
    /// `360p` in `r_360p`: what is asked for is of the rendition `<stream>_360p`; `audio_de` in `r_audio_de` alike.
    var rendition: String?
    package var resource: Resource
    /// Where such a stream may be, most likely first: prefixes are the player's business, aliases are resolved, and
    /// `name.smil`, which lists the renditions of `name`, is served by `name` where there is no stream of that name.
    package private(set) var addresses: [StreamAddress] = []
    /// All of the path but the file's name, as it came.
    private var folder: String

    /// - Parameters:
    ///   - path: percent-encoded, without a query.
    ///   - previous: a path that may be of the same folder, which is not read again then.
    /// - Returns: nil for anything else than such a path.
    package init?(_ path: Substring, after previous: PlaybackPath? = nil) {
        var path = path
        let nameStart = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) }
        // A stream's name alone is in the folder of all streams, and without a name behind the slash it is a page or nothing.
        if let previous, previous.resource != .page(isFolder: false), let nameStart, nameStart != path.endIndex,
            path.utf8[..<nameStart].elementsEqual(previous.folder.utf8),
            let name = PercentCoding.strictText(of: path.utf8[nameStart...]), path.utf8.count <= Self.maximumLength,
            // Of such a name a part is the stream's.
            !name.hasSuffix(".flv")
        {
            guard let resource = Self.resource(named: name) else { return nil }
            self = previous
            self.resource = resource
            return
        }
        folder = nameStart.map { String(path[..<$0]) } ?? ""
        guard var parts = path.withUTF8({ Self.parts(of: $0) }) else { return nil }
        let isFolder = path.utf8.last == UInt8(ascii: "/")
        if !isFolder, let last = parts.last, last.hasSuffix(".flv"), last.utf8.count > 4 {
            resource = .flv
            parts[parts.count - 1] = String(last.dropLast(4))
        } else if parts.count > 3 {
            guard let resource = Self.resource(named: parts.removeLast()) else { return nil }
            self.resource = resource
        } else {
            resource = .page(isFolder: isFolder)
        }
        // There has to be a stream's name before them; a stream may be called `sess_x` itself.
        let hasFolders = resource != .flv
        if hasFolders, parts.count >= 4, let last = parts.last, last.hasPrefix("r_"),
            VideoName.source(of: "s_\(last.dropFirst(2))") == "s"
        {
            rendition = String(Substring(last.utf8.dropFirst(2)))
            parts.removeLast()
        }
        if hasFolders, parts.count >= 4, let last = parts.last, last.hasPrefix("sess_") {
            session = String(Substring(last.utf8.dropFirst(5)))
            parts.removeLast()
        }
        app = parts[0]
        instance = parts[1]
        name = parts[2...].joined(separator: "/")
        addresses = possibleAddresses
    }

    /// The texts between the slashes, decoded; nil when one cannot be part of such a path.
    private static func parts(of path: UnsafeBufferPointer<UInt8>) -> [String]? {
        guard path.first == UInt8(ascii: "/"), path.count <= maximumLength else { return nil }
        var parts: [String] = []
        var start = 1
        // The slash at the end of a stream's folder.
        while start <= path.count, parts.count != 3 || start < path.count {
            let end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
            guard parts.count < maximumParts,
                let text = PercentCoding.strictText(of: UnsafeBufferPointer(rebasing: path[start..<end])),
                !text.isEmpty, text != ".", text != "..",
                !text.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "/") || $0 == 0x7f })
            else { return nil }
            parts.append(text)
            start = end + 1
        }
        return parts.count >= 3 ? parts : nil
    }

    private var possibleAddresses: [StreamAddress] {
        let normalized = VideoName.normalized(name)
        var names = [normalized]
        if normalized.hasSuffix(".smil") { names.append(String(normalized.dropLast(5))) }
        if let rendition { names = names.map { "\($0)_\(rendition)" } }
        return names.map { StreamAddress(app: app, instance: instance, stream: $0).forPlayback }.filter(\.isValid)
    }

    /// How many folders below the stream's own it is in.
    var foldersDown: Int {
        (session == nil ? 0 : 1) + (rendition == nil ? 0 : 1)
    }

    /// The path of the stream's master playlist, spelled as in this one and not encoded.
    var masterPlaylist: String {
        "/\(app)/\(instance)/\(name)/playlist.m3u8"
    }

    private static let maximumLength = 2_048
    private static let maximumParts = 24

    private static func resource(named name: String) -> Resource? {
        switch name {
        case "playlist.m3u8": .masterPlaylist
        case "chunklist.m3u8": .mediaPlaylist(.fragmentedMP4)
        case "chunklist_ts.m3u8": .mediaPlaylist(.transportStream)
        case "thumbnail.jpg": .thumbnail
        // The second is what pages that were written for Wowza ask for.
        case "manifest.mpd", "manifest_mpm4sav_mvtime.mpd": .mediaPlaylist(.dash)
        case "time": .time
        case "chunklist_video.m3u8": .mediaPlaylist(.track(.video))
        case "chunklist_audio.m3u8": .mediaPlaylist(.track(.audio))
        default: trackPlaylist(name) ?? MediaFileName(name).map { .file($0) }
        }
    }

    /// `chunklist_audio_<track>.m3u8`
    private static func trackPlaylist(_ name: String) -> Resource? {
        guard name.hasPrefix("chunklist_audio_"), name.hasSuffix(".m3u8") else { return nil }
        guard let number = UInt8(name.dropFirst(16).dropLast(5)), number > 0 else { return nil }
        let form = PlaylistForm.track(TrackID(.audio, number: number))
        // The number is spelled in one way only.
        return form.fileName == name ? .mediaPlaylist(form) : nil
    }
}
