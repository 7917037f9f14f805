import NIOCore

/// What a player needs of an initialization section (ISO 14496-12).
struct MapFacts: Sendable {
    struct Track: Sendable {
        var timescale: UInt32 = 0
        var isVideo = false
        /// The sample entry's type: `avc1`, `mp4a`.
        var codec = ""
        var defaultDuration: UInt32 = 0
        var defaultSize: UInt32 = 0
        var defaultFlags: UInt32 = 0
    }

    private(set) var tracks: [UInt32: Track] = [:]

    init(_ bytes: ByteBuffer) throws(BrokenMedia) {
        var hasType = false
        for box in try Box.all(in: bytes) {
            switch box.type {
            case "ftyp": hasType = true
            case "moov": try readMovie(box.content)
            default: break
            }
        }
        guard hasType, !tracks.isEmpty else { throw BrokenMedia("the map has no ftyp, or no track") }
    }

    private mutating func readMovie(_ bytes: ByteBuffer) throws(BrokenMedia) {
        for box in try Box.all(in: bytes) {
            if box.type == "trak" { try readTrack(box.content) }
        }
        for box in try Box.all(in: bytes) where box.type == "mvex" {
            for extends in try Box.all(in: box.content) where extends.type == "trex" {
                var content = extends.content
                guard content.readInteger(as: UInt32.self) != nil, let id = content.readInteger(as: UInt32.self),
                    content.readInteger(as: UInt32.self) != nil, let duration = content.readInteger(as: UInt32.self),
                    let size = content.readInteger(as: UInt32.self), let flags = content.readInteger(as: UInt32.self)
                else { throw BrokenMedia("trex is cut off") }
                tracks[id]?.defaultDuration = duration
                tracks[id]?.defaultSize = size
                tracks[id]?.defaultFlags = flags
            }
        }
    }

    private mutating func readTrack(_ bytes: ByteBuffer) throws(BrokenMedia) {
        var track = Track()
        var id: UInt32 = 0
        for box in try Box.all(in: bytes) {
            if box.type == "tkhd" {
                // The version says how long the two times before the id are.
                let content = box.content
                let offset =
                    content.readerIndex + (content.getInteger(at: content.readerIndex, as: UInt8.self) == 1 ? 20 : 12)
                id = content.getInteger(at: offset, as: UInt32.self) ?? 0
            }
            guard box.type == "mdia" else { continue }
            for inner in try Box.all(in: box.content) {
                let content = inner.content
                switch inner.type {
                case "mdhd":
                    let isLong = content.getInteger(at: content.readerIndex, as: UInt8.self) == 1
                    track.timescale = content.getInteger(at: content.readerIndex + (isLong ? 20 : 12)) ?? 0
                case "hdlr":
                    track.isVideo = content.getString(at: content.readerIndex + 8, length: 4) == "vide"
                case "minf":
                    for table in try Box.all(in: content) where table.type == "stbl" {
                        for description in try Box.all(in: table.content) where description.type == "stsd" {
                            let content = description.content
                            track.codec = content.getString(at: content.readerIndex + 12, length: 4) ?? ""
                        }
                    }
                default: break
                }
            }
        }
        guard id > 0, track.timescale > 0 else { throw BrokenMedia("a track has no id, or no timescale") }
        tracks[id] = track
    }
}

/// The samples of a part or of a segment.
struct FragmentFacts: Sendable {
    struct Run: Sendable {
        /// Decode time of the first sample, and the end of the last, in the track's timescale.
        var start: UInt64
        var end: UInt64
        var samples = 0
        /// The first sample is a sync sample, and any is.
        var beginsWithSync = false
        var hasSync = false
        /// Of the sync samples, those whose bytes say something else.
        var falseSyncs = 0
    }

    private(set) var runs: [UInt32: Run] = [:]
    /// What stands at the beginning: `moof`, `styp`, …
    let first: String

    init(_ bytes: ByteBuffer, map: MapFacts) throws(BrokenMedia) {
        let boxes = try Box.all(in: bytes)
        first = boxes.first?.type ?? ""
        for box in boxes where box.type == "moof" {
            for inner in try Box.all(in: box.content) where inner.type == "traf" {
                try readTrack(inner.content, of: bytes, fragmentAt: box.start, map: map)
            }
        }
        guard boxes.contains(where: { $0.type == "mdat" }), !runs.isEmpty else {
            throw BrokenMedia("there is no moof with a track, or no mdat")
        }
    }

    private mutating func readTrack(
        _ bytes: ByteBuffer, of file: ByteBuffer, fragmentAt: Int, map: MapFacts
    ) throws(BrokenMedia) {
        var id: UInt32 = 0
        var (duration, size, flags): (UInt32, UInt32, UInt32) = (0, 0, 0)
        var time: UInt64?
        for box in try Box.all(in: bytes) {
            var content = box.content
            guard let full = content.readInteger(as: UInt32.self) else { throw BrokenMedia("\(box.type) is cut off") }
            let (version, options) = (full >> 24, full & 0xFF_FFFF)
            switch box.type {
            case "tfhd":
                guard let number = content.readInteger(as: UInt32.self), let track = map.tracks[number] else {
                    throw BrokenMedia("a fragment is of a track that the map has not")
                }
                id = number
                (duration, size, flags) = (track.defaultDuration, track.defaultSize, track.defaultFlags)
                if options & 0x1 != 0 { _ = content.readInteger(as: UInt64.self) }
                if options & 0x2 != 0 { _ = content.readInteger(as: UInt32.self) }
                if options & 0x8 != 0 { duration = content.readInteger() ?? 0 }
                if options & 0x10 != 0 { size = content.readInteger() ?? 0 }
                if options & 0x20 != 0 { flags = content.readInteger() ?? 0 }
            case "tfdt":
                time = version == 1 ? content.readInteger() : content.readInteger(as: UInt32.self).map { UInt64($0) }
            case "trun":
                guard let begin = time, let track = map.tracks[id], let count = content.readInteger(as: UInt32.self)
                else {
                    throw BrokenMedia("a trun stands before tfhd or tfdt, or is cut off")
                }
                var offset = fragmentAt
                if options & 0x1 != 0 { offset += Int(content.readInteger(as: Int32.self) ?? 0) }
                let firstFlags = options & 0x4 != 0 ? content.readInteger(as: UInt32.self) : nil
                var run = runs[id] ?? Run(start: begin, end: begin)
                // Sources that count in whole milliseconds are as exact as that.
                guard max(run.end, begin) - min(run.end, begin) <= UInt64(track.timescale) / 1_000 else {
                    throw BrokenMedia("track \(id) goes from \(run.end) to \(begin) within it")
                }
                run.end = begin
                for number in 0..<count {
                    let sampleDuration = options & 0x100 != 0 ? content.readInteger(as: UInt32.self) : duration
                    let sampleSize = options & 0x200 != 0 ? content.readInteger(as: UInt32.self) : size
                    var sampleFlags = options & 0x400 != 0 ? content.readInteger(as: UInt32.self) : flags
                    if options & 0x800 != 0 { _ = content.readInteger(as: UInt32.self) }
                    if number == 0, let firstFlags { sampleFlags = firstFlags }
                    guard let sampleDuration, let sampleSize, let sampleFlags else {
                        throw BrokenMedia("trun is cut off")
                    }
                    let isSync = sampleFlags & 0x1_0000 == 0
                    if isSync, run.samples == 0 { run.beginsWithSync = true }
                    run.hasSync = run.hasSync || isSync
                    if track.isVideo, isSync,
                        !Self.isKeyframe(file, at: offset, size: Int(sampleSize), codec: track.codec)
                    {
                        run.falseSyncs += 1
                    }
                    run.samples += 1
                    run.end += UInt64(sampleDuration)
                    offset += Int(sampleSize)
                }
                time = run.end
                runs[id] = run
            default:
                break
            }
        }
    }

    /// Whether a sample holds a picture that can be decoded alone; true of codecs that are not looked into.
    private static func isKeyframe(_ file: ByteBuffer, at offset: Int, size: Int, codec: String) -> Bool {
        guard ["avc1", "avc3", "hvc1", "hev1"].contains(codec) else { return true }
        var place = file.readerIndex + offset
        let end = place + size
        while place + 5 <= end {
            guard let length = file.getInteger(at: place, as: UInt32.self),
                let head = file.getInteger(at: place + 4, as: UInt8.self)
            else { return false }
            if codec.hasPrefix("avc") ? head & 0x1F == 5 : (16...21).contains(head >> 1 & 0x3F) { return true }
            place += 4 + Int(length)
        }
        return false
    }
}

/// Why bytes are no media.
struct BrokenMedia: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

private struct Box {
    var type: String
    /// Where it begins, from the beginning of what it stands in.
    var start: Int
    var content: ByteBuffer

    static func all(in bytes: ByteBuffer) throws(BrokenMedia) -> [Box] {
        var rest = bytes
        var boxes: [Box] = []
        while rest.readableBytes > 0 {
            let start = rest.readerIndex - bytes.readerIndex
            guard let size = rest.readInteger(as: UInt32.self), let type = rest.readString(length: 4) else {
                throw BrokenMedia("a box is cut off")
            }
            var length = Int(size) - 8
            if size == 1 { length = (rest.readInteger(as: UInt64.self).map { Int(clamping: $0) } ?? 0) - 16 }
            if size == 0 { length = rest.readableBytes }
            guard length >= 0, let content = rest.readSlice(length: length) else {
                throw BrokenMedia("the box \(type) is cut off")
            }
            boxes.append(Box(type: type, start: start, content: content))
        }
        return boxes
    }
}
