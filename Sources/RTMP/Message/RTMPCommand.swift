import NIOCore

/// A command message (RTMP 1.0 §7.1.1): name, transaction id, command object, arguments.
public struct RTMPCommand: Sendable, Hashable {
    public var name: String
    /// Answers carry the question's number; 0 asks for no answer.
    public var transactionID: Double
    /// `connect`'s parameters; null for most commands.
    public var object: AMFValue
    public var arguments: [AMFValue]

    public init(_ name: String, transactionID: Double, object: AMFValue = .null, arguments: [AMFValue] = []) {
        self.name = name
        self.transactionID = transactionID
        self.object = object
        self.arguments = arguments
    }

    /// Reads the body of a message of type 20 or 17. The latter is AMF0 behind a zero byte (values may switch to AMF3);
    /// peers that leave the zero out are understood.
    ///
    /// Values after a failure inside the arguments are an error; a missing transaction id or object is not: some
    /// encoders leave them out.
    public init(_ message: RTMPMessage, limits: AMFLimits = AMFLimits()) throws(RTMPError) {
        var decoder = AMF0Decoder(RTMPCommand.amf0(of: message), limits: limits)
        guard case .string(let name) = try decoder.decode() else {
            throw RTMPError(.malformedMessage, "A command that does not begin with its name.")
        }
        self.name = name
        transactionID = decoder.isAtEnd ? 0 : try decoder.decode().number ?? 0
        object = decoder.isAtEnd ? .null : try decoder.decode()
        arguments = []
        while !decoder.isAtEnd {
            arguments.append(try decoder.decode())
        }
    }

    /// As an AMF0 command message.
    public func message(streamID: UInt32) -> RTMPMessage {
        var body = ByteBuffer()
        AMF0Encoder.encode(name, into: &body)
        AMF0Encoder.encode(.number(transactionID), into: &body)
        AMF0Encoder.encode(object, into: &body)
        for argument in arguments {
            AMF0Encoder.encode(argument, into: &body)
        }
        return RTMPMessage(type: .commandAMF0, streamID: streamID, body: body)
    }

    /// The body without the zero byte of the AMF3 message types.
    static func amf0(of message: RTMPMessage) -> ByteBuffer {
        var body = message.body
        if message.type == .commandAMF3 || message.type == .dataAMF3,
            body.getInteger(at: body.readerIndex, as: UInt8.self) == 0
        {
            body.moveReaderIndex(forwardBy: 1)
        }
        return body
    }

    /// An argument; null when it was left out.
    func argument(_ index: Int) -> AMFValue {
        arguments.indices.contains(index) ? arguments[index] : .null
    }
}
