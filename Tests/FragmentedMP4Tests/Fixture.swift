import Foundation
import NIOCore
import TestSupport

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
