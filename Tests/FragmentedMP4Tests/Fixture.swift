import Foundation
import Media
import NIOCore
import TestSupport

@testable import FragmentedMP4

enum Fixture {
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    static func file(_ name: String) throws -> AccessUnitFile {
        try AccessUnitFile(named: "\(name).units", in: directory)
    }

    static func code(_ name: String) -> UInt32 {
        name.utf8.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// What a track fragment says about its samples' times.
    struct Run: Equatable {
        var track: UInt32
        var start: UInt64
        var durations: [UInt32]
    }

    struct Malformed: Error {}

    /// The track fragments of a file of `moof`s and `mdat`s.
    static func runs(in file: ByteBuffer) throws -> [Run] {
        var runs: [Run] = []
        for moof in try boxes(in: file) where moof.name == "moof" {
            for traf in try boxes(in: moof.content) where traf.name == "traf" {
                var run = Run(track: 0, start: 0, durations: [])
                for var box in try boxes(in: traf.content) {
                    let flags = box.content.readInteger(as: UInt32.self) ?? 0
                    switch box.name {
                    case "tfhd": run.track = box.content.readInteger() ?? 0
                    case "tfdt": run.start = box.content.readInteger() ?? 0
                    case "trun":
                        let count = box.content.readInteger(as: UInt32.self) ?? 0
                        box.content.moveReaderIndex(forwardBy: 4)
                        for _ in 0..<count {
                            run.durations.append(box.content.readInteger() ?? 0)
                            box.content.moveReaderIndex(forwardBy: flags & 0xc00 == 0 ? 4 : 12)
                        }
                        guard box.content.readableBytes == 0 else { throw Malformed() }
                    default: throw Malformed()
                    }
                }
                runs.append(run)
            }
        }
        return runs
    }

    /// The contents of the boxes with a name in a configuration's sample entry, as it stands in an initialization section.
    static func specificBox(_ name: String, of configuration: CodecConfiguration, in entry: String) throws
        -> [ByteBuffer]
    {
        var tracks = TrackSet()
        tracks[configuration.codec.isVideo ? .video : .audio] = configuration
        var boxes = try boxes(in: InitializationSegment.make(tracks: tracks))
        for name in ["moov", "trak", "mdia", "minf", "stbl"] {
            boxes = try boxes.filter { $0.name == name }.flatMap { try Fixture.boxes(in: $0.content) }
        }
        guard var description = boxes.first(where: { $0.name == "stsd" })?.content else { throw Malformed() }
        description.moveReaderIndex(forwardBy: 8)
        guard let found = try Fixture.boxes(in: description).first, found.name == entry else { throw Malformed() }
        var content = found.content
        content.moveReaderIndex(forwardBy: configuration.codec.isVideo ? 78 : 28)
        return try Fixture.boxes(in: content).filter { $0.name == name }.map(\.content)
    }

    static func hexadecimal(_ bytes: ByteBuffer) -> String {
        bytes.readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The boxes that stand side by side in the bytes, which they must fill.
    static func boxes(in bytes: ByteBuffer) throws -> [(name: String, content: ByteBuffer)] {
        var bytes = bytes
        var boxes: [(String, ByteBuffer)] = []
        while bytes.readableBytes > 0 {
            guard let size: UInt32 = bytes.readInteger(), let name = bytes.readString(length: 4), size >= 8,
                let content = bytes.readSlice(length: Int(size) - 8)
            else { throw Malformed() }
            boxes.append((name, content))
        }
        return boxes
    }
}
