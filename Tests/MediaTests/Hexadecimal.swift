import NIOCore

/// The bytes written in hexadecimal, spaces left out.
func bytes(_ hexadecimal: String) -> ByteBuffer {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    var buffer = ByteBuffer()
    for index in stride(from: 0, to: digits.count - 1, by: 2) {
        buffer.writeInteger(UInt8(digits[index] << 4 | digits[index + 1]))
    }
    return buffer
}
