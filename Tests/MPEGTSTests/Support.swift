import Foundation
import Media
import NIOCore

@testable import MPEGTS

/// The bytes written in hexadecimal, spaces left out.
func bytes(_ hexadecimal: String) -> ByteBuffer {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    var buffer = ByteBuffer()
    for index in stride(from: 0, to: digits.count - 1, by: 2) {
        buffer.writeInteger(UInt8(digits[index] << 4 | digits[index + 1]))
    }
    return buffer
}

/// The files beside the tests; README.md there says how they were made.
enum Fixture {
    static func url(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)")
    }

    static func load(_ name: String) throws -> ByteBuffer {
        ByteBuffer(bytes: try Data(contentsOf: url(name)))
    }
}

/// Tracks and units as an FLV file has them: what a publisher sends.
struct FLVFile {
    var tracks = TrackSet()
    var units: [AccessUnit] = []

    init(_ name: String) throws {
        var file = try Fixture.load(name)
        file.moveReaderIndex(forwardBy: 13)
        while let header = file.readBytes(length: 11) {
            let size = Int(header[1]) << 16 | Int(header[2]) << 8 | Int(header[3])
            let time = Int64(header[7]) << 24 | Int64(header[4]) << 16 | Int64(header[5]) << 8 | Int64(header[6])
            guard let body = file.readSlice(length: size) else { return }
            file.moveReaderIndex(forwardBy: 4)
            try read(body, type: header[0], time: MediaTime(milliseconds: time))
        }
    }

    private mutating func read(_ tag: ByteBuffer, type: UInt8, time: MediaTime) throws {
        var body = tag
        guard type == 8 || type == 9, let head = body.readInteger(as: UInt8.self),
            let kind = body.readInteger(as: UInt8.self)
        else { return }
        if type == 8 {
            if kind == 0 {
                tracks.audio = .aac(try AACConfiguration(record: body))
            } else {
                units.append(AccessUnit(codec: .audio(.aac), decodeTime: time, isKeyframe: true, payload: body))
            }
            return
        }
        let composition = body.readBytes(length: 3).map { Int64($0[0]) << 16 | Int64($0[1]) << 8 | Int64($0[2]) } ?? 0
        if kind == 0 {
            tracks.video = .avc(try AVCConfiguration(record: body))
        } else if kind == 1 {
            units.append(
                AccessUnit(
                    codec: .video(.avc), decodeTime: time, compositionOffset: MediaTime(milliseconds: composition),
                    isKeyframe: head >> 4 == 1, payload: body))
        }
    }
}

enum Sample {
    /// Baseline, 320×180.
    static let avc = """
        0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20
        """
    static let parameterSets = "6742c00cd901419f9f011000000300100000030320f142a480"
    static let pictureParameterSet = "68cb83cb20"

    static func video(_ record: String = avc) throws -> CodecConfiguration {
        .avc(try AVCConfiguration(record: bytes(record)))
    }

    static func audio() throws -> CodecConfiguration {
        .aac(try AACConfiguration(objectType: 2, sampleRate: 48_000, channelConfiguration: 2))
    }

    static func picture(_ milliseconds: Int64, isKeyframe: Bool = true, size: Int = 100) -> AccessUnit {
        var payload = ByteBuffer(integer: UInt32(size))
        payload.writeInteger(UInt8(isKeyframe ? 0x65 : 0x41))
        payload.writeRepeatingByte(0xAB, count: size - 1)
        return AccessUnit(
            codec: .video(.avc), decodeTime: MediaTime(milliseconds: milliseconds), isKeyframe: isKeyframe,
            payload: payload)
    }

    /// The AAC frame number `index` at 48 kHz.
    static func sound(_ index: Int64, size: Int = 200) -> AccessUnit {
        AccessUnit(
            codec: .audio(.aac), decodeTime: MediaTime(ticks: index * 1024, timescale: 48_000), isKeyframe: true,
            payload: ByteBuffer(repeating: UInt8(truncatingIfNeeded: index) | 1, count: size))
    }
}

extension TransportStreamMuxer {
    /// Tables, all units and what waits.
    mutating func segment(_ units: [AccessUnit]) throws -> ByteBuffer {
        var output = ByteBuffer()
        writeTables(into: &output)
        for unit in units {
            try write(unit, into: &output)
        }
        flush(into: &output)
        return output
    }
}

/// What a demultiplexer finds in a whole stream.
struct Found {
    var tracks: [[Codec]] = []
    var configurations: [CodecConfiguration] = []
    var units: [AccessUnit] = []
    var discontinuities = 0
    var statistics = TransportStreamDemuxer.Statistics()

    init(_ stream: ByteBuffer, pieces: Int = .max) {
        var demuxer = TransportStreamDemuxer()
        var events: [TransportStreamDemuxer.Event] = []
        var rest = stream
        while rest.readableBytes > 0, let piece = rest.readSlice(length: min(pieces, rest.readableBytes)) {
            demuxer.receive(piece, into: &events)
        }
        demuxer.finish(into: &events)
        statistics = demuxer.statistics
        for event in events {
            switch event {
            case .tracks(let codecs): tracks.append(codecs)
            case .configuration(let configuration): configurations.append(configuration)
            case .unit(let unit): units.append(unit)
            case .discontinuity: discontinuities += 1
            }
        }
    }

    var video: [AccessUnit] { units.filter { $0.codec.isVideo } }
    var audio: [AccessUnit] { units.filter { !$0.codec.isVideo } }
}

/// A packet's fields, read plainly, to check the writer by.
struct PlainPacket {
    let pid: Int
    let isStart: Bool
    let counter: Int
    var flags: UInt8 = 0
    var clock: Int64?
    var field: Int = 0
    var payload: [UInt8] = []

    init(_ bytes: [UInt8]) {
        pid = Int(bytes[1] & 0x1F) << 8 | Int(bytes[2])
        isStart = bytes[1] & 0x40 != 0
        counter = Int(bytes[3] & 0x0F)
        var place = 4
        if bytes[3] & 0x20 != 0 {
            field = 1 + Int(bytes[4])
            if field > 1 {
                flags = bytes[5]
                if flags & 0x10 != 0 {
                    let high = bytes[6..<10].reduce(Int64(0)) { $0 << 8 | Int64($1) }
                    clock = high << 1 | Int64(bytes[10] >> 7)
                }
            }
            place += field
        }
        if bytes[3] & 0x10 != 0 {
            payload = Array(bytes[place...])
        }
    }

    static func all(_ stream: ByteBuffer) -> [PlainPacket] {
        let bytes = Array(stream.readableBytesView)
        return stride(from: 0, to: bytes.count - 187, by: 188).map { PlainPacket(Array(bytes[$0..<$0 + 188])) }
    }
}
