import Basics
import Foundation

/// Makes the text of a signed request, for clients: the command line and tests.
public struct SignedCall: Sendable {
    public var accountID: AccountID
    public var apiKey: String
    public var privateKey: String

    public init(accountID: AccountID, apiKey: String, privateKey: String) {
        self.accountID = accountID
        self.apiKey = apiKey
        self.privateKey = privateKey
    }

    /// The JSON text to post as form field `json`: the envelope, then the fields in their order, then the signature.
    /// Fields with the envelope's names are dropped.
    public func text(command: String, fields: JSONObject = [:], now: Date) -> String {
        // Beyond 64 bits is no time a server would accept either.
        let seconds = Int64(exactly: now.timeIntervalSince1970.rounded(.down)) ?? 0
        var object: JSONObject = [
            "command": .string(command), "api_key": .string(apiKey), "timestamp": .integer(seconds),
            "cdn": .int(accountID.rawValue),
        ]
        for member in fields.members where object[member.name] == nil && member.name != "signature" {
            object[member.name] = member.value
        }
        object["signature"] = .string(Signature.sign(JSONWriter.write(object), privateKey: privateKey))
        return String(decoding: JSONWriter.write(object), as: UTF8.self)
    }
}
