import Basics

/// What a command answers, before it is written down.
///
/// Written in the order of the documented samples: `code`, `message`, `status`, the payload, `handle_time`.
public struct Reply: Sendable, Hashable {
    /// nil only in a success of `pushpublish.disconnect`, whose documented reply has none.
    public var code: ReplyCode?
    public var message: String
    public var isSuccess: Bool
    public var payload: JSONObject
    /// Seconds after which to try again: `Retry-After`, with HTTP status 429 or 503.
    public var retryAfter: Int?
    /// The HTTP status it goes out with.
    public var httpStatus = 200

    /// A success, with the code's own message unless another is given.
    public init(_ code: ReplyCode, _ message: String? = nil, payload: JSONObject = [:]) {
        self.code = code
        self.message = message ?? code.message
        self.isSuccess = code.isSuccess
        self.payload = payload
    }

    /// A success without a code.
    init(message: String) {
        self.message = message
        self.isSuccess = true
        self.payload = [:]
    }

    public init(_ failure: CommandFailure, retryAfter: Int? = nil, httpStatus: Int = 200) {
        self.code = failure.code
        self.message = failure.message
        self.isSuccess = false
        self.payload = [:]
        self.retryAfter = retryAfter
        self.httpStatus = httpStatus
    }

    /// All members; `handleTime` is how long the request took.
    public func object(handleTime: Duration) -> JSONObject {
        var object = JSONObject()
        if let code {
            object["code"] = .int(code.rawValue)
        }
        object["message"] = .string(message)
        object["status"] = .string(isSuccess ? "success" : "failure")
        for member in payload.members where object[member.name] == nil {
            object[member.name] = member.value
        }
        object["handle_time"] = .string(HandleTime.text(handleTime))
        return object
    }

    func bytes(format: ReplyFormat, handleTime: Duration) -> [UInt8] {
        let object = object(handleTime: handleTime)
        return switch format {
        case .json: JSONWriter.write(object)
        case .php: PHPSerializer.write(.object(object))
        }
    }
}

/// Durations as replies have them: `0.3795 seconds`.
enum HandleTime {
    static func text(_ duration: Duration) -> String {
        let duration = max(duration, .zero)
        let (seconds, attoseconds) = duration.components
        // Below one second there are fewer than 10^18 attoseconds, so this is 0 to 9999.
        let fraction = String(attoseconds / 100_000_000_000_000)
        return "\(seconds).\(String(repeating: "0", count: 4 - fraction.utf8.count))\(fraction) seconds"
    }
}
