import Foundation
import NIOCore
import Testing

@testable import RTMP

/// A repeatable source of numbers for splits and mutations.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

func bytes(_ values: [UInt8]) -> ByteBuffer {
    ByteBuffer(bytes: values)
}

/// Bytes from hexadecimal digits; spaces are for the reader.
func hex(_ text: String) -> ByteBuffer {
    let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
    return ByteBuffer(bytes: stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
}

func fixture(_ name: String) throws -> ByteBuffer {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
    return ByteBuffer(bytes: try Data(contentsOf: url))
}

/// Pieces of `size` bytes, the last one shorter.
func pieces(_ buffer: ByteBuffer, of size: Int) -> [ByteBuffer] {
    var rest = buffer
    var result: [ByteBuffer] = []
    while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
        // Own storage, as from a socket.
        result.append(ByteBuffer(bytes: Array(piece.readableBytesView)))
    }
    return result
}

/// Pieces of random sizes from 1 to `limit`.
func pieces(_ buffer: ByteBuffer, upTo limit: Int, _ random: inout TestRandom) -> [ByteBuffer] {
    var rest = buffer
    var result: [ByteBuffer] = []
    while rest.readableBytes > 0 {
        let size = min(rest.readableBytes, Int.random(in: 1...limit, using: &random))
        if let piece = rest.readSlice(length: size) { result.append(ByteBuffer(bytes: Array(piece.readableBytesView))) }
    }
    return result
}

let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

/// Runs and gives the RTMP error's code; nil when nothing was thrown.
func code(_ body: () throws -> Void) -> RTMPError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? RTMPError)?.code
    }
}

/// All messages of some bytes.
func decode(_ bytes: ByteBuffer, limits: RTMPLimits = RTMPLimits()) throws -> [RTMPMessage] {
    var decoder = ChunkDecoder(limits: limits)
    try decoder.receive(bytes, now: start)
    var messages: [RTMPMessage] = []
    while let message = try decoder.next() { messages.append(message) }
    return messages
}
