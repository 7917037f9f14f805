/// The signed text of an HTTP request body, and the format its reply is wanted in.
public struct ControlRequest: Sendable, Hashable {
    /// Bytes of a body; more is answered with HTTP 413 before anything is parsed.
    public static let maximumBodyBytes = 1 << 20

    /// The JSON text as the client signed it and added its signature to it.
    public var text: [UInt8]
    public var format: ReplyFormat

    /// Takes the text out of the form it came in:
    /// `multipart/form-data` or `application/x-www-form-urlencoded` with one field `json` or `php` (the name, in any
    /// case, picks the format of the reply; other fields are ignored), or the JSON object itself as the body. Bodies
    /// that begin with `{` are taken as JSON whatever their type says, as curl says `x-www-form-urlencoded` for every
    /// `--data`.
    ///
    /// Throws a failure of code 6.
    public init(contentType: String?, body: [UInt8]) throws(CommandFailure) {
        let type = contentType.flatMap(ContentType.init)
        if type?.type == "application/json" || body.first == UInt8(ascii: "{") {
            text = body
            format = .json
            return
        }
        let fields: [MultipartForm.Field]
        switch type?.type {
        case "multipart/form-data":
            do {
                fields = try MultipartForm.parse(body, boundary: type?.parameters["boundary"] ?? "")
            } catch {
                throw CommandFailure(.requiredFieldsMissing, "The multipart body is malformed: \(error)")
            }
        case "application/x-www-form-urlencoded":
            do {
                fields = try URLEncodedForm.parse(body)
            } catch {
                throw CommandFailure(.requiredFieldsMissing, "The urlencoded body is malformed: \(error)")
            }
        default:
            throw CommandFailure(
                .requiredFieldsMissing,
                "The body is none of multipart/form-data, application/x-www-form-urlencoded, application/json")
        }
        let texts = fields.compactMap { field in
            ReplyFormat(rawValue: field.name.lowercased()).map { (format: $0, text: field.value) }
        }
        guard let only = texts.first else {
            throw CommandFailure(missing: ["json"])
        }
        guard texts.count == 1 else {
            throw CommandFailure(.requiredFieldsMissing, "Exactly one of the fields json and php is expected")
        }
        text = only.text
        format = only.format
    }
}

/// How a reply is written; named by the form field that carried the request.
public enum ReplyFormat: String, Sendable, Hashable {
    case json
    /// PHP `serialize()`.
    case php

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .php: "text/plain; charset=utf-8"
        }
    }
}
