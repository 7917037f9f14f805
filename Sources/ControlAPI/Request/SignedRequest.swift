import Basics
import Crypto
import Foundation
import Storage

/// A request whose shape is right and whose signature has been verified.
///
/// The checks, in this order; the first that fails answers:
/// 1. the text is JSON within the limits and an object (code 6), no member name twice (code 3);
/// 2. `cdn` and `api_key` are there and belong together, and the key is not revoked (code 1); a key with control characters
///    is none (code 7);
/// 3. `timestamp` is there and within the window (code 2);
/// 4. `signature` is there and right (code 3);
/// 5. `command` is there (code 6) and text (code 7).
/// The service goes on with: the command is known (0), the account is in good standing (8), the key may use it (5), the
/// fields (6, then 7). Nothing about an account or a command is told before the signature is right.
public struct SignedRequest: Sendable {
    public let command: String
    /// All members, envelope included.
    public let fields: JSONObject
    public let account: Account
    public let key: APIKey
    public let timestamp: Date
    /// Names this request in the replay table: a digest of the key and of the signature's bytes. The text is left out
    /// on purpose: several texts (other white space, say) carry the same signature, and all of them are the same
    /// request.
    let digest: String

    /// Parses and verifies; `window` in seconds. Throws `CommandFailure`, or what the store throws.
    static func verify(
        _ text: [UInt8], store: any AccountStore, now: Date, window: TimeInterval
    ) async throws -> SignedRequest {
        let document = try parse(text)
        guard let object = document.root.objectValue else {
            throw CommandFailure(.requiredFieldsMissing, "The request is not a JSON object")
        }
        let (account, key) = try await authorize(object, store: store)
        let timestamp = try timestamp(object["timestamp"], now: now, window: window)
        guard let code = object["signature"]?.stringValue.flatMap(Signature.decode),
            Signature.verify(code, of: document, privateKey: key.privateKey)
        else { throw CommandFailure(.signatureFailed) }
        let command: String
        switch object["command"] {
        case nil, .null?, .string("")?: throw CommandFailure(missing: ["command"])
        case .string(let name)?: command = name
        default: throw CommandFailure(invalid: [.invalid("command", expected: "must be a string")])
        }
        return SignedRequest(
            command: command, fields: object, account: account, key: key,
            timestamp: Date(timeIntervalSince1970: Double(timestamp)), digest: digest(key.apiKey, code))
    }

    private static func parse(_ text: [UInt8]) throws(CommandFailure) -> JSONDocument {
        do {
            return try JSONParser.parse(text)
        } catch {
            if case .duplicateName = error.reason {
                throw CommandFailure(.signatureFailed, "The request cannot be verified: \(error)")
            }
            throw CommandFailure(.requiredFieldsMissing, "The request is not acceptable JSON: \(error)")
        }
    }

    /// The key that a request says it is signed with, whether or not it is; nil when it says none.
    static func claimedKey(_ text: [UInt8]) -> String? {
        guard let key = (try? parse(text))?.root.objectValue?["api_key"]?.stringValue, key.utf8.count <= 64 else {
            return nil
        }
        return key
    }

    /// One answer for everything that may be wrong here, so that keys and accounts cannot be probed.
    private static func authorize(_ object: JSONObject, store: any AccountStore) async throws -> (Account, APIKey) {
        guard let accountID = integer(object["cdn"]).flatMap(Int.init(exactly:)).map(AccountID.init(rawValue:)),
            let apiKey = object["api_key"]?.stringValue, !apiKey.isEmpty, apiKey.utf8.count <= 64
        else { throw CommandFailure(.cdnAuthorizationFailed) }
        // No key is like that, so saying it tells nothing of those there are.
        guard !apiKey.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw CommandFailure(invalid: [.invalid("api_key", expected: "must be text without control characters")])
        }
        guard let (key, account) = try await store.keyAndAccount(apiKey: apiKey), key.accountID == accountID,
            key.revoked == nil
        else { throw CommandFailure(.cdnAuthorizationFailed) }
        return (account, key)
    }

    /// The request's time, if it is near enough to ours; the failure says both.
    private static func timestamp(_ value: JSONValue?, now: Date, window: TimeInterval) throws(CommandFailure) -> Int64
    {
        let timestamp = seconds(value)
        if let timestamp, abs(now.timeIntervalSince1970 - Double(timestamp)) <= window { return timestamp }
        let time = Int64(now.timeIntervalSince1970.rounded(.down))
        var sentence = "\(ReplyCode.timestampOutOfRange.message): server time N is \(time)"
        if let timestamp {
            let (difference, isTooFar) = timestamp.subtractingReportingOverflow(time)
            if !isTooFar { sentence += ", yours N\(difference < 0 ? "-" : "+")\(difference.magnitude)" }
            // Ten times the age of Unix time is no slow clock.
            if timestamp / 10 > time { sentence += " (in milliseconds?)" }
        } else {
            sentence += ", yours is no number"
        }
        throw CommandFailure(.timestampOutOfRange, sentence)
    }

    /// Unix seconds, as `integer` or with a fraction, as many languages have them.
    private static func seconds(_ value: JSONValue?) -> Int64? {
        guard case .number(let number) = value else { return integer(value) }
        return Int64(exactly: number.value.rounded(.down))
    }

    /// An integer, or a string of decimal digits: clients configured by text send those.
    private static func integer(_ value: JSONValue?) -> Int64? {
        switch value {
        case .integer(let integer):
            return integer
        case .string(let text):
            guard (1...18).contains(text.utf8.count),
                text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
            else { return nil }
            return Int64(text)
        default:
            return nil
        }
    }

    private static func digest(_ apiKey: String, _ code: [UInt8]) -> String {
        Hexadecimal.encode(SHA256.hash(data: Array(apiKey.utf8) + [0] + code))
    }
}
