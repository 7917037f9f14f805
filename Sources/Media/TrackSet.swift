/// The tracks of a stream whose codec configuration is known, in the order of their ids: video before audio.
public struct TrackSet: Sendable, Hashable, Codable {
    /// A track, and what a decoder must know of it.
    public struct Track: Sendable, Hashable, Codable {
        public var id: TrackID
        public var configuration: CodecConfiguration

        public init(id: TrackID, configuration: CodecConfiguration) {
            self.id = id
            self.configuration = configuration
        }
    }

    public private(set) var list: [Track] = []

    /// The default tracks of a stream.
    public init(video: CodecConfiguration? = nil, audio: CodecConfiguration? = nil) {
        self.video = video
        self.audio = audio
    }

    /// A track's configuration. Writing nil takes the track away.
    public subscript(id: TrackID) -> CodecConfiguration? {
        get {
            list.first { $0.id == id }?.configuration
        }
        set {
            let index = list.firstIndex { $0.id >= id } ?? list.endIndex
            let isKnown = index < list.endIndex && list[index].id == id
            switch (newValue, isKnown) {
            case (let configuration?, true): list[index].configuration = configuration
            case (let configuration?, false): list.insert(Track(id: id, configuration: configuration), at: index)
            case (nil, true): list.remove(at: index)
            case (nil, false): break
            }
        }
    }

    /// The default video track.
    public var video: CodecConfiguration? {
        get { self[.video] }
        set { self[.video] = newValue }
    }

    /// The default audio track.
    public var audio: CodecConfiguration? {
        get { self[.audio] }
        set { self[.audio] = newValue }
    }

    /// The default tracks alone, for containers that hold one of a kind.
    public var defaults: TrackSet {
        list.allSatisfy(\.id.isDefault) ? self : TrackSet(video: video, audio: audio)
    }

    public var isEmpty: Bool {
        list.isEmpty
    }

    /// The RFC 6381 names of the default tracks, video first, as `CODECS` wants them.
    public var codecStrings: [String] {
        [video?.codecString, audio?.codecString].compactMap(\.self)
    }
}
