import NIOCore

/// Writes AMF0.
///
/// A member whose name is longer than 65,535 bytes, which AMF0 cannot hold, is left out; a byte array, which AMF0 does
/// not have, is written as `undefined`.
public enum AMF0Encoder {
    /// Appends one value.
    public static func encode(_ value: AMFValue, into output: inout ByteBuffer) {
        switch value {
        case .number(let number):
            output.writeInteger(UInt8(0x00))
            output.writeInteger(number.bitPattern)
        case .boolean(let flag):
            output.writeMultipleIntegers(UInt8(0x01), UInt8(flag ? 1 : 0))
        case .string(let string):
            encode(string, into: &output)
        case .object(let object):
            output.writeInteger(UInt8(0x03))
            encode(object, into: &output)
        case .typedObject(let name, let object):
            guard name.utf8.count <= 0xFFFF else {
                encode(.object(object), into: &output)
                return
            }
            output.writeInteger(UInt8(0x10))
            shortString(name, into: &output)
            encode(object, into: &output)
        case .ecmaArray(let object):
            output.writeMultipleIntegers(UInt8(0x08), UInt32(clamping: object.members.count))
            encode(object, into: &output)
        case .strictArray(let values):
            output.writeMultipleIntegers(UInt8(0x0A), UInt32(clamping: values.count))
            for value in values {
                encode(value, into: &output)
            }
        case .null: output.writeInteger(UInt8(0x05))
        case .undefined, .byteArray: output.writeInteger(UInt8(0x06))
        case .date(let milliseconds, let timeZone):
            output.writeInteger(UInt8(0x0B))
            output.writeInteger(milliseconds.bitPattern)
            output.writeInteger(timeZone)
        case .xml(let text):
            output.writeInteger(UInt8(0x0F))
            longString(text, into: &output)
        }
    }

    /// Appends a string, as a long one beyond 65,535 bytes.
    public static func encode(_ string: String, into output: inout ByteBuffer) {
        if string.utf8.count <= 0xFFFF {
            output.writeInteger(UInt8(0x02))
            shortString(string, into: &output)
        } else {
            output.writeInteger(UInt8(0x0C))
            longString(string, into: &output)
        }
    }

    private static func encode(_ object: AMFObject, into output: inout ByteBuffer) {
        for member in object.members where member.name.utf8.count <= 0xFFFF {
            shortString(member.name, into: &output)
            encode(member.value, into: &output)
        }
        output.writeMultipleIntegers(UInt16(0), UInt8(0x09))
    }

    /// The caller has checked the length.
    private static func shortString(_ string: String, into output: inout ByteBuffer) {
        output.writeInteger(UInt16(clamping: string.utf8.count))
        output.writeString(string)
    }

    private static func longString(_ string: String, into output: inout ByteBuffer) {
        output.writeInteger(UInt32(clamping: string.utf8.count))
        output.writeString(string)
    }
}
