import Foundation
import Media
import NIOCore

/// A fixture made by `make_units.py`: codec configurations and access units of a real encoder.
public struct AccessUnitFile {
    public var tracks: TrackSet
    public var units: [AccessUnit]

    public struct Malformed: Error {}

    /// - Parameter directory: the `Fixtures` folder.
    public init(named name: String, in directory: URL) throws {
        var bytes = ByteBuffer(bytes: try Data(contentsOf: directory.appendingPathComponent(name)))
        tracks = TrackSet()
        units = []
        let video = try Self.configuration(&bytes)
        let audio = try Self.configuration(&bytes)
        switch video.number {
        case 1: tracks.video = .avc(try AVCConfiguration(record: video.record))
        case 2: tracks.video = .hevc(try HEVCConfiguration(record: video.record))
        case 3: tracks.video = .av1(try AV1Configuration(record: video.record))
        case 4: tracks.video = .vp9(try VP9Configuration(record: video.record))
        default: break
        }
        var packets: [(isVideo: Bool, isKeyframe: Bool, time: Int64, offset: Int64, payload: ByteBuffer)] = []
        while let isVideo: UInt8 = bytes.readInteger() {
            guard let isKeyframe: UInt8 = bytes.readInteger(), let time: Int64 = bytes.readInteger(),
                let offset: Int64 = bytes.readInteger(),
                let payload = bytes.readLengthPrefixedSlice(as: UInt32.self)
            else { throw Malformed() }
            packets.append((isVideo == 1, isKeyframe == 1, time, offset, payload))
        }
        switch audio.number {
        case 1: tracks.audio = .aac(try AACConfiguration(record: audio.record))
        case 2, 4, 5:
            // These have no configuration of their own.
            guard let first = packets.first(where: { !$0.isVideo }) else { throw Malformed() }
            switch audio.number {
            case 2: tracks.audio = .mp3(try MP3Configuration(frame: first.payload))
            case 4: tracks.audio = .ac3(try AC3Configuration(frame: first.payload))
            default: tracks.audio = .eac3(try EAC3Configuration(frame: first.payload))
            }
        case 3: tracks.audio = .opus(try OpusConfiguration(record: audio.record))
        case 6: tracks.audio = .flac(try FLACConfiguration(record: audio.record))
        default: break
        }
        for packet in packets {
            guard let codec = (packet.isVideo ? tracks.video : tracks.audio)?.codec else { throw Malformed() }
            units.append(
                AccessUnit(
                    codec: codec,
                    decodeTime: MediaTime(nanoseconds: packet.time),
                    compositionOffset: MediaTime(nanoseconds: packet.offset),
                    isKeyframe: packet.isKeyframe || !packet.isVideo,
                    payload: packet.payload))
        }
    }

    private static func configuration(_ bytes: inout ByteBuffer) throws -> (number: UInt8, record: ByteBuffer) {
        guard let number: UInt8 = bytes.readInteger(),
            let record = bytes.readLengthPrefixedSlice(as: UInt32.self)
        else { throw Malformed() }
        return (number, record)
    }
}
