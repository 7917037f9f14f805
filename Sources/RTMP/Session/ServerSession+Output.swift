import NIOCore

extension ServerSession {
    /// Answers a command, unless it asked for none.
    mutating func result(_ command: RTMPCommand, _ value: AMFValue) {
        guard command.transactionID != 0 else { return }
        link.send(RTMPCommand("_result", transactionID: command.transactionID, arguments: [value]))
    }

    /// Answers a command that is not known.
    mutating func fail(_ command: RTMPCommand) {
        guard command.transactionID != 0 else { return }
        let status = RTMPStatus(level: .error, code: "NetConnection.Call.Failed", description: "Unknown method.")
        link.send(
            RTMPCommand("_error", transactionID: command.transactionID, arguments: [.object(status.object)]))
    }

    /// Sends `onStatus` on a message stream.
    mutating func status(_ id: UInt32, _ code: String, _ description: String, level: RTMPStatus.Level = .status) {
        var object = RTMPStatus(level: level, code: code, description: description).object
        if let name = streams.name(of: id)?.name { object["details"] = .string(name) }
        link.send(RTMPCommand("onStatus", transactionID: 0, arguments: [.object(object)]), streamID: id)
    }

    /// Sends one of Flash Media Server's notices on the connection.
    mutating func notify(_ method: String, _ code: String, _ description: String) {
        let object = RTMPStatus(level: .status, code: code, description: description).object
        link.send(RTMPCommand(method, transactionID: 0, arguments: [.object(object)]))
    }
}
