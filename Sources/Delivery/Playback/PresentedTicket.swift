import Basics
import Usher

/// What admits a player: on the playlist's URL a ticket, `?key=…&pass=…`, or a signed token, `?hdnea=…`, which may also come in a
/// cookie. Other parameters are the page's own and are dropped.
struct PresentedTicket: Sendable, Hashable {
    var key: String?
    var pass: String?
    /// `hdnea=…`, as it stood on the URL.
    var token: String?
    /// `hdnea=…` or `hdntl=…`, as it stood in a cookie.
    var cookie: String?

    /// Keys and passes are short (peers R-A11); what is longer than this is no ticket of ours.
    static let maximumLength = 512
    private static let maximumQuery = 8_192

    /// - Parameters:
    ///   - query: without the question mark. Of repeated parameters the first counts; one that is too long or broken counts as
    ///     absent.
    ///   - cookies: fields of `Cookie`.
    init(query: Substring?, cookies: [String] = []) {
        if let query, query.utf8.count <= Self.maximumQuery { read(query) }
        for name in ["hdnea=", "hdntl="] where cookie == nil {
            cookie = cookies.lazy.compactMap { Self.cookie(name, in: $0) }.first
        }
    }

    private mutating func read(_ query: Substring) {
        var query = query
        query.withUTF8 { query in
            for parameter in query.split(separator: UInt8(ascii: "&")) {
                guard let equals = parameter.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let name = parameter[..<equals]
                func value(_ maximum: Int) -> String? {
                    let text = PercentCoding.strictText(of: UnsafeBufferPointer(rebasing: parameter[(equals + 1)...]))
                    return text.flatMap { $0.utf8.count <= maximum ? $0 : nil }
                }
                if name.elementsEqual("key".utf8) {
                    key = key ?? value(Self.maximumLength)
                } else if name.elementsEqual("pass".utf8) {
                    pass = pass ?? value(Self.maximumLength)
                } else if name.elementsEqual("hdnea".utf8) {
                    token = token ?? value(HDNEAToken.maximumLength).map { "hdnea=\($0)" }
                }
            }
        }
    }

    /// The first cookie of that name, as it stands there; scripts that write one may have percent-encoded it.
    private static func cookie(_ prefix: String, in field: String) -> String? {
        guard field.utf8.count <= maximumQuery else { return nil }
        for part in field.utf8.split(separator: UInt8(ascii: ";")) {
            let cookie = part.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard cookie.starts(with: prefix.utf8) else { continue }
            guard let value = PercentCoding.strictText(of: cookie.dropFirst(prefix.utf8.count)),
                value.utf8.count <= HDNEAToken.maximumLength
            else { continue }
            return prefix + value
        }
        return nil
    }
}
